"""Public recordings as `selfheal backtest` reads them.

Azure's machines: errors and replaced components by the hour, failures a day ahead. The telemetry of the set is not at
hand, so events are all there is. C-MAPSS: engines run to failure, a cycle taken for an hour; those that are learned
from, chosen by and judged follow each other in time, so that the split is one by engine. Aging model servers: memory
creeps and never runs out.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import nan
from pathlib import Path

from selfheal.predict.recording import Failure, Recording, Samples

HOUR = 3600.0
FOLDS = 5
ENDED = "worn_out"


def azure(folder: Path) -> Recording:
    """Of each machine the errors and the replaced components in each hour, as numbers, from January on."""
    errors = list(_events(folder / "PdM_errors.csv", "errorID"))
    maintained = list(_events(folder / "PdM_maint.csv", "comp"))
    failed = sorted(_events(folder / "PdM_failures.csv", "failure"), key=lambda one: one[1])
    kinds = sorted({f"{kind}" for _, _, kind in errors}) + sorted({f"{kind}_replaced" for _, _, kind in maintained})
    begun = min(at for _, at, _ in errors)
    ended = max(at for _, at, _ in (*errors, *failed))
    hours = int((ended - begun) / HOUR) + 1
    at = [begun + HOUR * hour for hour in range(hours)]
    agents: dict[str, Samples] = {}
    for machine in sorted({machine for machine, _, _ in errors}):
        values = {kind: [0.0] * hours for kind in kinds}
        for name, told in (("", errors), ("_replaced", maintained)):
            for one, when, kind in told:
                if one == machine and when >= begun:
                    values[kind + name][int((when - begun) / HOUR)] += 1.0
        agents[f"machine-{machine}"] = Samples(at, values)
    failures = tuple(Failure(f"machine-{machine}", when, kind) for machine, when, kind in failed)
    return Recording(tuple(kinds), agents, failures, {})


def _events(file: Path, kind: str) -> Iterator[tuple[str, float, str]]:
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            when = datetime.fromisoformat(row["datetime"]).replace(tzinfo=UTC).timestamp()
            yield row["machineID"], when, row[kind]


def engines(file: Path) -> Mapping[int, Sequence[Mapping[str, float]]]:
    """The cycles of each engine."""
    found: dict[int, list[Mapping[str, float]]] = {}
    with gzip.open(file, "rt", newline="") as lines:
        for row in csv.DictReader(lines):
            cells = {name: float(cell) for name, cell in row.items() if name not in ("unit", "cycle")}
            found.setdefault(int(row["unit"]), []).append(cells)
    return found


def fold(engines: Mapping[int, Sequence[Mapping[str, float]]], number: int) -> tuple[Recording, float, float]:
    """One of five ways to part the engines: three fifths to learn from, one to choose by, one to be judged.

    Returns when what is learned from ends, and what is judged begins. Each part begins when the one before has ended.
    """
    parts: dict[str, list[int]] = {"learn": [], "choose": [], "judge": []}
    for place, unit in enumerate(sorted(engines)):
        turn = (place - number) % FOLDS
        parts["judge" if turn == 0 else "choose" if turn == 1 else "learn"].append(unit)
    signals = tuple(next(iter(engines.values()))[0])
    agents: dict[str, Samples] = {}
    failures: list[Failure] = []
    begun, ends = 0.0, []
    for part in ("learn", "choose", "judge"):
        longest = max(len(engines[unit]) for unit in parts[part])
        for unit in parts[part]:
            at = [begun + HOUR * (cycle + 1) for cycle in range(len(engines[unit]))]
            agents[f"engine-{unit}"] = Samples(at, {name: [row[name] for row in engines[unit]] for name in signals})
            failures.append(Failure(f"engine-{unit}", at[-1], ENDED))
        begun += HOUR * (longest + 1)
        ends.append(begun)
    failures.sort(key=lambda one: one.at)
    return Recording(signals, agents, tuple(failures), {}), ends[0], ends[1]


def aging(folder: Path) -> Recording:
    """Servers whose memory creeps, with all of their memory as the limit; nothing ever failed."""
    agents: dict[str, Samples] = {}
    limits: dict[str, Mapping[str, float]] = {}
    signals = ("used_memory", "swap", "disk", "cpu")
    for file in sorted(folder.glob("*.csv")):
        at: list[float] = []
        values: dict[str, list[float]] = {name: [] for name in signals}
        total: tuple[float, ...] = ()
        with file.open(newline="") as lines:
            for row in csv.DictReader(lines):
                at.append(datetime.fromisoformat(row["currentTime"]).replace(tzinfo=UTC).timestamp())
                for name, column in zip(
                    signals, ("usedMemory", "usedSwap", "usedPartition", "totalCpuUsage(%)"), strict=True
                ):
                    values[name].append(_number(row[column]))
                total = _number(row["totalMemory"]), _number(row["totalSwap"]), _number(row["totalPartition"])
        agents[file.stem] = Samples(at, values)
        limits[file.stem] = dict(zip(signals, total, strict=False))
    return Recording(signals, agents, (), limits)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return nan
