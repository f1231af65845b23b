"""What damage of a database of SQLite is found by which check, and what comes back of it?

A database of ten megabytes is damaged at a random place, again and again, without any trace in its times, as a disk
does it. Each row that comes back is compared with what was there.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Findings, Goal
from selfheal.data.page_manifest import strange_runs
from selfheal.data.sqlite import SqliteAsset
from selfheal.data.sqlite_copy import check
from selfheal.data.sqlite_open import connect
from selfheal.errors import DataFailed

PAGE = 4096
TABLES = ("orders", "items")
SALVAGED = 6  # one of so many damages is salvaged too: that takes ten times as long as to find it
Damage = Callable[[bytearray, random.Random], None]
# What is compared is what stands there, byte by byte.
Rows = Mapping[str, Mapping[int, tuple[object, ...]]]


def flipped_bit(data: bytearray, dice: random.Random) -> None:
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def flipped_in_header(data: bytearray, dice: random.Random) -> None:
    data[dice.randrange(100)] ^= 1 << dice.randrange(8)


def zeroed_page(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data) // PAGE) * PAGE
    data[at : at + PAGE] = bytes(PAGE)


def swapped_pages(data: bytearray, dice: random.Random) -> None:
    one, other = (slice(n * PAGE, (n + 1) * PAGE) for n in dice.sample(range(1, len(data) // PAGE), 2))
    data[one], data[other] = data[other], data[one]


def overwritten(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data) // PAGE - 16) * PAGE
    data[at : at + 16 * PAGE] = dice.randbytes(16 * PAGE)


def cut_off(data: bytearray, dice: random.Random) -> None:
    del data[dice.randrange(len(data) * 9 // 10, len(data)) :]


def first_page_gone(data: bytearray, dice: random.Random) -> None:
    data[:PAGE] = dice.randbytes(PAGE)


DAMAGES: tuple[Damage, ...] = (
    flipped_bit, flipped_in_header, zeroed_page, swapped_pages, overwritten, cut_off, first_page_gone,
)  # fmt: skip


def make(path: Path, megabytes: int) -> None:
    dice = random.Random(1)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE orders(id INTEGER PRIMARY KEY, who TEXT, amount REAL, note TEXT)")
        db.execute("CREATE TABLE items(id INTEGER PRIMARY KEY, of INTEGER, what TEXT)")
        db.execute("CREATE INDEX by_who ON orders(who)")
        count = megabytes * 4300
        orders = ((i, f"name {i % 997}", i / 7, dice.randbytes(50).hex()) for i in range(count))
        db.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", orders)
        db.executemany("INSERT INTO items VALUES (?, ?, ?)", ((i, i // 3, f"thing {i}" * 6) for i in range(count)))
        db.commit()


def rows(path: Path) -> Rows:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.text_factory = bytes  # a flipped bit may leave no text
        return {table: {row[0]: row for row in db.execute(f"SELECT * FROM {table}")} for table in TABLES}


@dataclass
class Bench:
    """A sound database, what looks have kept of it, and what was found of its damages."""

    path: Path
    memory: Path

    def __post_init__(self) -> None:
        make(self.path, 10)
        self.asset = SqliteAsset(agent="ledger", path=str(self.path))
        self.asset.examine(self.memory, thorough=True)
        self.data, self.stat, self.whole = self.path.read_bytes(), self.path.stat(), rows(self.path)

    def damages(self, damage: Damage, times: int) -> dict[str, float]:
        dice = random.Random(damage.__name__)
        found = dict.fromkeys(("quick", "integrity", "manifest", "look", "back", "wrong", "blind", "none_back"), 0.0)
        for number in range(times):
            data = bytearray(self.data)
            damage(data, dice)
            self.path.write_bytes(data)
            os.utime(self.path, ns=(self.stat.st_atime_ns, self.stat.st_mtime_ns))
            self._detect(found)
            if number % SALVAGED == 0:
                self._salvage(found)
        all_rows = sum(map(len, self.whole.values())) * len(range(0, times, SALVAGED))
        return found | {"back": found["back"] / all_rows * 100}

    def _detect(self, found: dict[str, float]) -> None:
        found["quick"] += _checked(self.path, quick=True)
        found["integrity"] += _checked(self.path, quick=False)
        found["manifest"] += bool(strange_runs(self.path, self.memory, lambda *_: None))
        found["look"] += bool(self.asset.examine(self.memory, thorough=True).reason)

    def _salvage(self, found: dict[str, float]) -> None:
        """Salvage with all that looks have kept, and again without the hashes, as if it had been written to since."""
        try:
            right, wrong = self._salvaged(self.memory)
        except DataFailed:
            found["none_back"] += 1
            return
        found["back"] += right
        found["wrong"] += wrong
        blind = self.path.parent / "blind"
        blind.mkdir()
        shutil.copy(self.memory / "sqlite-sound", blind)
        found["blind"] += self._salvaged(blind)[1]
        blind.joinpath("sqlite-sound").unlink()
        blind.rmdir()

    def _salvaged(self, memory: Path) -> tuple[int, int]:
        """Return how many rows came back as they were, and how many otherwise."""
        into = memory / "into"
        into.mkdir()
        try:
            self.asset.salvage(into)
            back = rows(into / "data.db")
        finally:
            shutil.rmtree(into)
        right = sum(self.whole[table].get(each) == row for table in TABLES for each, row in back[table].items())
        return right, sum(map(len, back.values())) - right


def _checked(path: Path, *, quick: bool) -> bool:
    try:
        with contextlib.closing(connect(path, "mode=ro&immutable=1")) as db:
            return bool(check(db, quick=quick))
    except sqlite3.Error:
        return True


def timed(folder: Path, megabytes: int) -> dict[str, float]:
    """How long each step takes with a database of so many megabytes."""
    path, memory, into = folder / "large.db", folder / "memory", folder / "memory" / "into"
    make(path, megabytes)
    asset = SqliteAsset(agent="ledger", path=str(path))
    took: dict[str, float] = {"megabytes": path.stat().st_size / 1e6}

    def restore() -> None:
        asset.prove(into)
        asset.prepare(into, "T")
        asset.swap("T")

    def take(name: str, work: Callable[[], object]) -> None:
        began = time.perf_counter()
        work()
        took[name] = time.perf_counter() - began

    take("quick_s", lambda: asset.examine(memory, thorough=False))
    take("thorough_s", lambda: asset.examine(memory, thorough=True))
    into.mkdir()
    take("capture_s", lambda: asset.capture(into))
    take("prove_s", lambda: asset.prove(into))
    take("restore_s", restore)
    (folder / "memory" / "back").mkdir()
    take("salvage_s", lambda: asset.salvage(folder / "memory" / "back"))
    return took


def sqlite(folder: Path, damages: int, megabytes: int) -> list[Findings]:
    (folder / "small").mkdir()
    (folder / "large").mkdir()
    bench = Bench(folder / "small" / "ledger.db", folder / "small" / "memory")
    figures = {damage.__name__.replace("_", " "): bench.damages(damage, damages) for damage in DAMAGES}
    took = timed(folder / "large", megabytes)
    settings = {"damages": damages, "megabytes": megabytes, "sqlite": sqlite3.sqlite_version}
    columns = {
        "quick": "quick_check", "integrity": "integrity_check", "manifest": "manifest", "look": "thorough look",
        "back": "rows back, %", "wrong": "wrong rows", "blind": "without hashes", "none_back": "nothing back",
    }  # fmt: skip
    least = min(each["look"] for each in figures.values())
    goals = [
        Goal("damages found of each sort", least, damages, f"of {damages}", at_least=True),
        Goal("wrong rows that came back", sum(each["wrong"] for each in figures.values()), 0, "rows"),
        Goal(f"restore of {took['megabytes']:.0f} MB", took["restore_s"], 10, "s"),
    ]
    times = {key: key.removesuffix("_s").replace("_", " ") + (", s" if key.endswith("_s") else "") for key in took}
    return [
        Findings(f"SQLite: {damages} damages of each sort, 10 MB", columns, figures, settings, goals),
        Findings("SQLite: how long each step takes", times, {"one file": took}, settings),
    ]
