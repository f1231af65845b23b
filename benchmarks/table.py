"""What do the latest results say, in the words of the README?

`python -m benchmarks.table` writes the table between the two marks of README.md; a test holds that it stands there as
the results have it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.parts import PARTS
from benchmarks.peers import PEERS, SELFHEAL, SUPERVISORD
from benchmarks.report import RESULTS

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
_BECAME = ("kept", "restarted", "duplicated", "lost")
_PARTS = (*PARTS, "startup", "standby")
_IDLING = "selfheal runs its API, journal and views meanwhile, and looks at its processes once an hour."

Figures = Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True, slots=True)
class KeptGoal:
    """A goal as `report.save` has written it."""

    what: str
    value: float
    limit: float
    unit: str
    met: bool


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


def table() -> str:
    """The lines between the marks: what was measured, then each goal that was missed."""
    found = {part: _read(part) for part in _PARTS}
    shown = [peer.name for peer in PEERS if peer.name in found["crash"].figures]
    rows = [row for row in _rows(found) if any(row.get(peer) for peer in shown)]
    lines = [
        f"| | {' | '.join(shown)} |",
        f"|---|{'--:|' * len(shown)}",
        *(f"| {row.what} | {' | '.join(row.get(peer) or '–' for peer in shown)} |" for row in rows),
    ]
    return "\n".join(
        [
            *lines,
            "",
            _taken(found.values()),
            "",
            f"¹ {_IDLING} {_training(found['training'])} {_standby(found['standby'])} {_goals(found.values())}",
            "",
        ]
    )


def parted(text: str) -> tuple[str, str, str]:
    """The text of the README before, between and after the marks, which belong to its ends."""
    before, begin, rest = text.partition(f"{BEGIN}\n")
    between, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"cannot find the table: README.md holds no {BEGIN!r} followed by {END!r}; put both back")
    return before + begin, between, end + after


@dataclass(frozen=True, slots=True)
class _Row:
    """One line: a measure, and what it is of each peer, in words."""

    what: str
    figures: Figures
    keys: tuple[str, ...]

    def get(self, peer: str) -> str:
        """Empty where nothing of it was measured."""
        found = self.figures.get(peer, {})
        if all(key not in found for key in self.keys):
            return ""
        return " / ".join(_number(found.get(key)) for key in self.keys)


def _rows(found: Mapping[str, Results]) -> Iterator[_Row]:
    crash, again, mass, idle, death, trees = (
        found[part].figures for part in ("crash", "again", "mass", "idle", "death", "trees")
    )
    yield _Row("crash to running, p50 / p95 / max, ms", crash, ("p50_ms", "p95_ms", "max_ms"))
    yield _Row("crash again 100 ms later, 1st to 4th, ms", again, tuple(f"crash_{at}_ms" for at in range(1, 5)))
    yield _Row("100 / 1,000 killed at once, all back, ms", mass, ("all_at_once_100_ms", "all_at_once_1000_ms"))
    yield _Row("100 / 1,000 started, from exec to the last, ms", mass, ("start_100_ms", "start_1000_ms"))
    yield _Row("idle over 1,000: CPU % / wake-ups a second ¹", idle, ("cpu_percent_1000", "wakeups_per_s_1000"))
    yield _Row("memory over 1 / 100 / 1,000 (PSS), MB", idle, tuple(f"pss_mb_{size}" for size in (1, 100, 1000)))
    yield _Row("supervisor killed, of 3: kept / restarted / twice / lost", death, _BECAME)
    yield _Row("of 6 helpers, alive after a crash / a stop", trees, ("after_crash", "after_stop"))
    startup = found["startup"].figures
    named = {name.removesuffix(" over 10"): one for name, one in startup.items() if name.endswith(" over 10")}
    yield _Row("ready with 10 agents, s", named, ("ready_s",))
    verbs = startup["verbs_ms"]
    status = {SELFHEAL.name: verbs["selfheal status"], SUPERVISORD.name: verbs.get("supervisorctl status")}
    yield _Row("`status`, ms", {name: {"status": took} for name, took in status.items()}, ("status",))


def _taken(all_results: Iterable[Results]) -> str:
    """When and where. Parts may be measured again alone, so there may be more than one of each."""
    days = sorted({one.date[:10] for one in all_results})
    machines = sorted(
        {
            f"{one.machine.cpus} processors, Linux {one.machine.kernel}, Python {one.machine.python}"
            for one in all_results
        }
    )
    return f"Measured {' and '.join(days)} on {'; '.join(machines)}."


def _training(found: Results) -> str:
    """What is measured of selfheal alone."""
    busy = next(one for name, one in found.figures.items() if name.startswith("selfheal") and "training" in name)
    ratio = found.figures["spawn call"]["ratio"]
    quick = f"p50 {_number(busy['p50_ms'])} ms, p95 {_number(busy['p95_ms'])} ms"
    return (
        f"At 400 MB, while niced children compute on every processor: crash to running {quick}; a spawn costs "
        f"{_number(ratio)} times what it costs without them."
    )


def _standby(found: Results) -> str:
    cold, spare, zygote = (_number(found.figures[way]["ready_p50_ms"]) for way in ("cold", "spare", "zygote"))
    return (
        f"A Python agent with httpx and pydantic, crash to ready, p50: anew {cold} ms, from a spare {spare} ms, "
        f"as a zygote's child {zygote} ms."
    )


def _goals(all_results: Iterable[Results]) -> str:
    goals = [goal for results in all_results for goal in results.goals]
    missed = [f"{one.what}: {one.value:g} {one.unit}, goal {one.limit:g}" for one in goals if not one.met]
    said = f"Of {len(goals)} goals {len(goals) - len(missed)} are met"
    return f"{said}; missed: {'; '.join(missed)}." if missed else f"{said}."


def _read(name: str) -> Results:
    return msgspec.json.decode((RESULTS / f"{name}.json").read_bytes(), type=Results)


def _number(value: float | None) -> str:
    if value is None:
        return "never"
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def main() -> None:
    before, _, after = parted(README.read_text(encoding="utf-8"))
    README.write_text(before + table() + after, encoding="utf-8")
    sys.stdout.write(table())


if __name__ == "__main__":
    main()
