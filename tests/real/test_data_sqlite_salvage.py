"""What is found of a damaged database, and what comes back of it? Nothing that comes back was never there."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.data.asset import Salvaged
from selfheal.errors import DataFailed
from tests.real.sqlite_files import (
    ITEMS,
    ORDERS,
    PAGE,
    Rows,
    asset,
    damage,
    make,
    pages_of_kind,
    process,
    root_of,
    rows,
)

Change = Callable[[bytearray], None]
LEAF, INNER, INDEX_LEAF = 0x0D, 0x05, 0x0A


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the memory of a thorough look at it."""
    db = make(tmp_path_factory.mktemp("model") / "ledger.db")
    asset(db).examine(db.parent / "memory", thorough=True)
    return db


@pytest.fixture
def db(model: Path, tmp_path: Path) -> Path:
    """A copy whose looks remember what those at the model saw, all but the hashes: it is another file."""
    shutil.copytree(model.parent, tmp_path / "there")
    (tmp_path / "there" / "memory" / "sqlite-manifest").unlink()
    return tmp_path / "there" / "ledger.db"


@pytest.fixture(scope="module")
def whole(model: Path) -> Rows:
    return rows(model)


def salvaged(db: Path) -> tuple[Salvaged, Rows]:
    into = db.parent / "memory" / "into"
    into.mkdir()
    answer = asset(db).salvage(into)
    assert [each.name for each in into.iterdir()] == ["data.db"]
    assert asset(db).prove(into).counts == answer.proof.counts
    return answer, rows(into / "data.db")


def flip(data: bytearray, page: int, at: int) -> None:
    data[(page - 1) * PAGE + at] ^= 0x40


def zero(data: bytearray, page: int) -> None:
    data[(page - 1) * PAGE : page * PAGE] = bytes(PAGE)


def leaf(data: bytearray) -> int:
    return pages_of_kind(data, LEAF)[20]


def exchange(data: bytearray, one: int, other: int) -> None:
    first, second = (slice((n - 1) * PAGE, n * PAGE) for n in (one, other))
    data[first], data[second] = data[second], data[first]


def flip_a_pointer(data: bytearray) -> None:
    flip(data, leaf(data), 9)


def flip_an_inner_page(data: bytearray) -> None:
    flip(data, pages_of_kind(data, INNER)[-1], 13)


def zero_a_leaf(data: bytearray) -> None:
    zero(data, leaf(data))


def zero_an_inner_page(data: bytearray) -> None:
    zero(data, pages_of_kind(data, INNER)[0])


def destroy_the_header(data: bytearray) -> None:
    data[:100] = b"\xff" * 100


def destroy_the_schema(data: bytearray) -> None:
    data[100:PAGE] = bytes(PAGE - 100)


def destroy_the_first_page(data: bytearray) -> None:
    zero(data, 1)


def exchange_leaves(data: bytearray) -> None:
    exchange(data, *pages_of_kind(data, LEAF)[10:12])


def cut(data: bytearray) -> None:
    del data[len(data) * 3 // 4 + 100 :]


def write_over(data: bytearray) -> None:
    data[40 * PAGE : 48 * PAGE] = b"something else. " * (8 * PAGE // 16)


@pytest.mark.parametrize(
    ("change", "least"),
    [
        (flip_a_pointer, 0.99),
        (flip_an_inner_page, 0.95),
        (zero_a_leaf, 0.98),
        (zero_an_inner_page, 1.0),
        (destroy_the_header, 1.0),
        (destroy_the_schema, 1.0),
        (destroy_the_first_page, 1.0),
        (exchange_leaves, 1.0),
        (cut, 0.6),
        (write_over, 0.9),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_damage_is_found_and_what_is_sound_comes_back(db: Path, whole: Rows, change: Change, least: float) -> None:
    damage(db, change, silent=False)
    assert asset(db).examine(db.parent / "memory", thorough=True).cause == "corrupted"
    answer, back = salvaged(db)
    assert all(back[table] <= whole[table] for table in whole), "something was invented"
    share = sum(map(len, back.values())) / sum(map(len, whole.values()))
    assert share >= least
    assert bool(answer.lost) == (share < 1)


def test_what_is_lost_is_said_with_its_row_ids(db: Path, whole: Rows) -> None:
    damage(db, zero_a_leaf)
    answer, back = salvaged(db)
    table, count = ("orders", ORDERS) if len(back["orders"]) < ORDERS else ("items", ITEMS)
    ids = sorted(int(str(row[0])) for row in whole[table] - back[table])
    assert answer.lost == f"{table}: {len(ids)} of {count:,} rows, the row ids {ids[0]} to {ids[-1]}"


def test_a_page_that_has_changed_in_silence_is_not_believed(db: Path, whole: Rows) -> None:
    asset(db).examine(db.parent / "memory", thorough=True)
    place = db.read_bytes().index(b"thing 1234 ")
    damage(db, lambda data: data.__setitem__(place, data[place] ^ 1))
    _, back = salvaged(db)
    assert back["items"] < whole["items"]


def test_rows_that_were_deleted_do_not_rise_again(db: Path, whole: Rows) -> None:
    with process(db, "db.execute('PRAGMA secure_delete = OFF'); db.execute('DELETE FROM orders WHERE id >= 2000')"):
        pass
    root = root_of(db, "orders")
    damage(db, lambda data: zero(data, root))
    _, back = salvaged(db)
    assert back["orders"] <= {row for row in whole["orders"] if int(str(row[0])) < 2000}


def test_a_database_that_nobody_has_seen_and_nobody_can_read_is_not_guessed(db: Path) -> None:
    shutil.rmtree(db.parent / "memory")
    (db.parent / "memory").mkdir()
    damage(db, destroy_the_first_page)
    with pytest.raises(DataFailed, match="cannot salvage"):
        salvaged(db)


def test_what_stands_in_the_wal_is_not_lost_with_a_page_of_the_database(tmp_path: Path) -> None:
    db = make(tmp_path / "ledger.db", wal=True)
    memory = tmp_path / "memory"
    asset(db).examine(memory, thorough=True)
    with process(db, "db.execute(\"INSERT INTO orders VALUES (99999, 'late', 1)\")"):
        pass
    damage(db, destroy_the_header)
    _, back = salvaged(db)
    assert (99999, "late", 1.0) in back["orders"]
    assert len(back["orders"]) == ORDERS + 1


def test_a_hot_journal_is_rolled_back_first(db: Path, whole: Rows) -> None:
    code = "db.execute('PRAGMA cache_size=5'); db.execute('BEGIN'); db.execute(\"UPDATE orders SET who = 'x'\")"
    with process(db, code):
        pass
    assert (db.parent / "ledger.db-journal").exists()
    answer, back = salvaged(db)
    assert (answer.lost, back) == ("", whole)


STRANGE = """
CREATE TABLE late(a TEXT); INSERT INTO late VALUES ('before'); ALTER TABLE late ADD COLUMN b INTEGER DEFAULT 7;
CREATE TABLE made(a INTEGER, twice INTEGER AS (a * 2) STORED, thrice INTEGER AS (a * 3) VIRTUAL, z TEXT);
INSERT INTO made(a, z) VALUES (1, 'x'), (NULL, NULL);
CREATE TABLE pair(x TEXT, y INTEGER, z REAL, PRIMARY KEY (y, x)) WITHOUT ROWID;
INSERT INTO pair VALUES ('a', 2, 3), ('b', 1, 4.5);
CREATE TABLE down(id INTEGER PRIMARY KEY DESC, v); INSERT INTO down VALUES (5, 1), (3, 2);
CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, v); INSERT INTO counted(v) VALUES (1), (2);
DELETE FROM counted WHERE id = 2;
CREATE TABLE "odd ""name"(rowid TEXT, "a b" BLOB); INSERT INTO "odd ""name" VALUES ('mine', x'00ff');
CREATE TABLE bytes(v TEXT); INSERT INTO bytes VALUES (CAST(x'ff61' AS TEXT));
CREATE UNIQUE INDEX only ON late(a); CREATE TABLE empty(x);
CREATE VIRTUAL TABLE notes USING fts5(body); INSERT INTO notes VALUES ('hello there');
PRAGMA user_version = 42; PRAGMA application_id = 77;
"""


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_every_kind_of_table_comes_back_as_it_was(tmp_path: Path, encoding: str) -> None:
    db = tmp_path / "ledger.db"
    with contextlib.closing(sqlite3.connect(db)) as own:
        own.execute(f"PRAGMA encoding = '{encoding}'")
        own.executescript(STRANGE)
        wanted = list(own.iterdump()) if encoding != "UTF-8" else _dump(own)
    (tmp_path / "memory" / "into").mkdir(parents=True)
    assert asset(db).salvage(tmp_path / "memory" / "into").lost == ""
    with contextlib.closing(sqlite3.connect(tmp_path / "memory" / "into" / "data.db")) as back:
        found = list(back.iterdump()) if encoding != "UTF-8" else _dump(back)
        assert found == wanted
        assert back.execute("SELECT count(*) FROM notes WHERE notes MATCH 'hello'").fetchone() == (1,)
        assert back.execute("PRAGMA user_version").fetchone() == (42,)
        assert back.execute("SELECT seq FROM sqlite_sequence").fetchall() == [(2,)]


def _dump(db: sqlite3.Connection) -> list[object]:
    """All rows, as bytes where they are text: one of them is no text at all."""
    db.text_factory = bytes
    tables = [row[0].decode() for row in db.execute("SELECT name FROM pragma_table_list WHERE schema = 'main'")]
    return [(name, db.execute(f'SELECT * FROM "{name.replace(chr(34), chr(34) * 2)}"').fetchall())
            for name in sorted(tables) if name != "sqlite_schema"]  # fmt: skip


VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80),
    st.binary(max_size=3000),
)


@settings(max_examples=30)
@given(st.dictionaries(st.integers(-(2**63), 2**63 - 1), st.tuples(VALUES, VALUES), max_size=12))
def test_whatever_sqlite_has_written_is_read_to_the_last_byte(values: dict[int, tuple[object, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        db, into = Path(folder) / "some.db", Path(folder) / "memory" / "into"
        into.mkdir(parents=True)
        with contextlib.closing(sqlite3.connect(db)) as own:
            own.execute("PRAGMA page_size = 512")
            own.execute("CREATE TABLE t(a, b)")
            own.executemany("INSERT INTO t(rowid, a, b) VALUES (?, ?, ?)", [(i, *pair) for i, pair in values.items()])
            own.commit()
            wanted = own.execute("SELECT rowid, a, b, typeof(a), typeof(b) FROM t").fetchall()
        assert asset(db).salvage(into).lost == ""
        with contextlib.closing(sqlite3.connect(into / "data.db")) as back:
            assert back.execute("SELECT rowid, a, b, typeof(a), typeof(b) FROM t").fetchall() == wanted
