"""What do the latest results say, in the words of the README?

`python -m benchmarks.table` writes the table between the two marks of README.md; a test holds that it stands there as
the results have it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.peers import FLOOR, SELFHEAL, SUPERVISORD
from benchmarks.report import RESULTS

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
_PEERS = (SELFHEAL, SUPERVISORD, FLOOR)
_IDLING = "selfheal asks 100 checks every ten seconds meanwhile; supervisord has none to ask."

Figures = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class KeptGoal:
    """A goal as `report.save` has written it."""

    what: str
    value: float
    limit: float
    unit: str
    met: bool


@dataclass(frozen=True, slots=True)
class Results:
    """What is read back of a file of results. `figures` is by the peer and, where it matters, how many it ran."""

    figures: Figures
    goals: tuple[KeptGoal, ...]


def table() -> str:
    """The lines between the marks: what was measured, then each goal that was missed."""
    supervision, startup = _read("supervision"), _read("startup")
    rows = [*_supervision(supervision.figures), *_startup(startup.figures)]
    lines = [
        f"| | {' | '.join(_PEERS)} |",
        f"|---|{'--:|' * len(_PEERS)}",
        *(f"| {what} | {' | '.join(cells)} |" for what, cells in rows),
    ]
    return "\n".join([*lines, "", f"¹ {_IDLING} {_goals(supervision, startup)}", ""])


def parted(text: str) -> tuple[str, str, str]:
    """The text of the README before, between and after the marks, which belong to its ends."""
    before, begin, rest = text.partition(f"{BEGIN}\n")
    between, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"cannot find the table: README.md holds no {BEGIN!r} followed by {END!r}; put both back")
    return before + begin, between, end + after


def _supervision(found: Figures) -> Iterator[tuple[str, list[str]]]:
    def row(*keys: str) -> list[str]:
        return [" / ".join(_number(found[peer][key]) for key in keys) if peer in found else "–" for peer in _PEERS]

    yield "crash to running, p50 / p95 / max, ms", row("crash_p50_ms", "crash_p95_ms", "crash_max_ms")
    yield "100 killed at once, all running again, ms", row("all_at_once_ms")
    yield "100 started, from exec to the last one, ms", row("start_ms")


def _startup(found: Figures) -> Iterator[tuple[str, list[str]]]:
    def row(size: int, *keys: str) -> list[str]:
        over = (found.get(f"{peer} over {size}") for peer in _PEERS)
        return ["–" if one is None else " / ".join(_number(one[key]) for key in keys) for one in over]

    yield "ready with 10 agents, s", row(10, "ready_s")
    yield "memory over 100 agents (PSS), MB", row(100, "pss_mb")
    yield "idle over 100 agents, CPU % / wake-ups a second ¹", row(100, "idle_cpu_percent", "wakeups_per_s")
    verbs = found["verbs_ms"]
    status = {SELFHEAL: verbs["selfheal status"], SUPERVISORD: verbs.get("supervisorctl status")}
    asked = (status.get(peer) for peer in _PEERS)
    yield "`status`, ms", ["–" if took is None else _number(took) for took in asked]


def _goals(*all_results: Results) -> str:
    goals = [goal for results in all_results for goal in results.goals]
    missed = [f"{one.what}: {one.value:g} {one.unit}, goal {one.limit:g}" for one in goals if not one.met]
    said = f"Of {len(goals)} goals {len(goals) - len(missed)} are met"
    return f"{said}; missed: {'; '.join(missed)}." if missed else f"{said}."


def _read(name: str) -> Results:
    return msgspec.json.decode((RESULTS / f"{name}.json").read_bytes(), type=Results)


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def main() -> None:
    before, _, after = parted(README.read_text(encoding="utf-8"))
    README.write_text(before + table() + after, encoding="utf-8")
    sys.stdout.write(table())


if __name__ == "__main__":
    main()
