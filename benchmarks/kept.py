"""What was kept of the latest measurements, and how is it told in words?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from benchmarks.report import RESULTS

Figures = Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True, slots=True)
class KeptGoal:
    """A goal as `report.save` has written it."""

    what: str
    value: float
    limit: float
    unit: str
    met: bool
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Machine:
    """On what it was measured."""

    kernel: str
    python: str
    cpus: int


@dataclass(frozen=True, slots=True)
class Results:
    """What is read back of a file of results. `figures` is by the peer, or by what was measured of one."""

    date: str
    machine: Machine
    figures: Figures
    goals: tuple[KeptGoal, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a measure, and what it is of each peer, in words."""

    what: str
    figures: Figures
    keys: tuple[str, ...]

    def get(self, peer: str) -> str:
        """Empty where nothing of it was measured."""
        found = self.figures.get(peer, {})
        if all(key not in found for key in self.keys):
            return ""
        return " / ".join(number(found.get(key)) for key in self.keys)


def read(name: str) -> Results:
    return msgspec.json.decode((RESULTS / f"{name}.json").read_bytes(), type=Results)


def grid(rows: Iterable[Row], shown: Iterable[str]) -> list[str]:
    """The lines of a table in Markdown, a column for each peer that is shown. Rows without figures are left out."""
    peers = tuple(shown)
    told = [row for row in rows if any(row.get(peer) for peer in peers)]
    return [
        f"| | {' | '.join(peers)} |",
        f"|---|{'--:|' * len(peers)}",
        *(f"| {row.what} | {' | '.join(row.get(peer) or '–' for peer in peers)} |" for row in told),
    ]


def taken(all_results: Iterable[Results]) -> str:
    """When and where. Parts may be measured again alone, so there may be more than one of each."""
    found = tuple(all_results)
    days = sorted({one.date[:10] for one in found})
    machines = sorted(
        {f"{one.machine.cpus} processors, Linux {one.machine.kernel}, Python {one.machine.python}" for one in found}
    )
    return f"Measured {' and '.join(days)} on {'; '.join(machines)}."


def goals(all_results: Iterable[Results]) -> str:
    """How many are met, and each that was missed."""
    found = [goal for results in all_results for goal in results.goals]
    missed = [f"{one.what}: {one.value:g} {one.unit}, {_goal(one)}" for one in found if not one.met]
    said = f"Of {len(found)} goals {len(found) - len(missed)} are met"
    return f"{said}; missed: {'; '.join(missed)}." if missed else f"{said}."


def number(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _goal(one: KeptGoal) -> str:
    return f"goal {'at least ' if one.at_least else ''}{one.limit:g}"
