"""Is a database copied as of one moment, and exchanged so that a crash at any moment leaves a whole one?"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from selfheal.errors import DataFailed
from tests.real.sqlite_files import asset, busy_writer, damage, make, process


def captured(db: Path, name: str = "into") -> Path:
    into = db.parent / "memory" / name
    into.mkdir(parents=True)
    proof = asset(db).capture(into)
    assert asset(db).prove(into).counts == proof.counts
    assert asset(db).prove(into).digest == proof.digest
    return into


def pairs(copy: Path) -> tuple[int, int]:
    """How many rows of the busy writer each table of a copy has."""
    with contextlib.closing(sqlite3.connect(copy / "data.db")) as back:
        count = "SELECT count(*) FROM {} WHERE {} = 'pair'"
        orders, items = (
            back.execute(count.format(*each)).fetchone() for each in (("orders", "who"), ("items", "what"))
        )
        return orders[0], items[0]


@pytest.mark.parametrize("wal", [False, True])
def test_a_copy_is_of_one_moment_however_much_is_written_meanwhile(tmp_path: Path, wal: bool) -> None:
    db = make(tmp_path / "ledger.db", wal=wal)
    with busy_writer(db, []):
        copies = [pairs(captured(db, "0"))]
        while len(copies) < 3 or copies[-1] == copies[0]:  # how often the writer gets its turn is the machine's affair
            copies.append(pairs(captured(db, str(len(copies)))))
    assert all(orders == items for orders, items in copies)


def test_all_that_was_written_before_as_of_is_in_the_copy(tmp_path: Path) -> None:
    db = make(tmp_path / "ledger.db", wal=True)
    with process(db, "db.execute('DELETE FROM orders WHERE id < 10')"):
        written = (tmp_path / "ledger.db-wal").stat().st_mtime
        (tmp_path / "into").mkdir()
        proof = asset(db).capture(tmp_path / "into")
    assert proof.as_of >= written
    assert proof.counts["orders"] == 3990


def test_a_copy_that_was_damaged_is_not_proved(tmp_path: Path) -> None:
    db = make(tmp_path / "ledger.db")
    copy = captured(db)
    good = asset(db).prove(copy)
    place = (copy / "data.db").read_bytes().index(b"thing 1234 ")
    damage(copy / "data.db", lambda data: data.__setitem__(place, data[place] ^ 1))
    assert asset(db).prove(copy).digest != good.digest
    damage(copy / "data.db", lambda data: data.__setitem__(slice(9 * 4096, 10 * 4096), bytes(4096)))
    with pytest.raises(DataFailed, match="not sound"):
        asset(db).prove(copy)


def test_a_missing_database_is_put_back_and_the_second_time_is_as_the_first(tmp_path: Path) -> None:
    db = make(tmp_path / "ledger.db")
    copy = captured(db)
    db.unlink()
    asset(db).prepare(copy, "T1")
    assert asset(db).swap("T1") == asset(db).swap("T1")
    assert asset(db).swap("T1").aside == ""
    assert asset(db).examine(tmp_path / "memory", thorough=True).counts["orders"] == 4000


def test_nothing_is_exchanged_that_was_not_prepared(tmp_path: Path) -> None:
    db = make(tmp_path / "ledger.db")
    with pytest.raises(DataFailed, match="nothing is prepared"):
        asset(db).swap("T1")


def test_the_mode_and_the_link_stay_as_they_were(tmp_path: Path) -> None:
    db = make(tmp_path / "ledger.db")
    db.chmod(0o640)
    link = tmp_path / "link.db"
    link.symlink_to(db)
    asset(link).prepare(captured(db), "T1")
    answer = asset(link).swap("T1")
    assert (db.stat().st_mode & 0o777, link.is_symlink(), Path(answer.aside).name) == (
        0o640,
        True,
        "ledger.db.damaged-T1",
    )


def test_who_has_the_old_one_open_goes_on_with_that_and_harms_no_new_one(tmp_path: Path) -> None:
    db = make(tmp_path / "ledger.db", wal=True)
    late = "db.execute('DELETE FROM orders WHERE id < 10'); print('ready', flush=True); sys.stdin.readline()\n"
    late += "db.execute('DELETE FROM orders WHERE id < 100'); print('done', flush=True); sys.stdin.read()"
    copy = captured(db)
    with process(db, late, "") as old:
        asset(db).prepare(copy, "T1")
        aside = Path(asset(db).swap("T1").aside)
        assert old.stdin is not None
        assert old.stdout is not None
        print(file=old.stdin, flush=True)
        assert old.stdout.readline() == "done\n"
        assert asset(db).examine(tmp_path / "memory", thorough=True).counts["orders"] == 4000
    with contextlib.closing(sqlite3.connect(aside)) as kept:
        assert kept.execute("SELECT count(*) FROM orders").fetchone() == (3900,)


# Dies at the n-th act on names; the audit hook is told of each before it is done.
DYING = """
import os, sys
from selfheal.data.sqlite import SqliteAsset
left = [int(sys.argv[2])]
def hook(event, args):
    if event in {"os.rename", "os.link", "os.remove", "os.chmod", "os.chown", "shutil.copyfile", "open"} and armed:
        left[0] -= 1
        if left[0] < 0:
            os._exit(9)
armed = []
sys.addaudithook(hook)
asset = SqliteAsset(agent="ledger", path=sys.argv[1])
armed.append(1)
asset.swap("T1")
"""


def _left_by_a_crash(tmp_path: Path) -> Path:
    """A database whose journal of writes is still in its WAL."""
    db = make(tmp_path / "ledger.db", wal=True)
    captured(db)
    with process(db, "db.execute(\"UPDATE orders SET who = 'old'\")"):
        pass
    assert (tmp_path / "ledger.db-wal").stat().st_size > 4096
    return db


def test_a_crash_at_any_moment_leaves_a_whole_database_and_the_exchange_goes_on(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    asset(_left_by_a_crash(model)).prepare(model / "memory" / "into", "T1")
    died = 0
    while True:
        here = Path(shutil.copytree(model, tmp_path / f"try-{died}"))
        argv = [sys.executable, "-c", DYING, str(here / "ledger.db"), str(died)]
        code = subprocess.run(argv, check=False).returncode
        first = asset(here / "ledger.db").swap("T1")
        assert asset(here / "ledger.db").swap("T1") == first
        _is_exchanged(here, Path(first.aside))
        if code == 0:
            break
        assert code == 9
        died += 1
    assert died > 5


def _is_exchanged(here: Path, aside: Path) -> None:
    """The new database has met nothing of the old one, and the old one is whole, with what stood in its WAL."""
    assert not (here / "ledger.db-wal").exists()
    for path, wanted in ((here / "ledger.db", 0), (aside, 4000)):
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert db.execute("SELECT count(*) FROM orders WHERE who = 'old'").fetchone() == (wanted,)
    aside.unlink()
