"""What must nobody read who reads our words?

Masks secrets in text and in values: by the name they stand under, by how they look, and (`Redactor`) by knowing them.
Masking twice changes nothing, and a line without a secret comes back as it went in. Whatever came from outside passes
here before it becomes an event or a line of the log, so what no file could hold is taken out here too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import quote, unquote

from pydantic import SecretStr

MASK = "***"

_MIN_KNOWN = 6  # shorter values are words as often as secrets: masking them everywhere would garble the logs
# And these are words of many lines, though they may stand under the name of a secret: API_KEY=disabled, say.
_NO_SECRETS = frozenset({
    "default", "development", "disabled", "enabled", "optional", "production", "required", "staging",
})  # fmt: skip
_MAX_DEPTH = 12  # deeper values are cut, so that one that holds itself does not end the daemon

_SECRET_WORDS = frozenset({
    "token", "password", "passwords", "passwd", "passphrase", "secret", "secrets", "credential", "credentials",
    "cookie", "cookies", "authorization", "dsn", "apikey", "apikeys",
})  # fmt: skip
# What makes a `key` a secret: a primary key, a cache key or the key of a setting is none.
_SECRET_KEYS = frozenset({
    "api", "secret", "private", "access", "signing", "encryption", "auth", "master", "account", "license",
    "service", "ssh", "deploy", "client",
})  # fmt: skip
# `token_count` and `password_file` tell about a secret, they are none.
_HARMLESS_LAST = frozenset({
    "age", "at", "backend", "budget", "class", "count", "dir", "directory", "enabled", "error", "errors",
    "expired", "expires", "expiry", "field", "file", "format", "header", "index", "kind", "len", "length",
    "lifetime", "limit", "manager", "max", "min", "name", "names", "path", "policy", "provider", "rate",
    "required", "s", "seconds", "size", "state", "status", "store", "total", "ttl", "type", "usage", "used",
    "version",
})  # fmt: skip
# Words that were glued to others: PGPASSWORD, authtoken, secretkey.
_GLUED = ("password", "passwd", "passphrase", "secret", "token", *(f"{word}key" for word in _SECRET_KEYS))
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

# After `password:` these begin a sentence about it.
_PROSE = (
    r"(?:are|be|but|can|cannot|denied|empty|expected|expired|failed|false|field|for|from|has|have|in|int|invalid|is|"
    r"missing|must|none|not|null|ok|or|required|should|str|string|true|undefined|unexpected|unknown|unset|was|with)"
)
# A name that may be a secret's has one of these in it; looked for in lower case.
_SMELL = re.compile(r"token|passw|passp|[_-]pass|[_-]pwd?|secret|credential|cookie|authoriz|dsn|key")
_SMELL_HINTS = ("token", "pass", "pw", "secret", "credential", "cookie", "authoriz", "dsn", "key")
_NAME_LENGTH = 64  # longer ones are no names
_REST_OF_NAME = re.compile(r"[\w.-]{0,64}+(?:(?P<sep>\\*[\"']?[ \t]*(?:=>|[=:](?![=:]))[ \t]*)|[ \t]+(?![ \t-]))")
_VALUE = re.compile(
    r'"(?:[^"\\]|\\.)*"'  # as JSON writes it,
    r'|\\+"(?:(?!\\+").)*\\+"'  # JSON inside of JSON,
    r"|'(?:[^'\\]|\\.)*'"  # Python's repr,
    rf"|(?!(?i:{_PROSE})(?![\w-]))[\"']?(?:(?i:bearer|basic|token)[ ]+)?"  # a scheme and one word, but no sentence
    r"(?:[^\s&,;\"'\\()\[\]{}<>|]|[,;](?!\s|$|[\w.-]+=)|[\[{(<](?=[^\s\"'])|(?<=[^\s\"'])[\])}>](?=\w))+"
)
_REST_OF_LINE = re.compile(r"[^\r\n\"'\\]+")


class _Look(NamedTuple):
    """How a kind of secret looks. A text without any of `hints` (in lower case) holds none."""

    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    mask: str


_PREFIXES = (
    "sk-", "rnd_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_", "glpat-", "xox", "akia", "asia", "aiza", "eyj",
)  # fmt: skip
# The user of a URL of the web without a password: as a rule a token. What is short and has no digit is a name.
_LONE_USER = r"(?:(?=[^\s/?#@:\"'<>]*\d)[^\s/?#@:\"'<>]{6,}|[^\s/?#@:\"'<>]{9,})"
_PARAMETER = r"(?:key|sig|code|pass|pw|pwd|auth|(?:[\w-]{0,32}-)?signature)"
_LOOKS = (
    _Look(
        ("private key",),
        re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(?:-----END [A-Z0-9 ]*-----|\Z)", re.DOTALL),
        MASK,
    ),
    _Look(("://",), re.compile(r"://([^\s/?#@:\"'<>]*):[^\s/?#\"'<>]+@"), rf"://\1:{MASK}@"),
    _Look(("://",), re.compile(rf"(?i)(https?://){_LONE_USER}@"), rf"\1{MASK}@"),
    _Look(("bot",), re.compile(r"bot(?<![A-Za-z0-9]bot)(\d{3,}):[\w-]{5,}"), rf"bot\1:{MASK}"),
    _Look((":",), re.compile(r":(?<=\d{6}:)[\w-]{30,}"), f":{MASK}"),
    _Look(("hooks.slack",), re.compile(r"hooks\.slack\.com/services/[\w/]+"), f"hooks.slack.com/services/{MASK}"),
    _Look(("/webhooks/",), re.compile(r"/webhooks/(\d+)/[\w-]+"), rf"/webhooks/\1/{MASK}"),
    _Look(("?", "&"), re.compile(rf"(?i)([?&]{_PARAMETER}=)[^\s&#\"'<>]+"), rf"\1{MASK}"),
    # In a connection string; a shell's PWD holds a path.
    _Look(("pwd",), re.compile(r"(?i)(;[ ]{0,8}pwd[ ]{0,8}=[ ]{0,8})(?![/~$])[^;\s\"']+"), rf"\1{MASK}"),
    _Look(("pwd",), re.compile(r"(?i)(?<![\w.-])(pwd=)(?![/~$])[^;\s\"']{1,128}(?=;)"), rf"\1{MASK}"),
    _Look(
        ("bearer ",),
        re.compile(r"(?i)(?<![\w-])(bearer)[ ]+(?!(?:auth|scheme|token)\w*(?![\w-])|\w+=[\"'])(?=\S{6})[\w.~+/-]+=*"),
        rf"\1 {MASK}",
    ),
    _Look(
        _PREFIXES,
        re.compile(
            r"(?<![A-Za-z0-9_-])(?:sk-[\w-]{8,}|rnd_\w{8,}|gh[pousr]_\w{16,}|github_pat_\w{16,}|xox[abeprs]-[\w-]{8,}"
            r"|A[KS]IA[0-9A-Z]{16}|AIza[\w-]{30,}|glpat-[\w-]{16,}|eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?)"
        ),
        MASK,
    ),
)
# As the looks above, with the secret in a group; a user without a digit may be a name that stands in every line.
_IN_URL = re.compile(rf"://[^\s/?#@:]*:([^\s/?#]+)@|(?i:https?)://(?=[^\s/?#@:]*\d)({_LONE_USER})@")
_IN_QUERY = re.compile(r"[?&]([\w.-]{1,64})=([^\s&#\"'<>]+)")
_SCHEME = re.compile(r"(?i)(?:bearer|basic|token)[ ]+")
# Half a character, which JSON's \ud800 and odd bytes leave behind: no UTF-8 can hold it, and so no journal.
_HALF = re.compile("[\ud800-\udfff]")
# Most values of a log line: too short for any of these looks, and without a name in front.
_SHORT_WORD = re.compile(r"(?!sk-)[\w.-]{0,11}")
_TO_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def redact_text(text: str) -> str:
    """Return `text` with everything that looks like a secret masked."""
    if _SHORT_WORD.fullmatch(text):
        return text
    if not text.isascii():
        text = _HALF.sub("\N{REPLACEMENT CHARACTER}", text)
    for _ in range(4):  # masking one may lay another bare; in practice the second time finds nothing
        masked = _mask_once(text)
        if masked == text:
            break
        text = masked
    return text


def redact(value: object) -> object:
    """Return `value` with all secrets in it masked, whatever stands under the name of a secret among them.

    Mappings and sequences come back as plain ones. Any other object is replaced by its masked `repr` if that shows
    a secret, and is left alone otherwise.
    """
    return _redact(value, redact_text, 0)


class Redactor:
    """Masks also the secrets that it was told, wherever they occur and however they are quoted."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self._known: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these from now on as well. What was a secret once stays one: it may still turn up."""
        telling = (secret for secret in secrets if secret.lower() not in _NO_SECRETS)
        self._forms |= {form for secret in telling for form in _forms(secret) if len(form) >= _MIN_KNOWN}
        longest_first = sorted(self._forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], others: Iterable[str] = ()) -> Redactor:
        """Know the values of all variables that smell of a secret, passwords in URLs, and `others`."""
        return cls({*others, *secrets_in(environment)})

    def redact_text(self, text: str) -> str:
        """As the function of that name, and every known secret is masked."""
        return redact_text(self._known.sub(MASK, text) if self._known else text)

    def redact(self, value: object) -> object:
        """As the function of that name, and every known secret is masked."""
        return _redact(value, self.redact_text, 0)


@lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Whether what stands under `name` is a secret: a setting, a header, a variable, a field, in any spelling."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _HARMLESS_LAST:
        return False
    if not _SECRET_WORDS.isdisjoint(words) or any(word.endswith(_GLUED) for word in words):
        return True
    if len(words) > 1 and words[-1] in {"pass", "pw", "pwd"}:
        return True
    if name.isupper() and len(words) > 1 and words[-1] == "key":
        return True
    return any(word in _SECRET_KEYS and after in {"key", "keys"} for word, after in pairwise(words))


def secrets_in(value: object, name: str = "") -> Iterator[str]:
    """Find what must be known to be masked: whatever stands under the name of a secret, and secrets in URLs.

    `name` is that under which `value` stands. A secret of several lines gives each of them: logs come line by line.
    """
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from secrets_in(item, str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from secrets_in(item, name)
    elif isinstance(value, str):
        if is_secret_name(name):
            yield from (line.strip() for line in (value, *value.splitlines()))
            yield _SCHEME.sub("", value.strip())
        yield from (match[1] or match[2] for match in _IN_URL.finditer(value))
        yield from (match[2] for match in _IN_QUERY.finditer(value) if _is_secret_parameter(match[1]))


def _is_secret_parameter(name: str) -> bool:
    return is_secret_name(name) or re.fullmatch(_PARAMETER, name.lower()) is not None


def _mask_once(text: str) -> str:
    lower = _lower(text)
    masked = text
    for hints, pattern, mask in _LOOKS:
        for hint in hints:
            if hint in lower:
                masked = pattern.sub(mask, masked)
                break
    return _mask_named(masked, lower if masked == text else _lower(masked))


def _lower(text: str) -> str:
    """Return `text` in lower case with every letter in its place: some beyond ASCII would become two."""
    return text.lower() if text.isascii() else text.translate(_TO_LOWER)


def _mask_named(text: str, lower: str) -> str:
    """Mask the value of `name=value`, `name: value`, `"name": "value"` and `--name value` where the name says so."""
    if not any(map(lower.__contains__, _SMELL_HINTS)):
        return text
    parts: list[str] = []
    done = 0
    for smell in _SMELL.finditer(lower):
        found = _REST_OF_NAME.match(text, smell.end())
        if found is None or smell.start() < done:
            continue
        name = _name_from(text, smell.start(), found)
        if name is None:
            continue
        value = _value_at(text, found.end(), name, found["sep"])
        if value is not None and not value[0].strip("\"'\\").endswith(f"/{name}"):  # a path, told twice
            parts += text[done : found.end()], _masked(value[0])
            done = value.end()
    parts.append(text[done:])
    return "".join(parts)


def _name_from(text: str, start: int, rest: re.Match[str]) -> str | None:
    """Return the whole name that holds the smell at `start`, None where what follows it is no secret."""
    first = max(start - _NAME_LENGTH, 0)
    while start > first and (text[start - 1].isalnum() or text[start - 1] in "_.-"):
        start -= 1
    end = rest.start("sep") if rest["sep"] is not None else rest.end()
    name = text[start:end].rstrip()
    if rest["sep"] is None and not name.startswith("--"):
        return None
    if text.startswith("://", start - 3) or not is_secret_name(name):  # a user's name in a URL is none
        return None
    return name


def _value_at(text: str, start: int, name: str, separator: str | None) -> re.Match[str] | None:
    is_header = separator is not None and ":" in separator and name.lower().endswith(("cookie", "authorization"))
    is_quoted = text.startswith(('"', "'", "\\"), start)
    return (_REST_OF_LINE if is_header and not is_quoted else _VALUE).match(text, start)


def _masked(value: str) -> str:
    """Return the mask in the quotes of `value`, so that JSON stays JSON."""
    quoted = re.fullmatch(r"(\\*[\"']).*(\\*[\"'])", value, re.DOTALL)
    if quoted is None:
        return MASK
    return f"{quoted[1]}{MASK}{quoted[1]}"


def _redact(value: object, text: Callable[[str], str], depth: int) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return text(value)
    if depth >= _MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        masked = [(_plain_key(key, text), item) for key, item in value.items()]
        return {key: _redact_under(key, item, text, depth) for key, item in masked}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact(item, text, depth + 1) for item in value]
    shown = repr(value)
    telling = text(shown)
    return value if telling == shown else telling


def _plain_key(key: object, text: Callable[[str], str]) -> object:
    return text(key) if isinstance(key, str) else key


def _redact_under(key: object, item: object, text: Callable[[str], str], depth: int) -> object:
    secret = isinstance(key, str) and is_secret_name(key)
    if secret and item is not None and not isinstance(item, bool) and item != "":
        return MASK
    return _redact(item, text, depth + 1)


def _forms(secret: str) -> Iterator[str]:
    """The ways in which `secret` may be written: plain, in a URL, in JSON; and what it is where it came from a URL."""
    for plain in {secret, unquote(secret), _HALF.sub("\N{REPLACEMENT CHARACTER}", secret)}:
        yield from (plain, quote(plain, safe="", errors="replace"), json.dumps(plain)[1:-1])
