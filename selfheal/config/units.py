"""How are durations, sizes, commands and times spelt?

Each reader takes what stands in the file and returns the plain value, or raises ValueError with "what is wrong; what
would be right". What has the wrong type altogether is refused here too, so that the cure names the unit.
"""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, Field, Strict, WithJsonSchema

from selfheal.config.address import check_address, check_host, check_url

_MILLISECONDS = {"ms": 1, "s": 1_000, "": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_BYTES = {
    "": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
_NUMBER = r"\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*"  # bounded, so that no spelling can overflow what comes after
_DURATION = re.compile(_NUMBER + r"(ms|s|m|h|d|)\s*")
_SIZE = re.compile(_NUMBER + r"([KMGT]i?B|B|)\s*", re.IGNORECASE)

_TEN_YEARS = 3650 * 86400.0  # longer is a slip of the pen, and `now` plus it stays a date that can be written
_LARGEST_FILE = 2**63 - 1  # what the kernel can count
_CRON_FIELDS = 5
_SOME_DAY = datetime(2024, 1, 1, tzinfo=UTC)  # a leap year, so that 29 February comes soon


def seconds(value: object) -> object:
    """Read a duration: a number of seconds, or a number with ms, s, m, h or d."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            f"{brief(value)} is not a duration; write seconds, or a number with ms, s, m, h or d such as '30s'"
        )
    return float(Decimal(match[1]) * _MILLISECONDS[match[2]] / 1000)


def byte_count(value: object) -> object:
    """Read a size: a number of bytes, or a number with KB, MB, GB, TB (powers of 1000) or KiB … TiB (of 1024)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{brief(value)} is not a size; write bytes, or a number with KB, MB, GB, KiB, MiB or GiB")
    return int(Decimal(match[1]) * _BYTES[match[2].upper()])


def words(value: object) -> object:
    """Read a command: a list of words, or a string split as a shell splits words. No shell is ever started."""
    if isinstance(value, list | tuple):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{brief(value)} is not a command; write a list of words, or one string")
    try:
        return shlex.split(value)
    except ValueError as why:
        raise ValueError(f"the command cannot be split into words ({why}); close the quote or write a list") from why


def _with_program(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or not value[0].strip():
        raise ValueError("it names no program; write the program first, then its arguments")
    return value


def not_empty(value: object) -> object:
    """Refuse a path without a letter: it would mean the folder of the file."""
    if value == "":
        raise ValueError("it is empty; write a path, or take the line out")
    return value


def cron(value: str) -> str:
    """Return `value` where it is a cron expression of five fields that comes true some day."""
    try:
        good = len(value.split()) == _CRON_FIELDS and next(CronSim(value, _SOME_DAY), None) is not None
    except (CronSimError, ValueError) as why:  # ValueError: a number of thousands of digits
        raise ValueError(f"{brief(value)} is not a cron expression ({why}); {_CRON_CURE}") from why
    if not good:
        raise ValueError(f"{brief(value)} has not {_CRON_FIELDS} fields, or names a day that never comes; {_CRON_CURE}")
    return value


_CRON_CURE = "write minute, hour, day of month, month and day of week such as '0 3 * * sun'"


def mask(value: str) -> str:
    """Return `value` where it is a file mode mask in octal that leaves the owner what he needs."""
    if _MASK.fullmatch(value) is None:
        raise ValueError(f"{brief(value)} is not a umask; write it in octal and in quotes, such as '027'")
    if int(value, 8) & _OWNERS:
        raise ValueError(f"{brief(value)} would keep the owner from its own files; leave the owner's digit 0")
    return value


_MASK = re.compile(r"0?[0-7]{3}")
_OWNERS = 0o700


def zone(value: str) -> str:
    """Return `value` where it names a time zone that this machine knows. UTC needs no zone data."""
    try:
        if value != "UTC":
            ZoneInfo(value)
    except (KeyError, ValueError, OSError) as why:  # OSError: "Europe" is a folder, and some names are too long
        raise ValueError(f"{brief(value)} is no time zone known here; write one such as 'Europe/Berlin'") from why
    return value


def brief(value: object) -> str:
    """Show a value of the file in a message: scalars as they are written, the rest by what they are."""
    match value:
        case dict():
            return "a table"
        case list() | tuple():
            return "a list"
        case bool():
            return str(value).lower()
        case str() | int() | float():
            text = repr(value)
            return text if len(text) <= _BRIEF else text[: _BRIEF - 1] + "…"
        case _:
            return str(value)


_BRIEF = 80  # a message stays on a line or two


def _schema(kind: str, unit: str, spelling: str, example: str) -> WithJsonSchema:
    ways = [{"type": kind, "description": unit}, {"type": "string", "description": spelling}]
    return WithJsonSchema({"anyOf": ways, "examples": [example]})


Duration = Annotated[
    float,
    BeforeValidator(seconds),
    Field(ge=0, le=_TEN_YEARS, allow_inf_nan=False),
    _schema("number", "seconds", "a number with ms, s, m, h or d", "30s"),
]
Size = Annotated[
    int,
    BeforeValidator(byte_count),
    Field(gt=0, le=_LARGEST_FILE),
    _schema("integer", "bytes", "a number with KB, MB, GB, TB or KiB, MiB, GiB, TiB", "400MB"),
]
Command = Annotated[
    tuple[str, ...],
    BeforeValidator(words),
    AfterValidator(_with_program),
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "string"}, "minItems": 1}, {"type": "string"}]}),
]
Place = Annotated[Path, BeforeValidator(not_empty)]
Address = Annotated[str, AfterValidator(check_address)]
Host = Annotated[str, AfterValidator(check_host)]
Url = Annotated[str, AfterValidator(check_url)]
Cron = Annotated[str, AfterValidator(cron)]
Zone = Annotated[str, AfterValidator(zone)]
Mask = Annotated[str, Strict(), AfterValidator(mask)]

# TOML says what is a number and what is true: "3" is not 3, and true is not 1.
Count = Annotated[int, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Flag = Annotated[bool, Strict()]
