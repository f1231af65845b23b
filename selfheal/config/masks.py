"""What must not be shown of a value of the configuration?

This is about places: an environment, a header, what is sent, the word after an option may be a secret whatever it
looks like, and is masked. Names and looks that tell a secret anywhere are the redactor's to know, which is given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from pydantic import SecretStr

from selfheal.config.lines import KeyPath

MASK = "***"

Redact = Callable[[object], object]
"""Masks the secrets that names and looks tell, in texts and in tables."""

# What an agent or a server is given. What an answer is expected to hold is none of it.
_GIVEN = frozenset({"environment", "headers", "body", "send"})
# Ports, addresses and switches, which are no secrets wherever they stand.
_PLAIN = re.compile(r"(?:[0-9]{1,5}(?:[.:][0-9]{1,5}){0,8}|true|false|yes|no|on|off)?", re.IGNORECASE)

# Options of curl, mysql, redis-cli and their like whose names do not tell what comes after them.
_OPTION = r"-[Hupa]|--(?:proxy-)?(?:user|header)|--pass|--auth"
_TAKES_SECRET = re.compile(_OPTION)
_TAKEN = re.compile(rf"(?<!\S)({_OPTION})(\s+|=)(\"[^\"]*\"|'[^']*'|\S+)")
_USER_AND_PASSWORD = re.compile(r"(?<!\S)(-u[^\s:]+:)\S+")
_GLUED = re.compile(r"(?<!\S)-p(?=\S)\S+")
_WITH_GLUED = re.compile(r"mysql|mariadb|sshpass")

_USER_IN_URL = re.compile(r"(?<=://)[^/?#\s@]+(?=@)")
# Who knows such a URL may post there.
_WEBHOOK = re.compile(
    r"((?:hooks\.slack\.com|api\.telegram\.org|discord(?:app)?\.com/api/webhooks|hooks\.zapier\.com|hc-ping\.com"
    r"|chat\.googleapis\.com|maker\.ifttt\.com|outlook\.office\.com/webhook|[\w.-]+\.webhook\.office\.com)/)[^\s\"'<>]+"
)


def masked(value: object, path: KeyPath, redact: Redact) -> object:
    """Return the value at `path` as JSON has it, with everything secret in it masked."""
    match value:
        case None | bool() | int() | float():
            return value
        case SecretStr():
            return MASK
        case Mapping():
            return {str(key): masked(part, (*path, str(key)), redact) for key, part in value.items()}
        case tuple() | list() if path[-1] == "command":
            return _command([str(word) for word in value], redact)
        case tuple() | list():
            return [masked(part, path, redact) for part in value]
        case _:
            text = _unless_plain(str(value)) if _is_given(path) else str(value)
            return _text(str(path[-1]), text, redact)


def _is_given(path: KeyPath) -> bool:
    return path[4:5] != ("expect",) and not _GIVEN.isdisjoint(path[2:])  # agents.NAME.checks[0].expect


def _unless_plain(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else MASK


def _command(words: Sequence[str], redact: Redact) -> list[object]:
    glued = _WITH_GLUED.search(" ".join(words)) is not None
    shown: list[object] = []
    for before, word in pairwise(("", *words)):
        if _TAKES_SECRET.fullmatch(before):
            shown.append(_unless_plain(word))
        else:
            name = before if before.startswith("-") and "=" not in before else ""
            shown.append(_text(name, _GLUED.sub(f"-p{MASK}", word) if glued else word, redact))
    return shown


def _text(name: str, text: str, redact: Redact) -> object:
    """Mask what is secret in a text that stands under a name: that of a key, or of the option before it."""
    text = _TAKEN.sub(lambda found: f"{found[1]}{found[2]}{_unless_plain(found[3])}", text)
    text = _USER_AND_PASSWORD.sub(rf"\1{MASK}", text)
    text = _WEBHOOK.sub(rf"\1{MASK}", _USER_IN_URL.sub(MASK, text))
    shown = redact({name: text})
    return next(iter(shown.values())) if isinstance(shown, dict) else MASK
