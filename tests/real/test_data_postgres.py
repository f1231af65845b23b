"""Is a real PostgreSQL database looked at, backed up, and put back as it was?"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from selfheal.data.asset import Health
from selfheal.data.postgres_look import head
from selfheal.data.postgres_options import Options
from selfheal.data.postgres_tools import Talk, environment, program, talking
from selfheal.errors import DataFailed
from tests.real.daemon_process import free_port, until
from tests.real.postgres_data import asset, place, rows, told
from tests.real.postgres_server import cluster

ROLES = (
    "CREATE ROLE app LOGIN",
    "CREATE ROLE keeper LOGIN CREATEDB",
    "CREATE ROLE plain LOGIN",
    "GRANT app TO keeper",
    "GRANT pg_read_all_data TO plain",
)
SHOP = (
    *rows(["item"], 300),
    'CREATE SCHEMA "Odd.name"',
    'CREATE TABLE "Odd.name"."a ""b""" (x text)',
    'INSERT INTO "Odd.name"."a ""b"""' + """ VALUES (E'two\\nlines'), ('\\.'), (NULL)""",
    "CREATE TABLE sale (id int REFERENCES item, price numeric)",
    "INSERT INTO sale VALUES (1, 5.5), (2, 7)",
    "CREATE VIEW dear AS SELECT * FROM sale WHERE price > 6",
    "GRANT SELECT ON sale TO plain",
)
COUNTS = {'Odd.name.a "b"': 3.0, "public.item": 300.0, "public.sale": 2.0}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with cluster() as made, made.serving({"max_connections": 30, "max_prepared_transactions": 2}) as port:
        told(port, "postgres", *ROLES, "CREATE DATABASE shop OWNER app")
        told(port, "shop", "GRANT CREATE ON SCHEMA public TO app", "SET ROLE app", *SHOP[:2], "RESET ROLE", *SHOP[2:])
        yield port


@pytest.fixture
def shop(port: int, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of one's own, like `shop`."""
    name = f"shop_{request.node.name[-20:]}"
    told(port, "postgres", f'CREATE DATABASE "{name}" TEMPLATE shop OWNER app')
    told(port, "postgres", f"ALTER DATABASE \"{name}\" SET work_mem TO '5MB'")
    yield name
    for each in databases(port, name[:15]):
        told(port, "postgres", f'DROP DATABASE "{each}" WITH (FORCE)')


def databases(port: int, like: str) -> list[str]:
    return told(port, "postgres", f"SELECT datname FROM pg_database WHERE datname LIKE '{like}%' ORDER BY 1")


def looked(port: int, memory: Path, options: Options | None = None) -> Health:
    return asset(port, "shop", options=options).examine(memory, thorough=False)


def test_a_sound_database_is_well_and_what_matters_is_measured(port: int, tmp_path: Path) -> None:
    canaries = {"items": "SELECT count(*) FROM item;", "dear": "SELECT max(price) FROM sale -- none is dearer"}
    health = looked(port, tmp_path, Options(canaries=canaries))
    assert (health.reason, health.cause) == ("", "")
    assert health.counts == {"items": 300, "dear": 7}
    assert health.signals["canary.items"] == 300
    assert health.signals["data_checksums"] == 0
    assert health.signals["database_size"] > 5e6
    assert 0 < health.signals["connections_share"] < 1
    assert health.signals["transaction_age"] > 0
    assert health.signals["waiting_for_locks"] == 0


def test_a_canary_that_falls_tells_of_missing_data_until_it_is_back(port: int, shop: str, tmp_path: Path) -> None:
    data = asset(port, shop, options=Options(canaries={"items": "SELECT count(*) FROM item"}, max_drop=0.3))
    assert data.examine(tmp_path, thorough=False).reason == ""
    told(port, shop, "DELETE FROM item WHERE id > 200")
    health = data.examine(tmp_path, thorough=False)
    assert (health.reason, health.cause) == (
        "the canary 'items' has fallen from 300 to 200, by more than 30 %",
        "missing_data",
    )
    assert data.examine(tmp_path, thorough=False).reason == health.reason
    told(port, shop, "INSERT INTO item SELECT n FROM generate_series(201, 290) n")
    assert data.examine(tmp_path, thorough=False).reason == ""


@pytest.mark.parametrize(
    ("query", "reason", "cause"),
    [
        ("SELECT count(*) FROM ghost", 'relation "ghost" does not exist (42P01)', "missing_data"),
        ("SELECT 'secret'", "a value is not as it should be (22P02)", "wrong_answer"),
        ("SELECT 'open", "unterminated quoted string", "wrong_answer"),
        ("SELECT 1; DROP TABLE item", "syntax error at or near", "wrong_answer"),
        ("SELECT NULL", "it gives no number", "wrong_answer"),
    ],
)
def test_a_canary_that_gives_no_number_is_told(port: int, tmp_path: Path, query: str, reason: str, cause: str) -> None:
    health = looked(port, tmp_path, Options(canaries={"odd": query, "even": "SELECT 2"}))
    assert health.reason.startswith(f"the canary 'odd' gives no number: {reason}")
    assert "secret" not in health.reason
    assert health.cause == cause
    assert health.counts == {"even": 2}


def test_a_canary_cannot_write(port: int, tmp_path: Path) -> None:
    told(port, "shop", "CREATE FUNCTION evil() RETURNS int LANGUAGE sql AS 'DELETE FROM sale; SELECT 1'")
    assert "read-only transaction" in looked(port, tmp_path, Options(canaries={"evil": "SELECT evil()"})).reason
    told(port, "shop", "DROP FUNCTION evil()")


def test_a_lock_that_is_held_for_too_long_is_told_without_the_values(port: int, tmp_path: Path) -> None:
    with blocked(port), talking(place(port, "shop")) as holder:
        holder.run("BEGIN", "UPDATE item SET note = 'geheim' WHERE id = 1")
        until(lambda: looked(port, tmp_path).signals["waiting_for_locks"] == 1)
        assert looked(port, tmp_path).reason == ""
        health = looked(port, tmp_path, Options(max_lock_s=0.0))
        assert health.cause == "locked"
        assert "of 'boss' has held a lock for" in health.reason
        assert health.reason.endswith("that 1 wait for: UPDATE item SET note = ? WHERE id = ?")
        holder.run("ROLLBACK")


@contextmanager
def blocked(port: int) -> Iterator[None]:
    """Somebody who keeps asking for the row of another one."""
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            with talking(place(port, "shop"), lock_timeout_s=30) as waiter:
                waiter.run("BEGIN", "SELECT * FROM item WHERE id = 1 FOR UPDATE", "ROLLBACK")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT 'it''s' , 5, a1 FROM t", "SELECT ? , ?, a1 FROM t"),
        ("SELECT 'cut off", "SELECT ?"),
        ("SELECT $x$ a 'b' $x$ -- secret\n, 1.5", "SELECT ? ? , ?"),
        ("SELECT  /* secret", "SELECT ?"),
        ("x" * 80, "x" * 59 + "…"),
    ],
)
def test_a_statement_is_shown_without_what_it_is_about(statement: str, shown: str) -> None:
    assert head(statement) == shown


def test_what_the_limits_say_is_told(port: int, tmp_path: Path) -> None:
    assert looked(port, tmp_path, Options(require_checksums=True)).cause == "bad_configuration"
    assert "at 2.1e9 it stops" in looked(port, tmp_path, Options(max_transaction_age=1)).reason
    crowded = looked(port, tmp_path, Options(max_connections_share=0.001))
    assert crowded.reason.endswith(" % of max_connections are taken")


def test_why_a_session_is_over_is_told_also_where_nothing_could_be_said_to_it() -> None:
    where, words = environment(place(free_port(), "shop")), [program("psql"), "-X", "-w"]
    with (
        TemporaryFile() as complaints,
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, env=where) as psql,
    ):
        psql.wait()
        with pytest.raises(DataFailed, match="Connection refused"):
            Talk(psql, complaints).run("SELECT 1")


def test_a_database_that_is_gone_is_missing_data_and_a_dead_server_is_not(port: int, tmp_path: Path) -> None:
    health = asset(port, "ghost").examine(tmp_path, thorough=False)
    assert (health.reason, health.cause) == ("the server has no database 'ghost'", "missing_data")
    with pytest.raises(DataFailed, match="Connection refused") as caught:
        asset(free_port(), "shop").examine(tmp_path, thorough=False)
    assert caught.value.cause == "unreachable"
    with pytest.raises(DataFailed, match='role "stranger" does not exist') as caught:
        asset(port, "shop", "stranger").examine(tmp_path, thorough=False)
    assert caught.value.cause == "bad_configuration"


def test_a_password_is_shown_nowhere(port: int) -> None:
    data = asset(port, "shop", "boss:geheim")
    assert "geheim" not in repr(data)
    assert "geheim" not in str(data)


def test_a_backup_taken_while_others_write_has_exact_counts(port: int, shop: str, tmp_path: Path) -> None:
    with writing(port, shop) as written:
        until(lambda: len(written) > 20)
        proof = asset(port, shop).capture(tmp_path)
        until(lambda: len(written) > 40)
    found = asset(port, shop, options=Options(canaries={"items": "SELECT count(*) FROM item"})).prove(tmp_path)
    assert found.counts == proof.counts
    assert 300 + 20 < proof.counts["public.item"] < 300 + len(written)
    assert databases(port, "selfheal_verify") == []


@contextmanager
def writing(port: int, database: str) -> Iterator[list[int]]:
    """Somebody who writes one row after the other, with as many sessions as it takes; given are the acknowledged."""
    ended = threading.Event()
    written: list[int] = []

    def write() -> None:
        while not ended.is_set():
            try:
                with talking(place(port, database)) as talk:
                    while not ended.is_set():
                        talk.run(f"INSERT INTO item VALUES ({1000 + len(written)})")
                        written.append(1000 + len(written))
            except DataFailed:
                continue  # thrown out: come again

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield written
    finally:
        ended.set()
        thread.join()


def test_a_role_that_may_not_create_databases_has_its_copy_read_and_counted(port: int, tmp_path: Path) -> None:
    said: list[str] = []
    data = asset(port, "shop", "plain")
    assert data.capture(tmp_path).counts == COUNTS
    proof = data.prove(tmp_path, lambda doing, share: said.append(doing))
    assert proof.counts == COUNTS
    assert said == [proof.note] == ["the copy was only read, not restored: ALTER ROLE plain CREATEDB lets it be"]
    with pytest.raises(DataFailed, match="grant the role CREATEDB"):
        data.prepare(tmp_path, "t")


def test_a_copy_that_is_not_what_it_was_is_refused(port: int, tmp_path: Path) -> None:
    asset(port, "shop").capture(tmp_path)
    longest = max((tmp_path / "dump").glob("*.dat"), key=lambda file: file.stat().st_size)
    whole = longest.read_bytes()
    longest.write_bytes(b"".join(whole.splitlines(keepends=True)[5:]))
    for who in ("plain", "boss"):
        with pytest.raises(DataFailed, match=r"295 rows of public\.item, not 300|foreign key") as caught:
            asset(port, "shop", who).prove(tmp_path)
        assert "note" not in str(caught.value)
    longest.write_bytes(whole.replace(b"17\tnote", b"secret\tnote"))
    with pytest.raises(DataFailed, match="cannot restore into") as caught:
        asset(port, "shop").prove(tmp_path)
    assert "secret" not in str(caught.value)
    assert databases(port, "selfheal_verify") == []


def test_scratch_databases_of_killed_jobs_are_dropped_and_nobody_elses(port: int, tmp_path: Path) -> None:
    asset(port, "shop").capture(tmp_path)
    left, mine, used = (f"selfheal_verify_{sign * 16}" for sign in "abc")
    told(port, "postgres", *(f"CREATE DATABASE {name}" for name in (left, mine, used)))
    told(port, "postgres", f"COMMENT ON DATABASE {mine} IS 'hands off'")
    with talking(place(port, used)):
        asset(port, "shop").prove(tmp_path)
    assert databases(port, "selfheal_verify") == [mine, used]
    told(port, "postgres", f"DROP DATABASE {mine}", f"DROP DATABASE {used} WITH (FORCE)")


def test_what_was_prepared_takes_the_place_of_the_data_under_a_writer(port: int, shop: str, tmp_path: Path) -> None:
    data = asset(port, shop, "boss")
    data.capture(tmp_path)
    told(port, shop, "DELETE FROM sale")
    told(port, "postgres", f"ALTER DATABASE \"{shop}\" SET work_mem TO '6MB'")
    made = like(port, shop)
    data.prepare(tmp_path, "t7")
    assert told(port, shop, "SELECT count(*) FROM sale") == ["0"]  # nothing that serves is touched
    with writing(port, shop) as written:
        until(lambda: len(written) > 5)
        swapped = data.swap("t7")
        before = len(written)
        until(lambda: len(written) > before + 5)
    assert swapped.aside == f"{shop}_damaged_t7"
    assert told(port, shop, "SELECT count(*), sum(price) FROM sale") == ["2|12.5"]
    query = "SELECT count(*) FROM item WHERE id >= 1000"
    old, new = (int(told(port, name, query)[0]) for name in (swapped.aside, shop))
    assert old + new == len(written)  # what was acknowledged is in one or the other
    assert min(old, new) >= 5
    assert like(port, shop) == made
    assert data.swap("t7") == swapped


def like(port: int, name: str) -> list[str]:
    """Whose it is, how it is written, its settings and rights, but for our own mark."""
    return told(
        port,
        "postgres",
        f"""SELECT datdba, encoding, datcollate, datconnlimit, datallowconn,
        (SELECT array_agg(a ORDER BY a::text) FROM unnest(datacl) a),
        (SELECT array_agg(x) FROM pg_db_role_setting, unnest(setconfig) x
            WHERE setdatabase = d.oid AND x NOT LIKE 'selfheal%') FROM pg_database d WHERE datname = '{name}'""",
    )


Lines = Callable[[Talk, str, str], list[bytes]]


class Killed(BaseException):
    """The process is no more."""


def test_a_swap_that_is_killed_anywhere_is_brought_to_its_end(
    port: int, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = asset(port, shop)
    data.capture(tmp_path)
    lines = Talk.lines
    ends: list[str] = []
    prepared = "k"
    for after in range(2, 200):
        if not ends or ends[-1] != "prepared":
            prepared = f"k{after}"
            data.prepare(tmp_path, prepared)
        monkeypatch.setattr(Talk, "lines", mortal(lines, after))
        try:
            data.swap(prepared)
        except Killed:
            ends.append("prepared" if f"{shop}_new_{prepared}" in databases(port, shop) else "swapped")
        else:
            break
        finally:
            monkeypatch.setattr(Talk, "lines", lines)
    else:
        raise AssertionError("it never came to its end")
    assert ends.count("prepared") > 8
    assert data.swap(prepared).aside == f"{shop}_damaged_{prepared}"
    (tmp_path / "again").mkdir()
    assert asset(port, shop).capture(tmp_path / "again").counts == COUNTS


def mortal(lines: Lines, after: int) -> Lines:
    """A session that dies with its process before a statement."""
    left = [after]

    def said(self: Talk, statement: str, end: str = ";") -> list[bytes]:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return lines(self, statement, end)

    return said


def test_a_swap_that_cannot_be_lets_everybody_in_again(port: int, shop: str, tmp_path: Path) -> None:
    data = asset(port, shop)
    data.capture(tmp_path)
    data.prepare(tmp_path, "t8")
    told(port, shop, "BEGIN", "DELETE FROM sale", "PREPARE TRANSACTION 'p'")
    with pytest.raises(DataFailed, match="1 prepared transactions hold it"):
        data.swap("t8")
    assert told(port, shop, "ROLLBACK PREPARED 'p'", "SELECT count(*) FROM sale") == ["2"]
    with pytest.raises(DataFailed, match="it is not there, or not ready; prepare it again"):
        data.swap("t9")
    data.prepare(tmp_path, "t8")
    assert data.swap("t8").aside


def test_a_database_that_is_gone_is_put_back_as_it_was(port: int, shop: str, tmp_path: Path) -> None:
    made = like(port, shop)
    asset(port, shop).capture(tmp_path)
    told(port, "postgres", f'DROP DATABASE "{shop}"')
    data = asset(port, shop)
    data.prepare(tmp_path, "t1")
    assert data.swap("t1").aside == ""
    assert data.swap("t1").aside == ""
    assert like(port, shop) == made
    assert told(port, shop, "SELECT count(*) FROM item") == ["300"]


def test_a_name_is_cut_so_that_its_end_stays(port: int, tmp_path: Path) -> None:
    long = "shop_" + "ä" * 25
    told(port, "postgres", f'CREATE DATABASE "{long}"')
    told(port, long, *rows(["one"], 3))
    data = asset(port, long.replace("ä", "%C3%A4"))
    data.capture(tmp_path)
    data.prepare(tmp_path, "20261126T081200Z")
    aside = data.swap("20261126T081200Z").aside
    assert aside.endswith("_damaged_20261126T081200Z")
    assert databases(port, "shop_ä") == sorted([long, aside])
    told(port, "postgres", *(f'DROP DATABASE "{name}"' for name in (long, aside)))
