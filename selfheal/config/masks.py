"""What must not be shown of a value?"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import SecretStr

MASK = "********"

_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|KEY|DSN|CREDENTIAL|AUTHORIZATION|COOKIE|WEBHOOK", re.IGNORECASE
)
_USER_IN_URL = re.compile(r"(?<=://)[^/?#\s@]+(?=@)")
_ASSIGNED = re.compile(rf"(?i)([\w.-]*(?:{_SECRET_NAME.pattern})[\w.-]*=)([^&#\s]+)")


def is_secret_name(name: str) -> bool:
    """Whether a key, a variable or an option of this name is likely to hold a secret."""
    return _SECRET_NAME.search(name) is not None


def masked_text(text: str) -> str:
    """Mask what is secret inside a text: the user of a URL, and what is assigned to a name that smells of a secret."""
    return _ASSIGNED.sub(rf"\1{MASK}", _USER_IN_URL.sub(MASK, text))


def masked(value: object, name: str = "") -> object:
    """Return `value` as JSON has it, called `name`, with everything secret in it masked."""
    match value:
        case None | bool() | int() | float():
            return value
        case SecretStr():
            return MASK
        case str():
            return MASK if value and is_secret_name(name) else masked_text(value)
        case Mapping():
            return {str(key): masked(part, str(key)) for key, part in value.items()}
        case tuple() | list():
            return [
                masked(part, before or name) for before, part in zip(("", *map(_option, value)), value, strict=False)
            ]
        case _:
            return masked_text(str(value))


def _option(word: object) -> str:
    """The name of an option of a command, whose value is the word after it."""
    return word if isinstance(word, str) and word.startswith("-") and "=" not in word else ""
