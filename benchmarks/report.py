"""How are measurements shown and kept?

A table for who looks on, and a JSON file with the date and the machine for who compares. What was promised stands
beside what was measured, also where it was missed.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NamedTuple

RESULTS = Path(__file__).parent / "results"

Cell = str | int | float | None
Figures = Mapping[str, float | None]
"""What was measured of one peer, by what; None where it never came."""


class Goal(NamedTuple):
    """A promise: `value` shall be at most `limit`, or at least where it says so, both in `unit`."""

    what: str
    value: float
    limit: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass(frozen=True, slots=True)
class Findings:
    """What a measurement has found: `figures` by peer, and the headings of those that its table shows."""

    title: str
    columns: Mapping[str, str]
    figures: Mapping[str, Figures]
    settings: Mapping[str, object]
    goals: Sequence[Goal] = ()


def show(found: Findings) -> None:
    rows = ([name, *(one.get(key) for key in found.columns)] for name, one in found.figures.items())
    print_table(found.title, ("", *found.columns.values()), rows)
    if found.goals:
        print_goals(found.goals)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def print_table(title: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """The first column is a name, the others are numbers."""
    table = [list(head), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    print(f"\n{title}")
    for row in table:
        first, *rest = (
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  " + "   ".join([first, *rest]).rstrip(), flush=True)


def print_goals(goals: Sequence[Goal]) -> None:
    print("\nGoals")
    for goal in goals:
        verdict = "met   " if goal.met else "MISSED"
        least = "at least " if goal.at_least else ""
        print(f"  {verdict} {goal.what}: {_text(goal.value)} {goal.unit}, goal {least}{goal.limit:g}", flush=True)


def save(
    name: str,
    settings: Mapping[str, object],
    figures: Mapping[str, object],
    goals: Sequence[Goal] = (),
    folder: Path = RESULTS,
) -> None:
    """Write the results of the measurement `name`, in place of those before."""
    content = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"kernel": platform.release(), "python": platform.python_version(), "cpus": os.cpu_count()},
        "settings": settings,
        "figures": figures,
        "goals": [goal._asdict() | {"met": goal.met} for goal in goals],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(_rounded(content), indent=1) + "\n", encoding="utf-8")
    print(f"\nKept in {os.path.relpath(path)}.", flush=True)


def run(measure: Callable[[], None]) -> None:
    """Run a measurement so that it clears up after itself also when it is told to end."""
    signal.signal(signal.SIGTERM, _told_to_end)
    try:
        measure()
    except KeyboardInterrupt:
        sys.exit(130)


def _told_to_end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _text(cell: Cell) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return f"{cell:.3g}" if abs(cell) < 100 else f"{cell:.0f}"
    return str(cell)


def _rounded(value: object) -> object:
    """Four digits are more than any of this can be repeated with."""
    match value:
        case float():
            return float(f"{value:.4g}")
        case Mapping():
            return {key: _rounded(part) for key, part in value.items()}
        case list() | tuple():
            return [_rounded(part) for part in value]
        case _:
            return value
