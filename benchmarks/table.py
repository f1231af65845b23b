"""What do the latest results say, in the words of the README?

`python -m benchmarks.table` writes each table between its two marks of README.md; a test holds that they stand there as
the results have them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks.checks.table import checking_table
from benchmarks.kept import Results, Row, goals, grid, number, read, taken
from benchmarks.parts import PARTS
from benchmarks.peers import PEERS, SELFHEAL, SUPERVISORD

README = Path(__file__).parents[1] / "README.md"
_BECAME = ("kept", "restarted", "duplicated", "lost")
_PARTS = (*PARTS, "startup", "standby")
_IDLING = "selfheal runs its API, journal and views meanwhile, and looks at its processes once an hour."


def table() -> str:
    """The lines between the marks: what was measured, then each goal that was missed."""
    found = {part: read(part) for part in _PARTS}
    shown = [peer.name for peer in PEERS if peer.name in found["crash"].figures]
    said = f"{_training(found['training'])} {_standby(found['standby'])} {goals(found.values())}"
    return "\n".join([*grid(_rows(found), shown), "", taken(found.values()), "", f"¹ {_IDLING} {said}", ""])


# By the name in their marks: what is written into the README.
TABLES: Mapping[str, Callable[[], str]] = {"benchmarks": table, "checking": checking_table}


def parted(text: str, name: str) -> tuple[str, str, str]:
    """The text of the README before, between and after the marks of a table, which belong to its ends."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    before, _, rest = text.partition(begin)
    between, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"cannot find the table: README.md holds no {begin!r} followed by {end!r}; put both back")
    return before + begin, between, end + after


def _rows(found: Mapping[str, Results]) -> Iterator[Row]:
    crash, again, mass, idle, death, trees = (
        found[part].figures for part in ("crash", "again", "mass", "idle", "death", "trees")
    )
    yield Row("crash to running, p50 / p95 / max, ms", crash, ("p50_ms", "p95_ms", "max_ms"))
    yield Row("crash again 100 ms later, 1st to 4th, ms", again, tuple(f"crash_{at}_ms" for at in range(1, 5)))
    yield Row("100 / 1,000 killed at once, all back, ms", mass, ("all_at_once_100_ms", "all_at_once_1000_ms"))
    yield Row("100 / 1,000 started, from exec to the last, ms", mass, ("start_100_ms", "start_1000_ms"))
    yield Row("idle over 1,000: CPU % / wake-ups a second ¹", idle, ("cpu_percent_1000", "wakeups_per_s_1000"))
    yield Row("memory over 1 / 100 / 1,000 (PSS), MB", idle, tuple(f"pss_mb_{size}" for size in (1, 100, 1000)))
    yield Row("supervisor killed, of 3: kept / restarted / twice / lost", death, _BECAME)
    yield Row("of 6 helpers, alive after a crash / a stop", trees, ("after_crash", "after_stop"))
    startup = found["startup"].figures
    named = {name.removesuffix(" over 10"): one for name, one in startup.items() if name.endswith(" over 10")}
    yield Row("ready with 10 agents, s", named, ("ready_s",))
    verbs = startup["verbs_ms"]
    status = {SELFHEAL.name: verbs["selfheal status"], SUPERVISORD.name: verbs.get("supervisorctl status")}
    yield Row("`status`, ms", {name: {"status": took} for name, took in status.items()}, ("status",))


def _training(found: Results) -> str:
    """What is measured of selfheal alone."""
    busy = next(one for name, one in found.figures.items() if name.startswith("selfheal") and "training" in name)
    ratio = found.figures["spawn call"]["ratio"]
    quick = f"p50 {number(busy['p50_ms'])} ms, p95 {number(busy['p95_ms'])} ms"
    return (
        f"At 400 MB, while niced children compute on every processor: crash to running {quick}; a spawn costs "
        f"{number(ratio)} times what it costs without them."
    )


def _standby(found: Results) -> str:
    cold, spare, zygote = (number(found.figures[way]["ready_p50_ms"]) for way in ("cold", "spare", "zygote"))
    return (
        f"A Python agent with httpx and pydantic, crash to ready, p50: anew {cold} ms, from a spare {spare} ms, "
        f"as a zygote's child {zygote} ms."
    )


def main() -> None:
    for name, written in TABLES.items():
        before, _, after = parted(README.read_text(encoding="utf-8"), name)
        README.write_text(before + written() + after, encoding="utf-8")
        sys.stdout.write(written())


if __name__ == "__main__":
    main()
