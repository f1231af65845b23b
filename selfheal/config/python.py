"""Which program does a command let the Python interpreter run, and what is the name of a module?

The options of a command are left as they are: only what comes after them tells a script from a module.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_INTERPRETER = re.compile(r"(?:.*/)?(?:python|pypy)[0-9.]*t?")
_FLAGS = frozenset("bBdEIOPqRsSuvx")  # stand alone, or together in one word


@dataclass(frozen=True, slots=True)
class PythonCommand:
    """`interpreter` is its path and its options; `target` the script or the module."""

    interpreter: tuple[str, ...]
    way: Literal["script", "module"]
    target: str
    arguments: tuple[str, ...]


def python_command(words: Sequence[str]) -> PythonCommand | None:
    """The parts of a command that runs a Python script or module; None for any other."""
    if not words or not _INTERPRETER.fullmatch(words[0]):
        return None
    at = 1
    while at < len(words):
        word = words[at]
        if word == "-m":
            if at + 1 == len(words):
                return None
            return PythonCommand(tuple(words[:at]), "module", words[at + 1], tuple(words[at + 2 :]))
        if not word.startswith("-"):
            return PythonCommand(tuple(words[:at]), "script", word, tuple(words[at + 1 :]))
        taken = _option(word)
        if not taken:
            return None
        at += taken
    return None


def module_name(value: str) -> str:
    """A module as an import statement names it. Raises ValueError for anything else."""
    if not all(part.isidentifier() for part in value.split(".")):
        raise ValueError(f"{value!r} is not the name of a module; write it as after 'import': 'package.module'")
    return value


def _option(word: str) -> int:
    """How many words an option takes; 0 for one after which no script or module is run, or that is not known."""
    if word == "--check-hash-based-pycs":
        return 2
    for at, letter in enumerate(word[1:], start=1):
        if letter in "WX":
            return 1 if word[at + 1 :] else 2
        if letter not in _FLAGS:
            return 0
    return 1 if word[1:] else 0
