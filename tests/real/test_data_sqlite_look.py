"""Does a look at a database of SQLite find what is wrong, without harm to those who use it?"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from selfheal.data.sqlite_look import Canary
from selfheal.errors import DataFailed
from tests.real.sqlite_files import PAGE, asset, busy_writer, damage, make, process


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("model") / "model.db")


@pytest.fixture
def db(model: Path, tmp_path: Path) -> Path:
    (tmp_path / "there").mkdir()
    return Path(shutil.copy2(model, tmp_path / "there" / "ledger.db"))


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory"


def names(db: Path) -> list[str]:
    return sorted(each.name for each in db.parent.iterdir())


def test_a_sound_database_is_sound_and_is_left_as_it_was(db: Path, memory: Path) -> None:
    before = (db.stat().st_mtime_ns, db.read_bytes())
    quick = asset(db).examine(memory, thorough=False)
    thorough = asset(db).examine(memory, thorough=True)
    assert (quick.reason, thorough.reason, quick.counts) == ("", "", {})
    assert thorough.counts == {"orders": 4000, "items": 4000, "keys": 500}
    assert thorough.signals["manifest"] == 1
    assert (db.stat().st_mtime_ns, db.read_bytes()) == before
    assert names(db) == ["ledger.db"]


def test_a_missing_file_is_missing_data(tmp_path: Path, memory: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "nowhere.db")
    for name in ("no.db", "no/folder.db", "link.db"):
        assert asset(tmp_path / name).examine(memory, thorough=False).cause == "missing_data"


def test_an_empty_file_is_a_database_until_it_has_held_tables(db: Path, tmp_path: Path, memory: Path) -> None:
    fresh = tmp_path / "fresh.db"
    fresh.touch()
    assert asset(fresh).examine(tmp_path / "other", thorough=True).reason == ""
    asset(db).examine(memory, thorough=False)
    db.write_bytes(b"")
    assert asset(db).examine(memory, thorough=False).cause == "missing_data"


def test_another_file_is_never_taken_for_a_damaged_database(tmp_path: Path, memory: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear reader, " * 1000)
    assert asset(letter).examine(memory, thorough=False).cause == "schema_broken"


def test_a_folder_and_a_file_that_may_not_be_read_cannot_be_known(tmp_path: Path, memory: Path) -> None:
    with pytest.raises(DataFailed, match="cannot read"):
        asset(tmp_path).examine(memory, thorough=False)


def test_a_link_is_followed(db: Path, tmp_path: Path, memory: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(db)
    assert asset(link).examine(memory, thorough=True).reason == ""
    assert names(db) == ["ledger.db"]


def test_a_flipped_bit_that_sqlite_does_not_see_is_found_by_the_manifest(db: Path, memory: Path) -> None:
    asset(db).examine(memory, thorough=True)

    place = db.read_bytes().index(b"thing 1234 ")
    damage(db, lambda data: data.__setitem__(place, data[place] ^ 1))
    with contextlib.closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as own:
        assert own.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    found = asset(db).examine(memory, thorough=True)
    assert found.cause == "corrupted"
    assert f"its pages {place // PAGE + 1} have changed" in found.reason


def test_what_was_written_rightly_gets_another_manifest(db: Path, memory: Path) -> None:
    asset(db).examine(memory, thorough=True)
    with process(db, "db.execute('DELETE FROM orders WHERE id < 100')"):
        pass
    for _ in range(2):
        found = asset(db).examine(memory, thorough=True)
        assert (found.reason, found.signals["manifest"], found.counts["orders"]) == ("", 1, 3900)


@pytest.mark.parametrize("wal", [False, True])
def test_a_busy_writer_is_neither_blamed_nor_held_up(tmp_path: Path, memory: Path, wal: bool) -> None:
    db = make(tmp_path / "busy.db", wal=wal)
    told: list[float] = []
    with busy_writer(db, told):
        for thorough in (False, True, False, True):
            assert asset(db).examine(memory, thorough=thorough).reason == ""
    written, longest = told
    assert written > 5
    assert longest < 5  # far from the minutes that a busy timeout is; a slow machine has seconds of its own


def test_a_lock_that_is_held_on_is_told_with_who_holds_it(db: Path, memory: Path) -> None:
    strict = asset(db, max_lock=0.0)
    with process(db, "db.execute('BEGIN IMMEDIATE')") as holder:
        strict.examine(memory, thorough=False)
        found = strict.examine(memory, thorough=False)
        assert (found.cause, str(holder.pid) in found.reason) == ("locked", True)
    assert strict.examine(memory, thorough=False).reason == ""


@pytest.mark.parametrize("begin", ["BEGIN EXCLUSIVE", "PRAGMA locking_mode = EXCLUSIVE"])
def test_a_database_that_is_kept_locked_is_not_called_damaged(db: Path, memory: Path, begin: str) -> None:
    with process(db, f"db.execute({begin!r}); db.execute('DELETE FROM orders WHERE id = 1')"):
        found = asset(db).examine(memory, thorough=False)
    assert (found.reason, found.cause) == ("", "")


def test_the_lock_of_a_wal_is_seen_too(tmp_path: Path, memory: Path) -> None:
    db = make(tmp_path / "wal.db", wal=True)
    with process(db, "db.execute('BEGIN IMMEDIATE')"):
        strict = asset(db, max_lock=0.0)
        found = [strict.examine(memory, thorough=False).cause for _ in range(2)]
    assert found == ["", "locked"]


def _killed(db: Path, code: str) -> None:
    """Let a process die in the middle of writing."""
    with process(db, code):
        pass


HOT = """
db.execute('PRAGMA cache_size = 5')
db.execute('BEGIN')
db.execute("UPDATE orders SET who = who || 'x'")
"""


def test_a_hot_journal_is_left_to_its_owner_and_looked_past(db: Path, memory: Path) -> None:
    _killed(db, HOT)
    assert names(db) == ["ledger.db", "ledger.db-journal"]
    before = db.read_bytes()
    found = asset(db).examine(memory, thorough=True)
    assert (found.reason, found.counts["orders"]) == ("", 4000)
    assert names(db) == ["ledger.db", "ledger.db-journal"]
    assert db.read_bytes() == before


def test_a_wal_without_its_index_is_read_and_nothing_is_made_beside_it(tmp_path: Path, memory: Path) -> None:
    (tmp_path / "there").mkdir()
    db = make(tmp_path / "there" / "ledger.db", wal=True)
    _killed(db, "db.execute('DELETE FROM orders WHERE id < 100')")
    (db.parent / "ledger.db-shm").unlink()
    found = asset(db).examine(memory, thorough=True)
    assert (found.reason, found.counts["orders"]) == ("", 3900)
    assert names(db) == ["ledger.db", "ledger.db-wal"]


def test_commits_that_a_torn_wal_has_lost_are_found(tmp_path: Path, memory: Path) -> None:
    db = make(tmp_path / "ledger.db", wal=True)
    _killed(db, "for n in range(20): db.execute('DELETE FROM orders WHERE id = ?', (n * 150,))")
    wal = tmp_path / "ledger.db-wal"
    intact = wal.read_bytes()
    wal.write_bytes(intact[:-1000])
    assert asset(db).examine(memory, thorough=True).reason == ""  # a torn tail was never committed
    wal.write_bytes(intact)
    damage(wal, lambda data: data.__setitem__(PAGE * 3, data[PAGE * 3] ^ 1))
    assert asset(db).examine(memory, thorough=True).cause == "torn_tail"


def test_a_grown_wal_is_told_and_shortened_and_who_holds_it_back_is_named(tmp_path: Path, memory: Path) -> None:
    db = make(tmp_path / "ledger.db", wal=True)
    narrow = asset(db, max_wal=100_000)
    write = "db.execute('PRAGMA wal_autocheckpoint = 0'); db.execute(\"UPDATE items SET what = what || '!'\")"
    with process(db, "db.execute('BEGIN'); db.execute('SELECT count(*) FROM items').fetchall()") as slow:
        with process(db, write):
            assert narrow.examine(memory, thorough=False).cause == "wal_grown"
            with pytest.raises(DataFailed, match=f"process {slow.pid}"):
                narrow.mend("checkpoint_wal")
        slow.kill()
        slow.wait()
    assert "bytes of its WAL were freed" in narrow.mend("checkpoint_wal")
    assert narrow.mend("checkpoint_wal") == "there is nothing in its WAL"
    assert narrow.examine(memory, thorough=False).reason == ""


def test_canaries_say_what_is_in_it_and_what_is_missing(db: Path, memory: Path) -> None:
    canaries = {"orders": Canary("SELECT count(*) FROM orders", least=10.0)}
    watched = asset(db, canaries=canaries, max_drop=0.5)
    assert watched.examine(memory, thorough=False).counts == {"orders": 4000}
    with process(db, "db.execute('DELETE FROM orders WHERE id > 1500')"):
        pass
    found = watched.examine(memory, thorough=False)
    assert (found.cause, found.signals["orders"]) == ("missing_data", 1501)
    with process(db, "db.execute('DROP TABLE orders')"):
        pass
    assert watched.examine(memory, thorough=False).cause == "schema_broken"


def test_data_that_should_be_fresh_and_are_old_are_stale(db: Path, memory: Path) -> None:
    os.utime(db, (1e9, 1e9))
    assert asset(db, max_age=60.0).examine(memory, thorough=False).cause == "stale"


def test_a_row_that_points_to_nothing_is_found_where_that_is_asked_for(tmp_path: Path, memory: Path) -> None:
    db = tmp_path / "keys.db"
    code = "CREATE TABLE a(id INTEGER PRIMARY KEY); CREATE TABLE b(a REFERENCES a(id)); INSERT INTO b VALUES (7)"
    with process(db, f"db.executescript({code!r})"):
        pass
    assert asset(db).examine(memory, thorough=True).reason == ""
    assert "1 rows of b point to no row of a" in asset(db, foreign_keys=True).examine(memory, thorough=True).reason
