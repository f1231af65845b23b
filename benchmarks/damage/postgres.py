"""How much damage of a PostgreSQL database is found by whom, and how long do a backup and a restore take?"""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from selfheal.data.postgres import PostgresAsset
from selfheal.data.postgres_options import Options
from selfheal.data.postgres_tools import environment, program
from tests.real.postgres_data import PAGE, asset, file_of, overwrite, place, rows, told
from tests.real.postgres_server import Cluster, cluster

EACH = 6  # damages of a sort, each to a table of its own
BULK_MB = 100
_TOKEN = (b"\\restrict", b"\\unrestrict")  # another one in each dump
_OFF = {"autovacuum": "off", "shared_buffers": "128MB"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, of whom, how much of how many, in which unit."""

    what: str
    who: str
    value: float
    of: float
    unit: str


def run(seed: int = 1) -> list[Row]:
    return [*_detection(seed, ()), *_detection(seed, ("--data-checksums",)), *_times()]


def _flip(file: Path, chance: random.Random) -> None:
    content = file.read_bytes()
    at = chance.randrange(len(content))
    overwrite(file, at, bytes([content[at] ^ 1 << chance.randrange(8)]))


def _zero(file: Path, chance: random.Random) -> None:
    overwrite(file, chance.randrange(file.stat().st_size // PAGE) * PAGE, bytes(PAGE))


def _smash(file: Path, chance: random.Random) -> None:
    overwrite(file, chance.randrange(file.stat().st_size // PAGE) * PAGE + 8, b"\xff" * 12)


_DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "bit flipped": _flip, "page zeroed": _zero, "header smashed": _smash,
}  # fmt: skip


def _detection(seed: int, initdb: tuple[str, ...]) -> Iterator[Row]:
    chance, where = random.Random(seed), "with checksums" if initdb else "without checksums"
    with cluster(*initdb) as made, tempfile.TemporaryDirectory() as memory:
        for damage, act in _DAMAGES.items():
            found = _found(made, damage, act, chance, Path(memory))
            for who, count in found.items():
                yield Row(f"{damage}, {where}", who, count, EACH, "found")


def _found(
    made: Cluster, damage: str, act: Callable[[Path, random.Random], None], chance: random.Random, memory: Path
) -> dict[str, int]:
    """How many of the damages each finds. Each has a table of a megabyte or so in a database of its own."""
    names = [f"{damage.split()[1]}_{number}" for number in range(EACH)]
    with made.serving(_OFF, end=signal.SIGINT) as port:
        files, dumps = [], []
        for name in names:
            told(port, "postgres", f"CREATE DATABASE {name}")
            told(port, name, "CREATE EXTENSION amcheck", *rows(["t"], 12_000), "VACUUM (FREEZE) t", "CHECKPOINT")
            asset(port, name).examine(memory / name, thorough=True)
            files.append(file_of(port, name, "t", made.data))
            dumps.append(_dump(port, name))
    for file in files:
        act(file, chance)
    with made.serving(_OFF, end=signal.SIGINT) as port:
        quiet = [asset(port, name, options=Options(amcheck="never")) for name in names]
        return {
            "(changes what is read)": sum(_dump(port, name) != dump for name, dump in zip(names, dumps, strict=True)),
            "pg_amcheck": sum(_exits(port, name, "pg_amcheck", "--heapallindexed") for name in names),
            "pg_dump": sum(_dump(port, name) is None for name in names),
            "selfheal without amcheck": sum(_seen(each, memory / each.place.database) for each in quiet),
            "selfheal": sum(_seen(asset(port, name), memory / name) for name in names),
        }


def _exits(port: int, database: str, name: str, *words: str) -> bool:
    return _done(port, database, name, *words).returncode != 0


def _dump(port: int, database: str) -> str | None:
    """What a dump holds, as a digest; None where there can be none."""
    done = _done(port, database, "pg_dump", "--data-only")
    rows = b"\n".join(line for line in done.stdout.splitlines() if not line.startswith(_TOKEN))
    return None if done.returncode else hashlib.blake2b(rows).hexdigest()


def _done(port: int, database: str, name: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    argv = [program(name), *words]
    return subprocess.run(argv, env=environment(place(port, database)), capture_output=True, check=False)


def _seen(data: PostgresAsset, memory: Path) -> bool:
    return data.examine(memory, thorough=True).reason != ""


def _times() -> Iterator[Row]:
    with cluster() as made, made.serving({**_OFF, "fsync": "on"}) as port, tempfile.TemporaryDirectory() as folder:
        told(port, "postgres", "CREATE DATABASE bulk")
        told(
            port, "bulk", "CREATE TABLE t (id int PRIMARY KEY, note text)",
            f"INSERT INTO t SELECT n, repeat(md5(n::text), 3) FROM generate_series(1, {BULK_MB * 7_300}) n", "ANALYZE",
        )  # fmt: skip
        data, copy = asset(port, "bulk"), Path(folder) / "copy"
        copy.mkdir()
        megabytes = float(told(port, "bulk", "SELECT pg_database_size('bulk') / 1e6")[0])
        steps: dict[str, Callable[[], object]] = {
            "a quick look": lambda: data.examine(Path(folder), thorough=False),
            "a thorough look": lambda: data.examine(Path(folder), thorough=True),
            "a backup": lambda: data.capture(copy),
            "its proof": lambda: data.prove(copy),
            "prepared beside the data": lambda: data.prepare(copy, "t1"),
            "put in place": lambda: data.swap("t1"),
        }
        for what, act in steps.items():
            began = time.perf_counter()
            act()
            yield Row(what, "selfheal", time.perf_counter() - began, megabytes, "s for MB")


def main() -> int:
    for row in run():
        print(f"{row.what:40} {row.who:30} {row.value:8.2f} {row.unit} {row.of:.0f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
