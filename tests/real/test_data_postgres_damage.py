"""Which damage of a PostgreSQL database is found, and what can be saved of it?"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from selfheal.data.asset import Health
from selfheal.data.postgres_options import Amcheck, Options
from selfheal.errors import DataFailed
from tests.real.postgres_data import asset, file_of, flip, rows, smash, told, zero
from tests.real.postgres_server import cluster

SILENT = "and nobody has written to it since the last look"
OFF = {"autovacuum": "off"}
Damages = Mapping[str, Callable[[Path], None]]

# In the database `shop` three tables are damaged, in `indexed` nothing but an index.
SHOP: Damages = {"flipped": lambda file: flip(file, b"-500"), "smashed": smash, "zeroed": zero}
INDEXED: Damages = {"one_pkey": zero}


@dataclass(frozen=True)
class Damaged:
    """A server whose data were damaged while it was down; `memory` has seen each of its databases before."""

    port: int
    memory: Path

    def look(self, database: str, amcheck: Amcheck = "if_installed", *, thorough: bool = True) -> Health:
        data = asset(self.port, database, options=Options(amcheck=amcheck))
        return data.examine(self.memory / database, thorough=thorough)


@contextmanager
def damaged(memory: Path, databases: Mapping[str, Damages], *initdb: str) -> Iterator[Damaged]:
    with cluster(*initdb) as made:
        with made.serving(OFF, end=signal.SIGINT) as port:
            told(port, "template1", "CREATE EXTENSION amcheck", *rows(["flipped", "one", "smashed", "zeroed"]))
            files = {}
            for database, damages in databases.items():
                told(port, "postgres", f"CREATE DATABASE {database}")
                assert asset(port, database).examine(memory / database, thorough=True).reason == ""
                files[database] = {name: file_of(port, database, name, made.data) for name in damages}
        for database, damages in databases.items():
            for name, damage in damages.items():
                damage(files[database][name])
        with made.serving(OFF, end=signal.SIGINT) as port:
            yield Damaged(port, memory)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Damaged]:
    with damaged(tmp_path_factory.mktemp("plain"), {"shop": SHOP, "indexed": INDEXED}) as found:
        yield found


@pytest.fixture(scope="module")
def summed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Damaged]:
    with damaged(tmp_path_factory.mktemp("summed"), {"shop": SHOP}, "--data-checksums") as found:
        yield found


def test_without_checksums_zeros_and_flipped_bits_are_found_as_nobody_wrote_them(plain: Damaged) -> None:
    """And a page whose header is none is told by the server."""
    health = plain.look("shop", "never")
    smashed, flipped, zeroed = health.reason.split("; ")
    assert smashed.startswith("the table public.smashed cannot be read: invalid page in block 1 of relation base/")
    assert flipped == f"the table public.flipped holds other values, {SILENT}"
    assert zeroed == f"the table public.zeroed holds {1000 - lost(plain)} rows instead of 1000, {SILENT}"
    assert health.cause == "corrupted"
    assert health.signals["tables_unread"] == 1
    assert plain.look("shop", "never").reason == health.reason  # it does not get used to it


def lost(server: Damaged) -> int:
    """How many rows the damaged page held: as many as are missing where it is all zeros."""
    return int(told(server.port, "shop", "SELECT 1000 - count(*) FROM zeroed")[0])


def test_a_damaged_index_is_found_by_amcheck_and_is_no_reason_to_restore(plain: Damaged) -> None:
    health = plain.look("indexed")
    assert health.reason == (
        "pg_amcheck finds damage in the index indexed.public.one_pkey; REINDEX INDEX builds it anew from the table"
    )
    assert health.cause == "wrong_answer"
    assert health.signals["amcheck"] == 1


def test_a_table_that_somebody_wrote_to_is_not_suspected(plain: Damaged) -> None:
    assert plain.look("indexed", "never").reason == ""
    told(plain.port, "indexed", "UPDATE one SET note = 'x' WHERE note = 'y' OR id > 990", "TRUNCATE zeroed")
    told(plain.port, "indexed", "ALTER TABLE flipped ADD more int DEFAULT 7")
    health = plain.look("indexed", "never")
    assert health.reason == ""
    assert health.counts == {"public.flipped": 1000, "public.one": 1000, "public.smashed": 1000, "public.zeroed": 0}


def test_a_quick_look_sees_no_damage_that_nobody_read(plain: Damaged) -> None:
    assert plain.look("shop", thorough=False).reason == ""


def test_with_checksums_every_damaged_page_is_found_and_stays_known(summed: Damaged) -> None:
    health = summed.look("shop", "never")
    assert health.reason.count("cannot be read: invalid page in block") == 2  # a page of zeros is as good as new
    assert f"the table public.zeroed holds {1000 - lost(summed)} rows instead of 1000" in health.reason
    quick = summed.look("shop", thorough=False)
    assert quick.reason.endswith(" damaged pages were read: their checksums are wrong (pg_stat_database)")
    assert (health.cause, quick.cause) == ("corrupted", "corrupted")
    assert quick.signals["checksum_failures"] > 0
    assert quick.signals["data_checksums"] == 1


def test_a_backup_of_damaged_data_fails_and_says_why(plain: Damaged, tmp_path: Path) -> None:
    with pytest.raises(DataFailed, match=r"cannot count the rows of the table public\.smashed: invalid page") as caught:
        asset(plain.port, "shop").capture(tmp_path)
    assert caught.value.cause == "corrupted"


def test_all_rows_but_those_of_the_damaged_page_are_salvaged_and_put_in_place(plain: Damaged, tmp_path: Path) -> None:
    told(plain.port, "shop", "CREATE TABLE child (parent int REFERENCES smashed)", "INSERT INTO child VALUES (300)")
    data, left = asset(plain.port, "shop"), 1000 - lost(plain)
    salvaged = data.salvage(tmp_path)
    assert salvaged.lost == (
        f"of public.smashed {left} rows were read, 0 rows and 1 of 9 pages could not be; foreign keys were not "
        "checked again"
    )
    assert salvaged.proof.counts["public.smashed"] == left
    assert salvaged.proof.counts["public.one"] == 1000
    assert data.prove(tmp_path).counts == salvaged.proof.counts
    data.prepare(tmp_path, "t1")
    assert data.swap("t1").aside == "shop_damaged_t1"
    assert told(plain.port, "shop", "SELECT count(*) FROM smashed") == [str(left)]
    assert told(plain.port, "shop", "SELECT convalidated FROM pg_constraint WHERE contype = 'f'") == ["f"]
