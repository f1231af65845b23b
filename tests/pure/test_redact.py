"""Are secrets masked, and is everything else left alone?"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from selfheal.telemetry.redact import MASK, Redactor, is_secret_name, redact, redact_text, secrets_in

ORDINARY = [
    "",
    "max_tokens=700",
    "input_tokens=120 output_tokens: 33 token_count=5 token_budget: 4000",
    "key not found",
    "KeyError: 'name'",
    "keyboard interrupt",
    "primary_key=17 cache_key=agents:web sort_key: name idempotency_key=7f0c",
    "key=daemon.listen wrong=8787 right='127.0.0.1:8787'",
    "password must not be empty",
    "password: must be at least 12 characters",
    "password: field required",
    "token: invalid",
    "unexpected token } in JSON at position 17",
    "secret_name=telegram password_file=/run/secrets/db token_expires_at=2026-01-01T00:00:00Z",
    "passed=3 failed=2 compass=north bypass: on",
    "PWD=/app OLDPWD=/ SHELL=/bin/sh",
    "if token == expected: return",
    "def login(token: str, password: str) -> None:",
    "the bearer scheme is used; bearer authentication failed; Bearer token missing",
    'WWW-Authenticate: Bearer realm="selfheal"',
    "basic configuration loaded",
    "http://127.0.0.1:8787/observability/agents?since=17&limit=5",
    "connect to tcp://db.internal:5432 failed, asked ops@example.org",
    "http://user@host/path and ssh://git@example.org/repo.git",
    "incident=0f3a9b2c1d4e5f60718293a4b5c6d7e8 trace=4bf92f3577b34da6a3ce929d0e0e4736",
    "id=123e4567-e89b-12d3-a456-426614174000",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "2026-01-02T03:04:05.678901Z 12:34:56 1700000000:17 pid=123456:1",
    "task-scheduler disk-usage-high risk-assessment-model",
    "bot2:0 restarted; robot1: ready",
    "cookie jar is full; authorization required; credentials expired",
    "Grüße, Ölstand ﬁn İstanbul",
    "agent=web:1 fix=restart outcome=succeeded took_s=1.25",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "https://deployer@git.example.org/shop and svn://release-manager@svn.example.org",
    "cd /srv; PWD=/app; ls; PWD=$HOME; echo",
    "GET /page?passed=3&author=ann&authority=x&signatures=2&compass=north",
    "turkey=1 hockey=2 monkey: 3 keystroke=4 tokenizer=bpe",
]

# What goes in, and the secrets that must not come out.
SECRETS = [
    ("https://api.telegram.org/bot123456789:AAF-abc_DEFghijklmnopqrstuvwxyz01234/sendMessage", ["AAF-abc"]),
    ("telegram says 123456789:AAF-abc_DEFghijklmnopqrstuvwxyz01234", ["AAF-abc"]),
    ("POST /bot123:short-fake/getUpdates", ["short-fake"]),
    ("using sk-ant-api03-abcdefghijkl and sk-proj-0123456789", ["api03", "0123456789"]),
    ("render rnd_AbCdEfGh12345678", ["AbCdEfGh"]),
    ("Authorization: Bearer abc.def-ghi_jkl", ["abc.def"]),
    ("authorization: Basic dXNlcjpwYXNz", ["dXNlcjpwYXNz"]),
    ("sent with bearer 0123456789abcdef now", ["0123456789abcdef"]),
    ("curl -H 'Authorization: Bearer s3cr3t-value' http://x/", ["s3cr3t"]),
    ("AKIAIOSFODNN7EXAMPLE", ["AKIAIOSFODNN7EXAMPLE"]),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", ["abcdefghijkl"]),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN", ["eyJzdWIi", "dozjgNry"]),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\ndef\n-----END RSA PRIVATE KEY-----", ["MIIEabc", "def"]),
    ("cut off: -----BEGIN PRIVATE KEY-----\nMIIEabc", ["MIIEabc"]),
    ("postgres://app:hunter2@db:5432/x", ["hunter2"]),
    ("redis://:hunter2@cache:6379/0", ["hunter2"]),
    ("amqp://app:p@ss:w%2Frd@mq/", ["p@ss", "w%2Frd"]),
    ("https://token:hunter2@example.org/x", ["hunter2"]),
    ("GET /x?access_token=abc123&limit=5", ["abc123"]),
    ("GET /x?limit=5&key=abc123&sig=def456", ["abc123", "def456"]),
    ("PASSWORD=hunter2 DB_PASS=hunter3 RENDER_API_KEY=hunter4 STRIPE_KEY=hunter5", ["hunter"]),
    ("AWS_SECRET_ACCESS_KEY = hunter2", ["hunter2"]),
    ("secretAccessKey: hunter2, clientSecret: hunter3", ["hunter"]),
    ('{"password": "hunter2 and more", "user": "bob"}', ["hunter2", "more"]),
    ('{"api_key":"a\\"hunter2"}', ["hunter2"]),
    (json.dumps(json.dumps({"token": "hunter2 three"})), ["hunter2", "three"]),
    ("{'password': 'hunter2', 'n': 1}", ["hunter2"]),
    ("login failed with password: hunter2 for bob", ["hunter2"]),
    ("password=hunt(er2 token=a[b]c", ["er2", "b]c"]),
    ("db --password hunter2 --verbose", ["hunter2"]),
    ("Cookie: session=abc123; theme=dark", ["abc123"]),
    ("Set-Cookie: selfheal=abc123; HttpOnly", ["abc123"]),
    ("SENTRY_DSN=https://abc123@sentry.example/1", ["abc123"]),
    (":password=>'hunter2'", ["hunter2"]),
    ("İstanbul PASSWORD=hunter2", ["hunter2"]),
    ("https://hooks.slack.com/services/T000/B000/abc123", ["abc123"]),
    ("GET https://h/x?pwd=abc123", ["abc123"]),
    ("GET https://h/x?a=1&pass=abc123&auth=def456&PWD=ghi789", ["abc123", "def456", "ghi789"]),
    ("https://h/x?X-Amz-Signature=abc123&signature=def456&sig=ghi789", ["abc123", "def456", "ghi789"]),
    ("cloning https://abc123@git.example.org/x and http://justatoken@h/", ["abc123", "justatoken"]),
    ("Server=db;Uid=sa;Pwd=hunter2;Database=x", ["hunter2"]),
    ("Pwd=hunter2;Server=db", ["hunter2"]),
    ("PGPASSWORD=hunter2 psql; MYSQLPASSWORD: hunter3", ["hunter"]),
    ("secretkey=hunter2 authtoken: hunter3 clientsecret=hunter4", ["hunter"]),
    ("DefaultEndpointsProtocol=https;AccountName=x;AccountKey=hunter2==;EndpointSuffix=y", ["hunter2"]),
]


@pytest.mark.parametrize("line", ORDINARY)
def test_an_ordinary_line_is_left_alone(line: str) -> None:
    assert redact_text(line) == line


@pytest.mark.parametrize(("line", "secrets"), SECRETS)
def test_a_secret_does_not_come_out(line: str, secrets: list[str]) -> None:
    masked = redact_text(line)
    assert MASK in masked
    assert [secret for secret in secrets if secret in masked] == []
    assert redact_text(masked) == masked


def test_what_stands_around_a_secret_stays() -> None:
    assert redact_text("postgres://app:hunter2@db:5432/x?a=1") == "postgres://app:***@db:5432/x?a=1"
    assert redact_text("GET /x?token=abc&limit=5") == "GET /x?token=***&limit=5"
    assert redact_text("token=abc, agent=web") == "token=***, agent=web"
    assert redact_text("a\nAuthorization: Bearer abc.def\nb") == "a\nAuthorization: ***\nb"


@pytest.mark.parametrize("value", ["hunter2", 'quo"ted', "back\\slash", "two words"])
def test_json_stays_json(value: str) -> None:
    masked = redact_text(json.dumps({"a": 1, "password": value, "b": [2]}))
    assert json.loads(masked) == {"a": 1, "password": MASK, "b": [2]}


PIECES = st.sampled_from(
    [*(line for line, _ in SECRETS), *ORDINARY, "token", "password", "=", ": ", '"', "'", "\\", "://", "@", "&", "?",
     " ", "\n", "***", "sk-", "Bearer ", "/", "a1b2c3", ",", ";", "(", "]", "--token", "authorization"]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=8), max_size=8).map("".join))
def test_masking_twice_changes_nothing(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once) == once


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="=:"), max_size=80))
def test_text_without_any_assignment_or_token_is_left_alone(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "hostile",
    ["token_" * 20_000 + "=", "token=" * 20_000, "a" * 100_000, "password=" + "\\" * 20_000, "://" * 30_000,
     ":/" * 50_000, "password=" + "(" * 50_000, "-----BEGIN PRIVATE KEY-----" * 3_000, "token " + " " * 50_000,
     "eyJ" * 30_000, "pwd=" * 30_000, "?pass" * 30_000, "http://a" * 20_000, "https://" + "a" * 100_000],
)  # fmt: skip
def test_no_text_takes_long(hostile: str) -> None:
    assert redact_text(redact_text(hostile)) == redact_text(hostile)


@dataclass
class Login:
    user: str
    password: str


def test_values_are_masked_by_the_names_they_stand_under() -> None:
    assert redact(
        {
            "Authorization": "Bearer x",
            "headers": {"X-Api-Key": "abc", "cookie": ["a", "b"], "accept": "*/*"},
            "steps": [{"token": "abc"}, ("url", "redis://:pw@h")],
            "tokens": 5,
            "max_tokens": 700,
            "password": None,
            "secret": True,
            "pin": 1234,
            "passwords": {"bob": 1234},
        }
    ) == {
        "Authorization": MASK,
        "headers": {"X-Api-Key": MASK, "cookie": MASK, "accept": "*/*"},
        "steps": [{"token": MASK}, ["url", "redis://:***@h"]],
        "tokens": 5,
        "max_tokens": 700,
        "password": None,
        "secret": True,
        "pin": 1234,
        "passwords": MASK,
    }


def test_an_object_that_shows_a_secret_is_replaced_by_its_masked_repr() -> None:
    harmless = object()
    assert redact([harmless, Login("bob", "hunter2")]) == [harmless, "Login(user='bob', password='***')"]


def test_a_value_that_holds_itself_is_cut() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert "…" in repr(redact(loop))


@given(st.recursive(st.none() | st.integers() | PIECES, lambda inner: st.lists(inner) | st.dictionaries(PIECES, inner)))
def test_masking_a_value_twice_changes_nothing(value: object) -> None:
    assert redact(redact(value)) == redact(value)


@pytest.mark.parametrize(
    "name", ["TELEGRAM_BOT_TOKEN", "apiKey", "x-api-key", "APIKey", "db.password", "SECRET_KEY_BASE"]
)
def test_a_secrets_name_is_known_in_every_spelling(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["tokens", "key", "PATH", "PWD", "tokenizer", "monkey", "token_type", "", "123"])
def test_a_name_that_only_sounds_like_it_is_none(name: str) -> None:
    assert not is_secret_name(name)


def test_known_secrets_are_masked_wherever_they_stand() -> None:
    redactor = Redactor.from_environment(
        {
            "GATEWAY_TOKEN": "plain-words",
            "DATABASE_URL": "postgres://app:pass+word@db/x",
            "DB_PASSWORD": 'qu"oted value',
            "PIN_SECRET": "short",
            "HOME": "/home/somebody",
        },
        others=["from-a-file"],
    )
    assert redactor.redact_text("plain-words, pass+word, pass%2Bword, from-a-file") == "***, ***, ***, ***"
    assert redactor.redact_text(json.dumps(['a qu"oted value'])) == '["a ***"]'
    assert redactor.redact_text("short /home/somebody") == "short /home/somebody"
    assert redactor.redact({"plain-words": ["say plain-words"]}) == {MASK: ["say ***"]}


def test_what_stands_under_the_name_of_a_secret_is_found_wherever_it_stands() -> None:
    values = {
        "environment": {"MY_API_KEY": "abc-123", "A_TOKEN": "1", "B_TOKEN": "Disabled"},
        "more": {"MODE": "production", "DEBUG": "true", "REPO": "ssh://deployer7@h and https://maintainer@h/"},
        "checks": [{"http": "https://ann:p%40ssword@h/x?token=of-the-url&limit=5", "timeout": 5.0}],
        "headers": {"Authorization": SecretStr("Bearer of-the-header"), "Accept": SecretStr("application/json")},
        "signals": ({"prometheus": "http://lonely-t0ken@h/metrics?sig=of-the-query"},),
        "PRIVATE_KEY": "first line\nsecond line\n",
    }
    redactor = Redactor(secrets_in(values))
    for secret in (
        "abc-123", "p%40ssword", "p@ssword", "of-the-url", "of-the-header", "lonely-t0ken", "of-the-query",
        "second line",
    ):  # fmt: skip
        assert redactor.redact_text(f"it printed {secret} again") == f"it printed {MASK} again"
    for ordinary in ("production", "true", "1", "Disabled", "application/json", "5.0", "deployer7", "maintainer"):
        assert redactor.redact_text(f"it printed {ordinary} again") == f"it printed {ordinary} again"


def test_the_longest_known_secret_wins() -> None:
    assert Redactor(["secret", "secret-and-more"]).redact_text("secret-and-more secret") == "*** ***"


@given(
    st.lists(st.text(st.characters(exclude_characters="* "), min_size=6, max_size=12), max_size=4),
    st.lists(PIECES, max_size=4),
)
def test_no_known_secret_survives(secrets: list[str], around: list[str]) -> None:
    redactor = Redactor(secrets)
    masked = redactor.redact_text(" ".join([*around, *secrets, *around]))
    ordinary = ("default", "development", "disabled", "enabled", "optional", "production", "required", "staging")
    assert [secret for secret in secrets if secret in masked and secret.lower() not in ordinary] == []


@given(st.lists(PIECES | st.text(st.characters(), max_size=6) | st.just("\ud800"), max_size=6).map("".join))
def test_what_comes_out_can_be_written_to_any_file(text: str) -> None:
    """Half a character, as JSON's \\ud800 gives one, has no UTF-8; everything else of the text stays."""
    redact_text(text).encode()


def test_half_a_character_is_replaced_and_the_rest_stays() -> None:
    assert redact_text("disk \ud800 is full, sagt Jörg") == "disk \N{REPLACEMENT CHARACTER} is full, sagt Jörg"


def test_a_path_that_ends_in_a_secrets_word_is_no_secret() -> None:
    text = "cannot start '/etc/passwd': '/etc/passwd' is not executable; run 'chmod +x' on it"
    assert redact_text(text) == text
    assert redact_text("'/prod/db/password': '/hunter2/x'") == "'/prod/db/password': '***'"
