"""How much damage of a PostgreSQL database is found by whom, and how long do a backup and a restore take?"""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.report import Findings, Goal
from selfheal.data.postgres import PostgresAsset
from selfheal.data.postgres_options import Options
from selfheal.data.postgres_tools import environment, program
from tests.real.postgres_data import PAGE, asset, file_of, overwrite, place, rows, told
from tests.real.postgres_server import Cluster, cluster

EACH = 6  # damages of a sort, each to a table of its own: there is a database for each, and more prove no more
SEED = 1
_TOKEN = (b"\\restrict", b"\\unrestrict")  # another one in each dump
_OFF = {"autovacuum": "off", "shared_buffers": "128MB"}
_FOUND = {
    "changes": "changes what is read",
    "amcheck": "pg_amcheck",
    "dump": "pg_dump",
    "alone": "selfheal without amcheck",
    "selfheal": "selfheal",
}


def postgres(folder: Path, damages: int, megabytes: int) -> list[Findings]:
    each = min(damages, EACH)
    settings = {"damages": each, "megabytes": megabytes, "seed": SEED}
    figures = dict([*_detection(each, ()), *_detection(each, ("--data-checksums",))])
    took = dict(_times(folder, megabytes))
    restore = took["prepared beside the data"]["s"] + took["put in place"]["s"]
    goals = [Goal(f"restore of {megabytes} MB of PostgreSQL", restore, 10.0, "s")]
    return [
        Findings(f"PostgreSQL: found of {each} damages each", _FOUND, figures, settings),
        Findings("PostgreSQL: how long it takes", {"s": "seconds", "mb": "MB"}, took, settings, goals),
    ]


def _flip(chance: random.Random, file: Path) -> None:
    content = file.read_bytes()
    at = chance.randrange(len(content))
    overwrite(file, at, bytes([content[at] ^ 1 << chance.randrange(8)]))


def _zero(chance: random.Random, file: Path) -> None:
    overwrite(file, chance.randrange(file.stat().st_size // PAGE) * PAGE, bytes(PAGE))


def _smash(chance: random.Random, file: Path) -> None:
    overwrite(file, chance.randrange(file.stat().st_size // PAGE) * PAGE + 8, b"\xff" * 12)


_DAMAGES: dict[str, Callable[[random.Random, Path], None]] = {
    "bit flipped": _flip, "page zeroed": _zero, "header smashed": _smash,
}  # fmt: skip


def _detection(each: int, initdb: tuple[str, ...]) -> Iterator[tuple[str, dict[str, int]]]:
    chance, where = random.Random(SEED), "with checksums" if initdb else "without checksums"
    with cluster(*initdb) as made, tempfile.TemporaryDirectory() as memory:
        for damage, act in _DAMAGES.items():
            names = [f"{damage.split()[1]}_{number}" for number in range(each)]
            yield f"{damage}, {where}", _found(made, names, partial(act, chance), Path(memory))


def _found(made: Cluster, names: Sequence[str], damage: Callable[[Path], None], memory: Path) -> dict[str, int]:
    """How many of the damages each finds. Each has a table of a megabyte or so in a database of its own."""
    with made.serving(_OFF, end=signal.SIGINT) as port:
        files, dumps = [], []
        for name in names:
            told(port, "postgres", f"CREATE DATABASE {name}")
            told(port, name, "CREATE EXTENSION amcheck", *rows(["t"], 12_000), "VACUUM (FREEZE) t", "CHECKPOINT")
            asset(port, name).examine(memory / name, thorough=True)
            files.append(file_of(port, name, "t", made.data))
            dumps.append(_dump(port, name))
    for file in files:
        damage(file)
    with made.serving(_OFF, end=signal.SIGINT) as port:
        quiet = [asset(port, name, options=Options(amcheck="never")) for name in names]
        return {
            "changes": sum(_dump(port, name) != dump for name, dump in zip(names, dumps, strict=True)),
            "amcheck": sum(_exits(port, name, "pg_amcheck", "--heapallindexed") for name in names),
            "dump": sum(_dump(port, name) is None for name in names),
            "alone": sum(_seen(data, memory / data.place.database) for data in quiet),
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


def _times(folder: Path, megabytes: int) -> Iterator[tuple[str, dict[str, float]]]:
    with cluster() as made, made.serving({**_OFF, "fsync": "on"}) as port:
        count = megabytes * 7_300
        told(port, "postgres", "CREATE DATABASE bulk")
        told(
            port, "bulk", "CREATE TABLE t (id int PRIMARY KEY, note text)",
            f"INSERT INTO t SELECT n, repeat(md5(n::text), 3) FROM generate_series(1, {count}) n", "ANALYZE",
        )  # fmt: skip
        data, copy = asset(port, "bulk"), folder / "copy"
        copy.mkdir()
        size = float(told(port, "bulk", "SELECT pg_database_size('bulk') / 1e6")[0])
        steps: dict[str, Callable[[], object]] = {
            "a quick look": lambda: data.examine(folder, thorough=False),
            "a thorough look": lambda: data.examine(folder, thorough=True),
            "a backup": lambda: data.capture(copy),
            "its proof": lambda: data.prove(copy),
            "prepared beside the data": lambda: data.prepare(copy, "t1"),
            "put in place": lambda: data.swap("t1"),
        }
        for what, act in steps.items():
            began = time.perf_counter()
            act()
            yield what, {"s": time.perf_counter() - began, "mb": size}
