"""What does the file say, as tables that nobody has judged yet?"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from selfheal.config.origins import Table
from selfheal.errors import ConfigInvalid, Problem

_DEEPEST = 32  # tables in tables; deeper than any key goes, and shallow enough for every walk to recurse
_LARGEST_BYTES = 8_000_000  # a thousand agents take half a megabyte; more is no configuration


def read_text(path: Path) -> str:
    """Return the text of the file, without the mark that some editors put before it. Raises ConfigInvalid."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
    except (OSError, ValueError) as why:  # ValueError: a NUL in the name
        reason = why.strerror if isinstance(why, OSError) else str(why)
        cure = "name a file that can be read, with --config or SELFHEAL_CONFIG"
        raise ConfigInvalid((Problem(str(path), None, "file", f"cannot be read: {reason}", cure),)) from why
    if len(data) > _LARGEST_BYTES:
        cure = f"name a configuration of at most {_LARGEST_BYTES} bytes"
        raise ConfigInvalid((Problem(str(path), None, "file", "it is too large", cure),))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as why:
        line = data.count(b"\n", 0, why.start) + 1
        raise ConfigInvalid((Problem(str(path), line, "file", "this line is not UTF-8", "save it as UTF-8"),)) from why


def parse(text: str, name: str) -> Table:
    """Return the tables of a TOML text. `name` is how messages call the file. Raises ConfigInvalid."""
    try:
        table: Table = tomllib.loads(text)
    except RecursionError as why:
        raise _too_deep(name) from why
    except ValueError as why:
        raise ConfigInvalid((_syntax(str(why), text, name),)) from why
    _refuse_unusable(table, name)
    return table


def _syntax(message: str, text: str, name: str) -> Problem:
    """Say what the parser says, with the line that it names at the end of its message."""
    match = re.fullmatch(r"(.*) \((?:at line (\d+), column (\d+)|at end of document)\)", message, re.DOTALL)
    if match is None:  # the parser converts numbers itself, and Python refuses thousands of digits
        return Problem(name, None, "syntax", "a number has too many digits", "write a smaller one")
    wrong = match[1][:1].lower() + match[1][1:] + (f" at column {match[3]}" if match[3] else " at the end of the file")
    line = int(match[2]) if match[2] else text.count("\n") + 1
    return Problem(name, line, "syntax", wrong, "strings stand in quotes, tables begin with [name], lists end with ]")


def _refuse_unusable(table: Table, name: str) -> None:
    """Refuse what no value may be, before anything walks the tables."""
    level: list[object] = [table]
    for _ in range(_DEEPEST):
        parts = [part for value in level if isinstance(value, dict) for entry in value.items() for part in entry]
        parts += [part for value in level if isinstance(value, list) for part in value]
        if any(isinstance(part, str) and "\0" in part for part in parts):
            cure = "take it out; neither commands nor paths can hold one"
            raise ConfigInvalid((Problem(name, None, "syntax", "a text holds a NUL character", cure),))
        if not parts:
            return
        level = parts
    raise _too_deep(name)


def _too_deep(name: str) -> ConfigInvalid:
    cure = f"use at most {_DEEPEST} levels"
    return ConfigInvalid((Problem(name, None, "syntax", "tables and lists are nested too deep", cure),))
