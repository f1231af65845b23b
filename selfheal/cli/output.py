"""How do facts look on a terminal?

Data goes to stdout, words about it to stderr. Colour only where a person looks at it: NO_COLOR, FORCE_COLOR,
TERM=dumb and a stream that is no terminal decide, in this order. A state is never told by colour alone.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Literal, NamedTuple, TextIO

from selfheal.errors import SelfhealError

Tone = Literal["plain", "strong", "quiet", "good", "uneasy", "bad", "busy"]

_SGR: Mapping[Tone, str] = {
    "plain": "", "strong": "1", "quiet": "2", "good": "32", "uneasy": "33", "bad": "31", "busy": "36",
}  # fmt: skip

# Agent and incident states, fleet status: the tone and the mark of each.
_STATES: Mapping[str, tuple[Tone, str]] = {
    "ok": ("good", "●"),
    "healthy": ("good", "●"),
    "resolved": ("good", "✔"),
    "succeeded": ("good", "✔"),
    "done": ("good", "✔"),
    "starting": ("busy", "◌"),
    "recovering": ("busy", "↻"),
    "doing": ("busy", "↻"),
    "planned": ("busy", "◌"),
    "verifying": ("busy", "↻"),
    "degraded": ("uneasy", "▲"),
    "waiting_approval": ("uneasy", "?"),
    "maintenance": ("quiet", "⏸"),
    "stopped": ("quiet", "■"),
    "suppressed": ("quiet", "■"),
    "called_off": ("quiet", "■"),
    "skipped": ("uneasy", "▲"),
    "unhealthy": ("bad", "✖"),
    "quarantined": ("bad", "✖"),
    "escalated": ("bad", "✖"),
    "critical": ("bad", "✖"),
    "open": ("bad", "✖"),
    "failed": ("bad", "✖"),
    "relapsed": ("bad", "✖"),
    "timed_out": ("bad", "✖"),
}

# Everything that could move the cursor or speak to the terminal; what agents write is not ours to trust.
_CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


class Cell(NamedTuple):
    """A piece of text with its tone."""

    text: str
    tone: Tone = "plain"


def coloured(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether `stream` gets colours."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return environment.get("TERM") != "dumb" and stream.isatty()


def paint(cell: Cell, colour: bool) -> str:
    """The cell's text on one line, harmless to a terminal, in the colour of its tone."""
    text, code = _on_one_line(cell), _SGR[cell.tone]
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code and text else text


def plain(text: str) -> str:
    """Take out of `text` what would speak to the terminal instead of the person."""
    return _CONTROL.sub("", text)


def _on_one_line(cell: Cell) -> str:
    return " ".join(plain(cell.text).split("\n"))


def state(word: str) -> Cell:
    """A state with its mark and its tone."""
    tone, mark = _STATES.get(word, ("plain", "·"))
    return Cell(f"{mark} {word.replace('_', ' ')}", tone)


def table(header: Sequence[str], rows: Iterable[Sequence[Cell | str]], colour: bool) -> list[str]:
    """Lines with aligned columns; the last column is not padded."""
    lines = [[Cell(title, "quiet") for title in header]]
    lines += [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    widths = [max(len(_on_one_line(row[column])) for row in lines) for column in range(len(header))]
    return [_aligned(row, widths, colour) for row in lines]


def _aligned(row: Sequence[Cell], widths: Sequence[int], colour: bool) -> str:
    cells = [
        paint(cell, colour) + " " * (width - len(_on_one_line(cell))) for cell, width in zip(row, widths, strict=True)
    ]
    return "  ".join(cells).rstrip()


def show(*lines: str) -> None:
    """Print data."""
    with to_stdout():
        for line in lines:
            print(line)


def say(text: str) -> None:
    """Print words about the data, for a person. Where nobody can be told, nobody is."""
    with suppress(OSError):
        print(text, file=sys.stderr)


@contextmanager
def to_stdout() -> Iterator[None]:
    """Print data in here: raises StdoutUnusable where it cannot be; that the reader has gone is no error."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as why:
        raise StdoutUnusable(why.strerror or str(why)) from why


class StdoutUnusable(SelfhealError):
    """Facts were to be printed, and went nowhere."""

    def __init__(self, why: str) -> None:
        super().__init__(f"cannot write to stdout: {why}; send it to a file with room, or to a terminal")


def show_table(header: Sequence[str], rows: Sequence[Sequence[Cell | str]], nothing: str) -> None:
    """Print a table; where it has no rows, say `nothing` instead."""
    if rows:
        show(*table(header, rows, coloured(sys.stdout)))
    else:
        say(nothing)


def show_json(document: object) -> None:
    """Print one JSON document."""
    with to_stdout():
        json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
        print()


def duration(seconds: float) -> str:
    """A duration as a person says it: "20 ms", "1.3 s", "45 s", "3 m 12 s", "2 h 5 m", "4 d 3 h"."""
    if seconds < 0.9995:  # what rounds to 1000 ms is a second
        shown = max(0.0, seconds) * 1000
        return f"{shown:.0f} ms" if shown >= 9.95 else f"{shown:.2g} ms"
    if seconds < 9.95:  # and what rounds to 10.0 a whole number of them
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} m {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} m"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def age(since: datetime | None, now: datetime) -> str:
    """How long ago. The daemon tells its time in whole seconds, so that less than one says nothing."""
    if since is None:
        return "-"
    seconds = (now - since).total_seconds()
    return duration(seconds) if seconds >= 1 else "< 1 s"


def size(count: float) -> str:
    """Bytes as a person says them, in powers of 1000."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}" if count < 1000 * scale else f"{count / scale:.0f} {unit}"
    return f"{count:.0f} B"


def share(value: float) -> str:
    """A probability in percent. Nothing is certain: what would round to 100 % is told as what it is."""
    return f"{100 * value:.0f} %" if value < 0.995 else "over 99 %"


def counted(count: int, noun: str) -> str:
    """So many of something: "1 agent", "2 agents"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def clock_time(moment: datetime, now: datetime) -> str:
    """Local wall time; the day with it where it was not today."""
    local = moment.astimezone()
    form = "%H:%M:%S" if local.date() == now.astimezone().date() else "%Y-%m-%d %H:%M:%S"
    return local.strftime(form)


def at(epoch: float) -> datetime:
    """Seconds since the epoch as a moment."""
    return datetime.fromtimestamp(epoch, UTC)
