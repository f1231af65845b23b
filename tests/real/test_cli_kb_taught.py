"""Can a daemon be taught by verbs and requests, keep that over its death, and hand it to another one?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal.cli.client import Document
from tests.real.daemon_process import House, house, until

# Ends with the words of its file as soon as that is there; what they mean nobody ships.
PROGRAM = """
import os, sys, time
words = "words-" + sys.argv[1]
while not os.path.exists(words):
    time.sleep(0.02)
said = open(words).read()
os.unlink(words)
sys.exit(said)
"""
FLEET = f"""
[guard]
verify = 0.2
[agents.api]
instances = 9
command = [{{python}}, "-c", '''{PROGRAM}''', "{{index}}"]
"""
ADD = ("kb", "add", "--id", "own.no_room", "--cause", "locked", "--pattern", "the barn is \\w+ full")
BUNDLE: dict[str, object] = {"version": 1, "origin": "d1-2", "signatures": [], "tallies": [], "incidents": []}


@pytest.fixture(scope="module")
def place() -> Iterator[House]:
    with house() as found:
        found.boot(FLEET)
        yield found


def ended(place: House, number: int, words: str) -> Document:
    """Let an instance end with these words; returns its incident, once its cause was looked for.

    Each time another one: of what has ended a moment ago the next end is another story.
    """
    (place.folder / f"words-{number}").write_text(words)
    return until(lambda: [one for one in place.incidents(f"api:{number}") if one.parts("causes")])[0]


def over(place: House, incident: Document) -> bool:
    found = place.get(f"incidents/{incident.text('id')}")
    return found.text("state") == "resolved"


def test_a_signature_is_added_speaks_and_is_removed(place: House) -> None:
    assert ended(place, 0, "E 17: the barn is quite full").text("cause") != "locked"
    told = place.say(*ADD, "--says", "No room.", "--example", "the barn is very full", "--precision", "0.95")
    assert (told.code, told.err) == (0, "own.no_room: a match speaks for locked now\n")
    heard = ended(place, 1, "E 18: the barn is quite full")
    assert (heard.text("cause"), heard.parts("causes")[0].texts("signs")) == ("locked", ["own.no_room"])
    listed = place.say("kb", "list", "--source", "own").out
    assert ("own.no_room" in listed, "general" in listed) == (True, False)
    shown = place.say("kb", "show", "own.no_room").out
    assert ("the barn is \\w+ full" in shown, "the barn is very full" in shown) == (True, True)
    assert place.say("kb", "remove", "own.no_room").code == 0
    assert ended(place, 2, "E 19: the barn is quite full").text("cause") != "locked"
    gone = place.say("kb", "show", "own.no_room")
    assert (gone.code, "cannot find signature 'own.no_room'" in gone.err) == (1, True)


def test_the_one_that_looked_like_it_is_told_and_what_a_person_said_of_it_is_heard(place: House) -> None:
    seen = ended(place, 3, "the cow 17 is out")
    first = seen.text("id")
    until(lambda: over(place, seen), limit_s=40.0)
    assert place.say("kb", "correct", first, "bad_configuration").code == 0
    again = ended(place, 4, "the cow 99 is out")
    assert again.text("cause") == "bad_configuration"
    assert again.parts("similar")[0].text("incident") == first
    assert "past" in again.parts("causes")[0].texts("channels")
    assert f"{first}, " in place.say("why", again.text("id")).out
    similar = place.say("kb", "similar", again.text("id")).out
    assert (f"{first}, " in similar, "its log says “the cow <*> is out”" in similar) == (True, True)
    assert "## Seen before" in place.say("incidents", "show", again.text("id"), "--markdown").out


def test_a_shipped_signature_is_switched_off_and_on(place: House) -> None:
    full = "OSError: Too many open files"
    heard = ended(place, 5, full)
    assert heard.text("cause") == "out_of_fds"
    signs = heard.parts("causes")[0].texts("signs")
    for sign in signs:
        assert place.say("kb", "remove", sign).code == 0
    twice = place.say("kb", "remove", signs[0])
    assert (twice.code, "it is off already" in twice.err) == (5, True)
    unheard = ended(place, 6, full)
    assert not {*signs} & {name for one in unheard.parts("causes") for name in one.texts("signs")}
    for sign in signs:
        assert place.say("kb", "restore", sign).code == 0
    assert ended(place, 7, full).text("cause") == "out_of_fds"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--id", "general.mine"), 2, "it is to be 'own.' and a name"),
        (("--cause", "disc_full"), 2, "is 'disk_full' meant?"),
        (("--pattern", "(a+)+b"), 2, "a group may only be optional"),
        (("--pattern", "(a|b"), 2, "a '(' is not closed"),
        (("--pattern", "(a)\\1"), 2, "is not among what may be used"),
        (("--pattern", "a.*b.*c.*d"), 2, "steps on one line"),
        (("--pattern", "x*"), 2, "no word in common"),
        (("--pattern", "x" * 501), 2, "500"),
        (("--pattern", "password=hunter2hunter2"), 2, "looks like a secret"),
        (("--example", "all is well"), 2, "no pattern of it matches that"),
        (("--precision", "1.5"), 2, "no share from 0.05 to 0.99"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_the_reason(
    place: House, words: tuple[str, str], code: int, says: str
) -> None:
    given = [*ADD]
    if words[0] in given:
        given[given.index(words[0]) + 1] = words[1]
    else:
        given += words
    told = place.say(*given)
    assert (told.code, says in told.err) == (code, True), told
    assert "own.no_room" not in place.say("kb", "list").out


def test_a_secret_in_an_example_is_not_kept(place: House) -> None:
    line = "cow lost: token=ghp_0123456789abcdefghijABCDEFGHIJ012345"
    given = ("kb", "add", "--id", "own.cow", "--cause", "slow", "--pattern", "cow lost", "--example", line)
    assert place.say(*given).code == 0
    assert "ghp_0123456789abcdefghijABCDEFGHIJ012345" not in place.say("kb", "show", "own.cow", "--json").out
    journal = b"".join(one.read_bytes() for one in (place.state_dir / "journal").rglob("*") if one.is_file())
    assert b"ghp_0123456789abcdefghijABCDEFGHIJ012345" not in journal
    assert place.say("kb", "remove", "own.cow").code == 0


def written(place: House, content: object) -> str:
    file = place.folder / "given.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(file)


SIGN = {"id": "own.a", "cause": "slow", "patterns": ["slow as a snail"]}
SEEN = {
    "incident": "inc-1", "origin": "d1-2", "agent": "api", "at": "2026-01-02T03:04:05Z", "look": ["exit:1"],
    "cause": "slow", "cause_agent": "api",
}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("nonsense", ("it is no JSON",)),
        ("[" * 100_000, ("it is no JSON",)),
        ("[1, 2]", ("cannot read the request",)),
        ({**BUNDLE, "version": 2}, ("version",)),
        ({**BUNDLE, "secrets": 1}, ("secrets",)),
        (
            {**BUNDLE, "signatures": [SIGN, {**SIGN, "id": "b"}, {**SIGN, "id": "own.c", "patterns": ["(x+x+)+y"]}]},
            ("'b' for an id", "own.c"),
        ),
        ({**BUNDLE, "incidents": [SEEN, {**SEEN, "at": "yesterday"}, {**SEEN, "origin": ""}]}, ("1.at", "2.origin")),
        ({**BUNDLE, "tallies": [{"origin": "d1-2", "signature": "x", "right": -1, "wrong": 0, "at": 1.0}]}, ("right",)),
        (
            {
                **BUNDLE,
                "tallies": [
                    {"origin": f"d{number}", "signature": "x", "right": 1, "wrong": 0, "at": 1.0}
                    for number in range(51)
                ],
            },
            ("more than 50 daemons",),
        ),
        ("x" * 10_000_000, ("larger than",)),
        ({**BUNDLE, "signatures": [{**SIGN, "says": "x" * 2_000_000}]}, ("larger than",)),
    ],
    ids=lambda given: str(given)[:20],
)
def test_of_a_file_with_anything_wrong_nothing_is_taken_and_all_is_said(
    place: House, content: object, says: tuple[str, ...]
) -> None:
    told = place.say("kb", "import", written(place, content))
    assert (told.code in (1, 2), [one for one in says if one not in told.err]) == (True, []), told
    known = place.get("kb/export")
    others = [one for name in ("tallies", "incidents") for one in known.parts(name)]
    assert [one.text("id") for one in known.parts("signatures")] == []
    assert {one.text("origin") for one in others} <= {known.text("origin")}


def test_over_tcp_without_a_token_it_may_be_read_and_not_taught(place: House) -> None:
    assert place.over_tcp().ask("GET", "/observability/kb/signatures").status == 200
    assert place.over_tcp().ask("POST", "/control/kb/signatures", SIGN).status == 403


def test_the_file_of_the_knowledge_base_has_signatures_with_counts_and_incidents_with_outcomes(place: House) -> None:
    known = ended(place, 8, "OSError: Too many open files").text("id")

    def there() -> bool:
        told = json.loads((place.state_dir / "rca_knowledge_base.json").read_text())
        return known in [one["incident"] for one in told["incidents"]]

    until(there, limit_s=40.0)
    told = json.loads((place.state_dir / "rca_knowledge_base.json").read_text())
    assert {"id", "cause", "believed", "precision", "right", "wrong"} <= told["patterns"][0].keys()
    assert {"look", "cause", "proof", "fix", "recovery_seconds", "person"} <= told["incidents"][0].keys()


def test_what_was_taught_is_there_after_a_kill() -> None:
    with house() as place:
        place.boot(FLEET)
        assert place.say(*ADD).code == 0
        place.daemon.kill()
        place.boot()
        assert "own.no_room" in place.say("kb", "list", "--source", "own").out


def test_what_one_daemon_knows_another_one_learns_once(tmp_path: Path) -> None:
    file = str(tmp_path / "known.json")
    with house() as one, house() as other:
        one.boot(FLEET)
        other.boot(FLEET)
        assert one.say(*ADD).code == 0
        seen = ended(one, 0, "the barn is quite full")
        until(lambda: over(one, seen), limit_s=40.0)
        assert one.say("kb", "confirm", seen.text("id")).code == 0
        assert one.say("kb", "export", file).err == "exported 1 signature, 1 incident\n"
        assert "1 signatures" in other.say("kb", "import", file).err
        assert other.say("kb", "import", file).err == "all of it was known already\n"
        assert one.say("kb", "import", file).err == "all of it was known already\n"
        (sign,) = other.get("kb/signatures", source="own").parts("items")
        assert (sign.text("id"), sign.number("right")) == ("own.no_room", 1.0)
        again = ended(other, 0, "the barn is quite full")
        assert again.text("cause") == "locked"
        assert again.parts("similar")[0].text("incident").endswith("/inc-1")
        piped = other.say("kb", "export", "-")
        assert json.loads(piped.out)["incidents"] != []
