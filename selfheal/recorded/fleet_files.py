"""What does a folder tell of a fleet that was watched until some of it failed?

`signals.csv` (`agent,timestamp,signal,signal…`) has a row for each look at an agent, in any order; `failures.csv`
(`agent,timestamp,mode`) may hold no rows or be missing; `limits.csv` (`agent,signal,limit`) too, and an agent `*` in it
means all of them. Columns are told by their names, others of the last two are passed over.
"""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite, isnan
from pathlib import Path
from typing import TextIO

from selfheal.errors import SelfhealError
from selfheal.predict.recording import Failure, Recording, Samples
from selfheal.recorded.tables import Unreadable, is_epoch, lines_of, moment, number

SIGNALS, FAILURES, LIMITS = "signals.csv", "failures.csv", "limits.csv"
_TIMES = ("timestamp", "time")
EVERY = "*"
UNSAID = "failure"


def read_fleet(folder: Path) -> Recording:
    """Read a folder. Raises Unreadable, which names file and line."""
    if not folder.is_dir():
        raise Unreadable(folder, f"there is no such folder; it has to hold {SIGNALS}, and {FAILURES} where one failed")
    signals, agents, epoch = _signals(folder / SIGNALS)
    failures = sorted(_failures(folder / FAILURES), key=lambda one: (one.at, one.agent))
    return Recording(signals, agents, tuple(failures), _limits(folder / LIMITS, agents), epoch)


def unmatched(fleet: Recording) -> Iterator[str]:
    """Say what failures and limits name that was never measured: a slip of the pen there changes figures unseen."""
    strangers = {one.agent for one in fleet.failures} - fleet.agents.keys()
    limited = {(agent, signal) for agent, limits in fleet.limits.items() for signal in limits}
    unknown = {agent for agent, _ in limited} - fleet.agents.keys()
    unseen = {signal for _, signal in limited} - set(fleet.signals)
    for file, kind, names in ((FAILURES, "agent", strangers), (LIMITS, "agent", unknown), (LIMITS, "signal", unseen)):
        if names:
            some = ", ".join(repr(name) for name in sorted(names)[:5]) + (", …" if len(names) > 5 else "")
            yield f"{file} names {kind}s that {SIGNALS} does not have, and they are passed over: {some}"


def write_fleet(folder: Path, fleet: Recording) -> None:
    """Write a folder that reads back as the same fleet, to six digits and milliseconds. Raises SelfhealError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / SIGNALS).open("w", encoding="utf-8", newline="") as stream:
            _write(stream, ("agent", "timestamp", *fleet.signals), _signal_rows(fleet))
        with (folder / FAILURES).open("w", encoding="utf-8", newline="") as stream:
            _write(
                stream,
                ("agent", "timestamp", "mode"),
                ((one.agent, f"{one.at:.3f}", one.mode) for one in fleet.failures),
            )
        with (folder / LIMITS).open("w", encoding="utf-8", newline="") as stream:
            told = ((agent, *one) for agent, limits in fleet.limits.items() for one in limits.items())
            _write(stream, ("agent", "signal", "limit"), told)
    except OSError as why:
        raise SelfhealError(f"cannot write {str(folder)!r}: {why.strerror or why}") from why


def _signals(file: Path) -> tuple[tuple[str, ...], Mapping[str, Samples], bool]:
    """The signals, the agents, and whether times are written as seconds."""
    lines = lines_of(file)
    _, header = next(lines)
    names = [name.strip() for name in header]
    agent, clock = _column(file, names, "agent"), _column(file, names, *_TIMES)
    columns = [place for place in range(len(names)) if place not in (agent, clock)]
    if not columns:
        raise Unreadable(file, "it has no column of values; its first row has to be agent,timestamp,signal,…", 1)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Unreadable(file, f"it names {twice[0]!r} twice", 1)
    found: dict[str, tuple[array[float], list[array[float]]]] = {}
    epoch = False
    for line, cells in lines:
        name = _named(file, line, cells[agent])
        if name not in found:
            found[name] = array("d"), [array("d") for _ in columns]
            epoch = is_epoch(cells[clock])
        at, values = found[name]
        try:
            at.append(moment(cells[clock]))
            for column, place in zip(values, columns, strict=True):
                column.append(number(names[place], cells[place]))
        except ValueError as why:
            raise Unreadable(file, str(why), line) from why
    signals = tuple(names[place] for place in columns)
    agents = {name: _in_order(at, dict(zip(signals, values, strict=True))) for name, (at, values) in found.items()}
    return signals, agents, epoch


def _in_order(at: array[float], values: dict[str, array[float]]) -> Samples:
    places = sorted(range(len(at)), key=at.__getitem__)
    if places == list(range(len(at))):
        return Samples(at, values)
    ordered = {name: array("d", [column[place] for place in places]) for name, column in values.items()}
    return Samples(array("d", [at[place] for place in places]), ordered)


def _failures(file: Path) -> Iterator[Failure]:
    if not file.exists():
        return
    lines = lines_of(file)
    _, header = next(lines)
    names = [name.strip() for name in header]
    agent, clock = _column(file, names, "agent"), _column(file, names, *_TIMES)
    mode = names.index("mode") if "mode" in names else None
    for line, cells in lines:
        try:
            at = moment(cells[clock])
        except ValueError as why:
            raise Unreadable(file, str(why), line) from why
        yield Failure(_named(file, line, cells[agent]), at, (cells[mode].strip() if mode is not None else "") or UNSAID)


def _limits(file: Path, agents: Mapping[str, Samples]) -> Mapping[str, Mapping[str, float]]:
    limits: dict[str, dict[str, float]] = {agent: {} for agent in agents}
    if not file.exists():
        return limits
    lines = lines_of(file)
    _, header = next(lines)
    names = [name.strip() for name in header]
    agent, signal, limit = (_column(file, names, name) for name in ("agent", "signal", "limit"))
    everywhere: dict[str, float] = {}
    for line, cells in lines:
        try:
            value = number("limit", cells[limit])
        except ValueError as why:
            raise Unreadable(file, str(why), line) from why
        if not isfinite(value) or value <= 0.0:
            raise Unreadable(file, f"limit is {cells[limit].strip()!r}; a limit is above 0", line)
        name = _named(file, line, cells[agent])
        told = everywhere if name == EVERY else limits.setdefault(name, {})
        told[cells[signal].strip()] = value
    return {name: {**everywhere, **told} for name, told in limits.items()}


def _column(file: Path, names: Sequence[str], *wanted: str) -> int:
    for name in wanted:
        if name in names:
            return names.index(name)
    raise Unreadable(file, f"it has no column {wanted[0]}; its first row names the columns", 1)


def _named(file: Path, line: int, cell: str) -> str:
    name = cell.strip()
    if not name:
        raise Unreadable(file, "it names no agent", line)
    return name


def _write(stream: TextIO, header: Sequence[str], told: Iterable[Sequence[object]]) -> None:
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(header)
    table.writerows(told)


def _signal_rows(fleet: Recording) -> Iterator[Sequence[str]]:
    for agent, samples in fleet.agents.items():
        columns = [samples.values[signal] for signal in fleet.signals]
        for place, at in enumerate(samples.at):
            cells = ("" if isnan(column[place]) else f"{column[place]:.6g}" for column in columns)
            yield (agent, f"{at:.3f}", *cells)
