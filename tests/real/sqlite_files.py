"""What databases do the tests look at, what happens to them, and who else uses them meanwhile?"""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from selfheal.data.sqlite import SqliteAsset

PAGE = 4096
ORDERS, ITEMS, KEYS = 4000, 4000, 500

SCHEMA = """
CREATE TABLE orders(id INTEGER PRIMARY KEY, who TEXT, amount REAL);
CREATE INDEX by_who ON orders(who);
CREATE TABLE items(id INTEGER PRIMARY KEY, what TEXT, n INTEGER, picture BLOB);
CREATE TABLE keys(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
CREATE VIEW rich AS SELECT * FROM orders WHERE amount > 10;
CREATE TRIGGER gone AFTER DELETE ON orders BEGIN DELETE FROM items WHERE n = old.id; END;
"""

Rows = dict[str, set[tuple[object, ...]]]


def make(path: Path, *, wal: bool = False) -> Path:
    """Write a sound database of some 200 pages, with rows that span pages."""
    dice = random.Random(7)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA journal_mode = {'WAL' if wal else 'DELETE'}")
        db.executescript(SCHEMA)
        db.executemany("INSERT INTO orders VALUES (?, ?, ?)", [(i, f"name {i % 97}", float(i)) for i in range(ORDERS)])
        items = [(i, f"thing {i} " * 3, i, dice.randbytes(9000) if i % 500 == 0 else None) for i in range(ITEMS)]
        db.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", items)
        db.executemany("INSERT INTO keys VALUES (?, ?)", [(f"key {i}", i) for i in range(KEYS)])
        db.commit()
    return path


def rows(path: Path) -> Rows:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return {table: set(db.execute(f"SELECT * FROM {table}")) for table in ("orders", "items", "keys")}


def asset(path: Path, **options: object) -> SqliteAsset:
    return SqliteAsset(agent="ledger", path=str(path), **options)  # type: ignore[arg-type]


def pages_of_kind(data: bytes | bytearray, kind: int) -> list[int]:
    """The numbers of the pages of a kind of tree page; the first page is the schema's."""
    return [n for n in range(2, len(data) // PAGE + 1) if data[(n - 1) * PAGE] == kind]


def root_of(path: Path, name: str) -> int:
    with contextlib.closing(sqlite3.connect(path)) as db:
        root: int = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()[0]
        return root


def damage(path: Path, change: Callable[[bytearray], None], *, silent: bool = True) -> None:
    """Change the bytes of a file; `silent` as a disk does it, so that no time of the file tells of it."""
    stat = path.stat()
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    if silent:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


_PRELUDE = "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)\n"
_END = "\nprint('ready', flush=True)\nsys.stdin.read()\n"


@contextlib.contextmanager
def process(path: Path, code: str, end: str = _END) -> Iterator[subprocess.Popen[str]]:
    """Let another process do something to a database; it is there until the end of the block."""
    argv = [sys.executable, "-c", _PRELUDE + code + end, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "ready\n"
            yield child
        finally:
            child.kill()


# Writes pairs of rows in one transaction each, so that a copy can be seen to be of one moment; tells the longest wait.
BUSY = """
import time, threading
print('ready', flush=True)
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
longest = n = 0
while not over.is_set():
    n += 1
    began = time.perf_counter()
    db.execute('BEGIN IMMEDIATE')
    db.execute('INSERT INTO orders(who, amount) VALUES (?, ?)', ('pair', n))
    db.execute('INSERT INTO items(what, n) VALUES (?, ?)', ('pair', n))
    db.execute('COMMIT')
    longest = max(longest, time.perf_counter() - began)
    over.wait(0.001)
print(n, longest, flush=True)
"""


@contextlib.contextmanager
def busy_writer(path: Path, told: list[float]) -> Iterator[None]:
    """Let a process write for as long as the block runs; adds how often it did and how long it waited at most."""
    with process(path, BUSY, "") as child:
        yield
        out, _ = child.communicate("")
        told.extend(map(float, out.split()))
