"""What is a verb of the command line?

A name of one or two words, what it takes, and a function that returns the exit code. Each file of this room holds the
verbs of one group and exports them as `GROUP`; `cli.__init__` lists the groups. Nothing heavy is imported at the top
of these files: `selfheal status` has to answer in a blink.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from selfheal.errors import SelfhealError

# The exit codes that scripts may rely on, beside 0; those of refusals and errors are attributes of the errors.
FAILED, WRONG_USE, NOT_WELL, INTERRUPTED = 1, 2, 3, 130

Argument = Callable[[ArgumentParser], None]


class Verb(NamedTuple):
    """One verb. `takes` add its arguments to a parser; `example` is shown by --help, without the program's name."""

    name: str
    summary: str
    example: str
    run: Callable[[Namespace], int]
    takes: tuple[Argument, ...] = ()


class Group(NamedTuple):
    """Verbs that belong together, as the overview shows them."""

    title: str
    verbs: tuple[Verb, ...]


class WrongUse(SelfhealError):
    """What was asked for cannot be meant."""

    exit_code = WRONG_USE


def the_daemon(parser: ArgumentParser) -> None:
    """Where the daemon is, for the verbs that talk to it."""
    by_default = "by default by SELFHEAL_STATE_DIR, the file of SELFHEAL_CONFIG, ./selfheal.toml, or ./state"
    place = parser.add_argument_group("finding the daemon", by_default)
    place.add_argument("--state-dir", type=a_path, metavar="DIR", help="its state directory")
    place.add_argument("--url", metavar="URL", help="its address, with SELFHEAL_TOKEN, when it is elsewhere")


def as_json(parser: ArgumentParser) -> None:
    """For the verbs that print facts."""
    parser.add_argument("--json", action="store_true", help="print the facts as one JSON document")


def named(name: str, help_text: str, *, optional: bool = False, many: bool = False) -> Argument:
    """A positional argument; with `many`, one or more of them."""

    def add(parser: ArgumentParser) -> None:
        how_many = "?" if optional else "+" if many else None
        parser.add_argument(name.lower(), metavar=name, help=help_text, nargs=how_many)

    return add


def an_incident(parser: ArgumentParser) -> None:
    """Which incident; 7 says inc-7."""
    parser.add_argument(
        "incident", type=incident_id, metavar="INCIDENT", help="its id or number, as 'selfheal incidents' shows it"
    )


def incident_id(text: str) -> str:
    """Read the id of an incident, or only its number."""
    return f"inc-{text}" if text.isascii() and text.isdigit() else text


def limit(parser: ArgumentParser) -> None:
    """For lists: how many of the latest."""
    parser.add_argument(
        "-n", "--limit", type=count, default=20, metavar="N", help="at most so many, of 1000 at most (20)"
    )


def a_path(text: str) -> Path:
    """Read a path. An empty one, which an unset variable of a shell leaves, would mean the folder one stands in."""
    if not text:
        raise ArgumentTypeError("it is empty; write a path, or leave the option out")
    return Path(text)


def count(text: str) -> int:
    """Read a whole number above zero."""
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def how_many(text: str) -> int:
    """Read a whole number, which may be nothing."""
    return 0 if text.isascii() and text.isdigit() and int(text) == 0 else count(text)


def seconds(text: str) -> float:
    """Read a number of seconds above zero, with or without its unit."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    try:
        value = float(text[:-1]) * units[text[-1]] if text[-1:] in units else float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not a duration; write seconds such as 45, or 45s, 2m, 1h")
    return value
