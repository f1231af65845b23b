"""Is what a language model is told small, the same for the same facts, and without anything that nobody may read?"""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.events import Cause
from selfheal.model.pack import BYTES, Change, Facts, Option, Past, pack
from selfheal.model.reply import read
from selfheal.model.scrub import LINE_LENGTH, Scrubber
from selfheal.telemetry.redact import Redactor, redact_text
from tests.pure.injections import PAYLOADS
from tests.pure.questions import facts, packed, rich

ALPHANUMERIC = string.ascii_letters + string.digits
PLANTED = 1_000


def some(chance: Random, length: int, alphabet: str = ALPHANUMERIC) -> str:
    return "".join(chance.choice(alphabet) for _ in range(length))


def octets(chance: Random) -> str:
    return ".".join(str(chance.randint(11, 250)) for _ in range(4))


# How a secret looks, and the part of it that may not be seen again.
KINDS: dict[str, Callable[[Random, str], tuple[str, str]]] = {
    "password": lambda chance, secret: (f"password={secret[:9]}", secret[:9]),
    "setting": lambda chance, secret: (f'"api_key": "{secret[:16]}"', secret[:16]),
    "bearer": lambda chance, secret: (f"Authorization: Bearer {secret}", secret),
    "jwt": lambda chance, secret: (f"eyJ{secret[:12]}.eyJ{secret[12:24]}.{secret[24:]}", secret[12:24]),
    "pem": lambda chance, secret: (
        f"-----BEGIN RSA PRIVATE KEY-----\n{secret}\n-----END RSA PRIVATE KEY-----", secret
    ),
    "aws": lambda chance, secret: (f"AKIA{secret[:16].upper()}", secret[:16].upper()),
    "github": lambda chance, secret: (f"ghp_{secret}", secret),
    "render": lambda chance, secret: (f"rnd_{secret[:24]}", secret[:24]),
    "telegram": lambda chance, secret: (f"bot{chance.randint(10**8, 10**9)}:{secret[:35]}", secret[:35]),
    "maker": lambda chance, secret: (f"sk-ant-{secret}", secret),
    "url": lambda chance, secret: (f"postgres://app:{secret[:12]}@db.corp.example/app", secret[:12]),
    "query": lambda chance, secret: (f"https://x.example/hook?token={secret[:14]}", secret[:14]),
    "mail": lambda chance, secret: (f"{secret[:8].lower()}@corp.example", secret[:8].lower()),
    "ipv4": lambda chance, secret: (f"connect to {(at := octets(chance))}:5432", at),
    "ipv6": lambda chance, secret: (f"from {(at := '2001:db8:' + some(chance, 4, 'abcdef') + '::1')}", at),
    "host": lambda chance, secret: (f"https://{secret[:10].lower()}.corp.example/", secret[:10].lower()),
    "hex": lambda chance, secret: (f"digest {(at := some(chance, 40, '0123456789abcdef'))}", at),
    "base64": lambda chance, secret: (f"got {(at := base64.b64encode(chance.randbytes(30)).decode())}", at),
    "known": lambda chance, secret: (f"it is {secret[:8]}-known", f"{secret[:8]}-known"),
}  # fmt: skip


def test_of_a_thousand_planted_secrets_of_all_kinds_none_leaves() -> None:
    chance, left = Random(7), []
    kinds = sorted(KINDS)
    for number in range(PLANTED):
        kind = kinds[number % len(kinds)]
        text, secret = KINDS[kind](chance, some(chance, 40))
        redactor = Redactor([secret] if kind == "known" else [])
        sent = pack(rich(f"it failed: {text} in the end"), redactor.redact_text, lambda: chance.getrandbits(32), "m")
        if secret in sent.text:
            left.append((kind, text))
    assert left == []


def test_words_are_left_as_they_are() -> None:
    scrub = Scrubber(redact_text)
    for text in (
        "ConnectionRefusedError: [Errno 111] Connection refused",
        "ModuleNotFoundError: No module named 'internal_server_configuration'",
        "db, on which it depends, is unhealthy",
        "check http://localhost:8080 failed",
        "restart_with_dependents of the-service-with-a-long-name",
    ):
        assert scrub.text(text) == text


def test_the_same_address_goes_by_the_same_name() -> None:
    scrub = Scrubber(redact_text)
    assert scrub.text("10.1.2.3 to 10.1.2.4") == "ip#1 to ip#2"
    assert scrub.text("10.1.2.4 refused ada@corp.example, 10.1.2.3 too") == "ip#2 refused mail#1, ip#1 too"


def test_of_lines_only_their_form_is_told() -> None:
    scrub = Scrubber(redact_text)
    lines = [f"took {number} ms for '/orders/{number}' from /srv/app/{number}.py" for number in range(30)]
    assert scrub.lines([*lines, "boom"], 20) == [("took <n> ms for <text> from <path>", 30), ("boom", 1)]


def test_what_cannot_be_seen_is_taken_out_and_long_lines_are_cut() -> None:
    scrub = Scrubber(redact_text)
    assert scrub.line("a\x1b[31m\u202eb\u200b\x00c\ud800") == "abc"
    assert len(scrub.line("word " * 400)) == LINE_LENGTH


def test_the_same_facts_are_the_same_question_whatever_it_calls_them_and_whenever() -> None:
    then = facts(onsets=(("api", 1.0),), past=(Past("api", "crashed", "restart", "failed", 1.0),))
    later = facts(onsets=(("api", 2.0),), past=(Past("api", "crashed", "restart", "failed", 3.0),))
    assert packed(then, 1).key == packed(later, 2).key
    assert packed(then, 1).text == packed(then, 1).text
    assert packed(then, 1).text != packed(then, 2).text
    assert packed(then, model="another").key != packed(then).key


def test_names_are_drawn_anew_and_stand_for_what_was_offered() -> None:
    one, other = packed(seed=1), packed(seed=2)
    assert set(one.causes).isdisjoint(other.causes)
    assert [cause.slug for cause in one.causes.values()] == ["wrong_answer", "dependency_down", "unknown"]
    assert list(one.fixes.values()) == ["restart", "rollback"]
    assert len(one.evidence) == 3


TEXTS = st.text(max_size=3_000)


@given(st.lists(TEXTS, max_size=8), st.lists(st.text(max_size=300), max_size=60))
def test_it_is_json_of_at_most_twelve_kilobytes(texts: list[str], lines: list[str]) -> None:
    told = Facts(
        "api", "check", " ".join(texts),
        causes=tuple(Cause("crashed", 0.1, f"a{n}", tuple(texts)) for n in range(8)),
        options=tuple(Option(f"f{n}", "application", 1, 0.5, " ".join(texts)) for n in range(9)),
        log=tuple(lines), onsets=tuple((f"a{n}", float(n)) for n in range(40)),
        changes=tuple(Change("api", "deploy", text, 1.0, tuple(lines)) for text in texts),
        past=tuple(Past("api", "crashed", text, "failed", 1.0) for text in texts),
    )  # fmt: skip
    sent = packed(told)
    assert len(sent.text.encode()) <= BYTES
    shown = json.loads(sent.text)
    assert len(shown["candidates"]) <= 5
    assert len(shown["fixes"]) <= 6
    assert len(shown["log"]) <= 20
    assert len(shown["past"]) <= 3
    assert sum(len(one["diff"]) for one in shown["changes"]) <= 40


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_is_written_into_a_log_names_nothing_and_stays_a_short_line_of_data(payload: str) -> None:
    sent = packed(rich(payload))
    names = {*sent.causes, *sent.fixes, *sent.evidence}
    assert not any(name in payload for name in names)
    shown = json.loads(sent.text)
    assert shown.keys() == {"alert", "candidates", "fixes", "log", "onsets", "changes", "past"}
    assert [one["cause"] for one in shown["candidates"]] == ["crashed"]
    assert all(len(one["line"]) <= LINE_LENGTH and one["line"].isprintable() for one in shown["log"])
    assert read(payload, sent, redact_text) in ("not_json", "form", "unknown_cause", "too_long")
