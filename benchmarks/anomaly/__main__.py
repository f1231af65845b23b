"""How good is `selfheal detect` on public series, and how good are others in the same harness?

`python -m benchmarks.anomaly --data DATA [--libraries PYTHON] [--alone] [--set marks.LEAK=1e-5 …] [--out FILE]`. One
configuration for all series; each rival has the bar that is best for it, chosen on the very series. Every run is
written down in tried.tsv.
"""

from __future__ import annotations

import json
import os
import subprocess
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path

from benchmarks.anomaly import corpora, cost
from benchmarks.anomaly.corpora import Labelled
from benchmarks.anomaly.rivals import RIVALS, alarms, daemons, ours
from benchmarks.anomaly.trial import Figures, best, figures, halves, intervals, log, settle

SILENCES = (5, 30, 100)
HEADER = ("", "NAB", "low FP", "low FN", "found", "false", "F1", "recall", "precision", "false/day", "quiet/day")


def main() -> int:
    arguments = _arguments()
    if not (arguments.data / "nab").is_dir():
        print(f"no data in {arguments.data}: write --data, or set SELFHEAL_DATA")
        return 1
    settle(arguments.set)
    series = [*corpora.nab(arguments.data), *corpora.cloud(arguments.data)]
    mine = [alarms(ours(one), 1.0, 0) for one in series]
    found, parts = figures(series, mine), halves(series, mine)
    log(found, parts, arguments.set)
    print("\t".join(HEADER))
    _show("selfheal detect", found)
    for name, half in zip(("  every other series", "  the rest"), parts, strict=True):
        _show(name, half)
    kept: dict[str, object] = {"selfheal detect": asdict(found), "halves": [asdict(half) for half in parts]}
    if not arguments.alone:
        kept.update(_beside(series, mine, arguments))
    if arguments.out:
        arguments.out.write_text(json.dumps(kept, indent=1) + "\n")
    return 0


def _arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SELFHEAL_DATA", "data")))
    parser.add_argument("--libraries", metavar="PYTHON", help="a Python that has scikit-learn and river")
    parser.add_argument("--alone", action="store_true", help="without rivals, undisturbed traces and cost")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="try another number")
    parser.add_argument("--out", type=Path, help="keep the figures as JSON")
    return parser.parse_args()


def _show(name: str, one: Figures) -> None:
    print(
        f"{name}\t{one.standard:.1f}\t{one.low_fp:.1f}\t{one.low_fn:.1f}\t{one.hits}/{one.windows}\t{one.false}\t"
        f"{one.f1:.3f}\t{one.recall:.2f}\t{one.precision:.2f}\t{one.false_a_day:.3f}\t{one.quiet_a_day:.3f}",
        flush=True,
    )


def _beside(
    series: Sequence[Labelled], mine: Sequence[Sequence[int]], arguments: Namespace
) -> Iterator[tuple[str, object]]:
    sure = intervals(series, mine)
    print("95 % intervals over series:", {name: tuple(round(one, 3) for one in both) for name, both in sure.items()})
    yield "intervals", sure
    daemon = figures(series, [alarms(daemons(one), 1.0, 0) for one in series])
    _show("the daemon's own", daemon)
    yield "daemon", asdict(daemon)
    for name, strengths in _strengths(series, arguments.libraries):
        for wish, bar, silent, found in best(series, strengths, SILENCES, alarms):
            _show(f"{name}, best for {wish} (bar {bar:.3g}, silence {silent})", found)
            yield f"{name}, {wish}", {"bar": bar, "silence": silent, **asdict(found)}
    yield "undisturbed", _undisturbed(arguments.data)
    yield "cost", _cost()


def _strengths(series: Sequence[Labelled], python: str | None) -> Iterator[tuple[str, Sequence[Sequence[float]]]]:
    for name, rival in RIVALS.items():
        yield name, [rival(one) for one in series]
    if python is None:
        print("IsolationForest and HalfSpaceTrees are left out: no --libraries")
        return
    asked = "".join(json.dumps([value if isfinite(value) else None for value in one.values]) + "\n" for one in series)
    program = Path(__file__).with_name("by_libraries.py")
    told = subprocess.run([python, str(program)], input=asked, capture_output=True, text=True, check=True)
    answers: list[Mapping[str, Sequence[float]]] = [json.loads(line) for line in told.stdout.splitlines()]
    for name in answers[0]:
        yield name, [one[name] for one in answers]


def _undisturbed(data: Path) -> Mapping[str, object]:
    """Alarms a day of one series where nothing is wrong."""
    told: dict[str, object] = {}
    for name, read in (("exathlon", corpora.exathlon), ("aging", corpora.aging)):
        days, count, raised, noisy = 0.0, 0, 0, 0
        for one in read(data):
            found = len(alarms(ours(one), 1.0, 0))
            days, count, raised, noisy = days + one.days, count + 1, raised + found, noisy + bool(found)
        if count:
            print(f"{name}: {count} series, {days:.1f} days, {raised} alarms in {noisy}, {raised / days:.3f} a day")
            told[name] = {"series": count, "days": days, "alarms": raised, "noisy": noisy}
    return told


def _cost() -> Mapping[str, object]:
    times = {f"{pace:g} s": cost.microseconds(pace) for pace in cost.PACES_S}
    held, kept = cost.held_bytes()
    print("microseconds a sample, by pace:", {pace: round(one, 1) for pace, one in times.items()})
    print(f"bytes a series: {held:.0f} in memory, {kept} kept")
    return {"microseconds": times, "bytes": held, "kept": kept}


raise SystemExit(main())
