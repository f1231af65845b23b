"""What can befall the files of a state directory? One damage at a time, and what must be true after it.

A small directory is made once: a journal in many segments, snapshots, state files with their sums and older
generations. Each trial damages a copy of it, starts from that, and compares with what was written.
"""

from __future__ import annotations

import asyncio
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from selfheal.clock import RealClock
from selfheal.compose.rollup import drop_before, drop_superfluous, look_at, unseen
from selfheal.compose.takeover import TakenOver, take_over, told_damage
from selfheal.events import AgentDeclared, Event, HealthChanged, IncidentOpened, IncidentResolved, StateDamaged, encode
from selfheal.ledger import replay
from selfheal.serve.documents import DOCUMENTS
from selfheal.store import held
from selfheal.store.documents import CHECKSUMS, Documents, previous
from selfheal.store.journal import Journal
from selfheal.store.snapshots import write
from selfheal.world import EMPTY, fold

CLOCK = RealClock()
EVENTS = 300
SEGMENT = 4096
SNAPSHOT_EVERY = 40
BEGIN = 1_800_000_000.0

_NUMBERS = re.compile(r"events? (\d+)(?: to (\d+))?")


def happened(number: int) -> Event:
    """The event of a number: a small fleet whose checks change, with an incident now and then."""
    at, agent = BEGIN + number, f"agent-{number % 5}"
    if number <= 5:
        return AgentDeclared(at, agent, "process", "application", (), ("http",), True)
    if number % 7 == 0:
        return IncidentOpened(at, f"inc-{number}", agent, "check", "no answer", at)
    if number % 7 == 3:
        return IncidentResolved(at, f"inc-{number - 3}", "it is well again", 3.0)
    return HealthChanged(at, agent, "http", number % 2 == 0, "failed", f"reason {number}", at)


@dataclass(frozen=True)
class Home:
    """A state directory as a daemon has left it, and what it had written down."""

    place: Path
    payloads: Mapping[int, bytes]
    first: int

    @property
    def last(self) -> int:
        return max(self.payloads)


def make_home(place: Path, *, dropped: bool) -> Home:
    """Let a daemon's store live: with `dropped`, for so long that the beginning is gone."""
    payloads = {number: encode(happened(number)) for number in range(1, EVENTS + 1)}
    asyncio.run(_live(place, payloads))
    folder = place / "journal"
    first = 1
    if dropped:
        size = sum(path.stat().st_size for path in folder.iterdir())
        first = drop_before(folder, size * 2 // 3)
        journal, _, _ = Journal.open(folder, asyncio.to_thread, CLOCK, since=EVENTS)
        assert journal.forget(first) > 0
        journal.close()
    drop_superfluous(folder)
    return Home(place, payloads, first)


async def _live(place: Path, payloads: Mapping[int, bytes]) -> None:
    journal, _, _ = Journal.open(place / "journal", asyncio.to_thread, CLOCK, SEGMENT)
    files, world = Documents(place, asyncio.to_thread), EMPTY
    for number, payload in payloads.items():
        journal.append(payload)
        world = fold(world, happened(number))
        if number % SNAPSHOT_EVERY == 0:
            journal.cut()
            write(place / "journal", number, world)
        if number % 100 == 0:
            await _save(files, number)
    journal.close()


async def _save(files: Documents, number: int) -> None:
    views = {name: {"of": name, "number": number} for name in DOCUMENTS}
    await files.save(views, {"schema_version": 1, "updated_at": "2027-01-15", "events": number})


# --- damages ---

Damaging = Callable[[random.Random, Path, list[Path]], bool]
"""Damages a file, of which there are others of the kind; returns whether that must be told."""


def _flip(chance: random.Random, path: Path, _like: list[Path]) -> bool:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return True


def _truncate(chance: random.Random, path: Path, _like: list[Path]) -> bool:
    data = path.read_bytes()
    path.write_bytes(data[: chance.choice((0, chance.randrange(len(data))))])
    return True


def _zero(chance: random.Random, path: Path, _like: list[Path]) -> bool:
    data = bytearray(path.read_bytes())
    begin = chance.randrange(len(data))
    page = data[begin : begin + 4096]
    data[begin : begin + 4096] = bytes(len(page))
    path.write_bytes(data)
    return any(page)


def _remove(_chance: random.Random, path: Path, _like: list[Path]) -> bool:
    path.unlink()
    return True


def _swap(chance: random.Random, path: Path, like: list[Path]) -> bool:
    other = chance.choice([one for one in like if one != path])
    mine, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    other.write_bytes(mine)
    return True


def _overwrite(chance: random.Random, path: Path, like: list[Path]) -> bool:
    path.write_bytes(chance.choice([one for one in like if one != path]).read_bytes())
    return True


def _duplicate(chance: random.Random, path: Path, _like: list[Path]) -> bool:
    if path.suffix not in (".log", ".snapshot"):
        return _flip(chance, path, _like)
    copy = path.with_name(f"{int(path.stem) + chance.choice((-1, 1, 2, 1000)):012}{path.suffix}")
    if copy.exists():
        return _flip(chance, path, _like)
    shutil.copyfile(path, copy)
    return True


def _rename(chance: random.Random, path: Path, like: list[Path]) -> bool:
    if path.suffix not in (".log", ".snapshot"):
        return _remove(chance, path, like)
    path.rename(path.with_name(f"{int(path.stem) + chance.choice((3, 1000)):012}{path.suffix}"))
    return True


DAMAGINGS: tuple[Damaging, ...] = (_flip, _flip, _truncate, _zero, _remove, _swap, _overwrite, _duplicate, _rename)


@dataclass
class Told:
    """How many trials there were, by what was damaged and how, and how many of them were told."""

    trials: Counter[str]
    told: Counter[str]
    lost: int = 0


def damage(chance: random.Random, place: Path) -> tuple[str, bool]:
    """Damage one file; returns what was done in words, and whether it must be told."""
    kinds = {
        "segment": sorted((place / "journal").glob("*.log")),
        "snapshot": sorted((place / "journal").glob("*.snapshot")),
        "view": [place / name for name in DOCUMENTS],
        "older view": [previous(place / name) for name in DOCUMENTS],
        "sums": [place / CHECKSUMS],
        "list": [place / "journal" / held.NAME],
    }
    kind = chance.choices(list(kinds), (5, 3, 2, 1, 1, 1))[0]
    path = chance.choice(kinds[kind])
    how = chance.choice(DAMAGINGS if len(kinds[kind]) > 1 else DAMAGINGS[:5])
    must = how(chance, path, kinds[kind])
    return f"{kind} {how.__name__.strip('_')} {path.name}", must


# --- what must be true ---


def start(place: Path) -> tuple[TakenOver, list[StateDamaged]]:
    """Start the store, and look at everything: what was found damaged."""
    taken = take_over(place, asyncio.to_thread, CLOCK)
    told = list(taken.damages)
    for path in unseen(taken):
        told += [told_damage(BEGIN, each, taken.snapshot) for each in look_at(path, BEGIN)]
    return taken, told


def trial(home: Home, scratch: Path, seed: int, counts: Told) -> None:
    """Damage a copy of a home and start from it."""
    place = scratch / "home"
    shutil.copytree(home.place, place)
    try:
        done, must = damage(random.Random(seed), place)
        _check(home, place, f"seed {seed}: {done}", must, counts)
        kind = " ".join(done.split()[:-1])
        counts.trials[kind] += 1
    finally:
        shutil.rmtree(place)


def _check(home: Home, place: Path, done: str, must: bool, counts: Told) -> None:
    taken, told = start(place)
    story = f"{done}\n" + "\n".join(map(str, told))
    survived = {record.seq: record.payload for record in taken.journal.read()}
    lost = {number for number in home.payloads if number >= home.first} - set(survived)
    assert survived.items() <= home.payloads.items(), f"nothing is invented: {story}"
    assert {number for number in numbers(told) if home.first <= number <= home.last} == lost, f"lost {lost}: {story}"
    known = [number for number in home.payloads if number <= taken.snapshot or number in survived]
    assert taken.world == replay(happened(number) for number in known), f"the world is another: {story}"
    assert told or not must, f"not told: {story}"
    assert taken.journal.append(b"next") > home.last, f"a number was given twice: {story}"
    taken.journal.close()
    asyncio.run(_save(Documents(place, asyncio.to_thread), taken.journal.last_seq))  # as a daemon does within a second
    counts.told[" ".join(done.split()[2:-1])] += bool(told)
    counts.lost += len(lost)
    again, more = start(place)
    again.journal.close()
    assert more == [], f"told twice: {story}\nand {more}"


def numbers(told: Iterable[StateDamaged]) -> set[int]:
    """The numbers of events that were said to be lost."""
    found = (match for one in told for match in _NUMBERS.finditer(one.lost))
    return {number for match in found for number in range(int(match[1]), int(match[2] or match[1]) + 1)}
