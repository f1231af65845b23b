"""Is the time until something is used up foreseen, and is nothing foreseen that does not come?

`python -m benchmarks.exhaustion`: simulated runs into a limit, of six shapes, asked each ten minutes from two hours to
half an hour before their end; simulated look-alikes of four days, asked each ten minutes; and, with `--aging FOLDER`,
recorded runs of model servers whose memory creeps and is never used up. Beside it least squares, one Theil-Sen line,
and what was learned of times (`ways`). The interval's width was fitted on the even runs (`--calibrate` shows it); the
figures are of the odd ones.
"""

from __future__ import annotations

import csv
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random

from benchmarks.exhaustion.shapes import LEAKS, LOOK_ALIKES, MINUTE_S, Run, leak, look_alike
from benchmarks.exhaustion.ways import OF_TIMES, WAYS, Way
from benchmarks.report import Cell, Goal, print_goals, print_table, quantile
from selfheal.modes import HIGH_RISK
from selfheal.predict.exhaustion import KEPT_FROM
from selfheal.predict.timeleft import WIDENED, foresee

LEADS_MIN = range(30, 121, 10)
EVERY = 10
DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One forecast of a run into the limit: how many minutes before its end, how far off as a share of those, whether
    its interval held the end, and by how many of its widths it was off; None where nothing was foreseen.
    """

    lead_min: int
    off: float | None = None
    held: bool = False
    widths: float = 0.0
    took_s: float = 0.0


def asked(way: Way, run: Run) -> Iterator[Asked]:
    assert run.end is not None
    for lead in LEADS_MIN:
        at = run.end - lead * MINUTE_S
        if at < 30 * MINUTE_S:
            continue
        points = run.points[: int(at / MINUTE_S) + 1]
        began = time.perf_counter()
        seen = way(points, 1.0, at)
        took_s = time.perf_counter() - began
        if seen is None:
            yield Asked(lead, took_s=took_s)
            continue
        left = lead * MINUTE_S
        eta = max(seen.eta_s, 1.0)
        width = max(seen.eta_high_s, 1.0) / eta - 1
        apart = max(eta / left, left / eta) - 1
        held = seen.eta_low_s <= left <= seen.eta_high_s
        yield Asked(lead, seen.eta_s / left - 1, held, apart / width if width else 1e3, took_s)


def alarms(way: Way, run: Run, every: int = EVERY) -> tuple[int, int]:
    """How often the risk became high, of how many times it was asked; once high it stays so until it is nearly gone."""
    raised, high, count = 0, False, 0
    for place in range(every, len(run.points), every):
        at = run.points[place][0]
        seen = way(run.points[max(0, place - 7 * 1440) : place + 1], 1.0, at)
        chance = seen.probability if seen is not None else 0.0
        raised += chance >= HIGH_RISK and not high
        high = chance >= (KEPT_FROM if high else HIGH_RISK)
        count += 1
    return raised, count


def exhausted(count: int, seed: int) -> dict[str, list[Run]]:
    dice = Random(seed)
    runs = {shape: [leak(shape, dice) for _ in range(count)] for shape in LEAKS}
    return {shape: [one for one in some if one.end is not None] for shape, some in runs.items()}


def recorded(folder: Path) -> Iterator[Run]:
    """Each run of the folder: the memory in use, as a share of what there is."""
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        times = [datetime.fromisoformat(row["currentTime"]).timestamp() for row in rows]
        values = [float(row["usedMemory"]) / float(row["totalMemory"]) for row in rows]
        yield Run(path.stem, list(zip(times, values, strict=True)), None)


def _row(name: str, way: str, found: Sequence[Asked]) -> list[Cell]:
    told = [one for one in found if one.off is not None]
    by_lead = [[abs(one.off) for one in told if one.off is not None and one.lead_min == lead] for lead in (30, 60, 120)]
    return [
        name,
        way,
        len(found),
        1 - len(told) / len(found),
        *(quantile(some, 0.5) if some else None for some in by_lead),
        quantile([abs(one.off) for one in told if one.off is not None], 0.5),
        sum(one.held for one in told) / len(told),
    ]


HEADER = ("runs", "by", "asked", "not foreseen", "off at 30", "60", "120 min", "off, median", "in the interval")


def _exhaustion(runs: dict[str, list[Run]]) -> list[Goal]:
    everything: dict[str, list[Asked]] = {way: [] for way in OF_TIMES}
    rows = []
    for shape, some in runs.items():
        for name, way in OF_TIMES.items():
            found = [one for run in some for one in asked(way, run)]
            everything[name] += found
            rows.append(_row(shape, name, found))
    rows += [_row("together", name, found) for name, found in everything.items()]
    print_table("Time left, 120 to 30 minutes before the limit was touched (errors as a share of it)", HEADER, rows)
    ours = everything["selfheal"]
    row = _row("", "", ours)
    off, held = row[-2], row[-1]
    assert isinstance(off, float)
    assert isinstance(held, float)
    return [
        Goal("median error of the time left", off, 0.10, ""),
        Goal("in the interval, at least", held, 0.85, "", at_least=True),
        Goal("in the interval, at most", held, 0.95, ""),
        Goal("a forecast takes, median", 1e3 * quantile([one.took_s for one in ours], 0.5), 1.0, "ms"),
    ]


def _look_alikes(count: int, seed: int) -> list[Goal]:
    dice = Random(seed)
    rows: list[list[Cell]] = []
    ours = windows = 0
    for shape in LOOK_ALIKES:
        runs = [look_alike(shape, dice) for _ in range(count)]
        raised = {name: [alarms(way, run) for run in runs] for name, way in WAYS.items()}
        days = sum(len(run.points) for run in runs) * MINUTE_S / DAY_S
        rows.append([shape, count, *(sum(one for one, _ in some) / days for some in raised.values())])
        ours += sum(one for one, _ in raised["selfheal"])
        windows += sum(number for _, number in raised["selfheal"])
    print_table("False alarms a day, of what only looks like it", ("shape", "runs", *WAYS), rows)
    return [Goal("windows of look-alikes with an alarm", ours / windows, 0.01, "")]


def _aging(folder: Path) -> list[Goal]:
    rows: list[list[Cell]] = []
    false = 0
    for run in recorded(folder):
        told = {name: alarms(way, run, every=30)[0] for name, way in WAYS.items()}
        day = sum(
            foresee(run.points[:place], 1.0, run.points[place - 1][0], DAY_S) is not None
            for place in range(30, len(run.points), 30)
        )
        false += told["selfheal"] + day
        rows.append([run.shape, len(run.points) * MINUTE_S / DAY_S, *told.values(), day])
    print_table("Model servers: alarms, and anything foreseen a day ahead", ("run", "days", *WAYS, "a day ahead"), rows)
    return [Goal("false predictions on model servers", false, 0, "")]


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.exhaustion", description=__doc__)
    parser.add_argument("--runs", type=int, default=40, help="simulated runs of each shape")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--aging", type=Path, help="folder of the recorded model servers")
    parser.add_argument("--calibrate", action="store_true", help="show the width that the even runs ask for, and end")
    given = parser.parse_args()
    runs = exhausted(given.runs, given.seed)
    if given.calibrate:
        found = [one for some in runs.values() for run in some[::2] for one in asked(foresee, run)]
        widths = [one.widths for one in found if one.off is not None]
        print(f"WIDENED is {WIDENED}; the even runs ask for {WIDENED * quantile(widths, 0.9):.3g}")
        return
    goals = _exhaustion({shape: some[1::2] for shape, some in runs.items()})
    goals += _look_alikes(max(4, given.runs // 4), given.seed)
    if given.aging:
        goals += _aging(given.aging)
    print_goals(goals)


if __name__ == "__main__":
    main()
