"""Can data be backed up, proved and put back by hand, and are they healed by themselves while somebody writes?"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal.data.own import OWN
from tests.real.daemon_process import House, house, until

WRITER = """
import signal, sqlite3, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
db = sqlite3.connect("ledger.db", timeout=5)
while not signal.sigtimedwait((), 0.05):
    with db:
        db.execute("INSERT INTO orders (what) VALUES (?)", ("x" * 200,))
"""
FLEET = """
[guard]
verify = 1

[agents.ledger]
kind = "sqlite"
path = "ledger.db"
interval = 1
thorough = 2
backup = { every = "1h" }

[agents.shop]
command = ["PYTHON", "writer.py"]
depends_on = ["ledger"]
"""


@pytest.fixture
def shop() -> Iterator[House]:
    """A database with a writer, and a first backup of it."""
    with house() as place:
        (place.folder / "writer.py").write_text(WRITER)
        with sqlite3.connect(place.folder / "ledger.db") as db:
            db.execute("PRAGMA journal_mode = wal")
            db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, what TEXT)")
            db.executemany("INSERT INTO orders (what) VALUES (?)", [("y" * 300,) for _ in range(2000)])
        db.close()
        place.boot(FLEET.replace("PYTHON", sys.executable))
        place.until_state("healthy", "shop", "ledger")
        until(lambda: place.agent("ledger").part("data").text("backup"))
        yield place


def rows(file: Path) -> int:
    """How many orders there are, read while others write."""
    db = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)
    try:
        (count,) = db.execute("SELECT count(*) FROM orders").fetchone()
        return int(count)
    finally:
        db.close()


def test_a_backup_is_made_listed_proved_and_put_back_by_hand(shop: House) -> None:
    made = shop.say("backup", "ledger")
    assert (made.code, "backed up and proved" in made.err) == (0, True)
    listed = shop.say("backup", "--list")
    (only,) = listed.out.splitlines()[1:]  # of each hour the newest is kept
    assert only.split()[1] in made.err
    assert shop.say("verify", "ledger").code == 0
    planned = shop.say("restore", "ledger", "--dry-run")
    assert "shop will be stopped meanwhile" in planned.err
    unsure = shop.say("restore", "ledger")
    assert (unsure.code, "add --yes" in unsure.err) == (2, True)
    pid = shop.pid("shop")
    put_back = shop.say("restore", "ledger", "--yes")
    assert (put_back.code, "lost:" in put_back.err) == (0, True)
    shop.until_state("healthy", "shop", "ledger")
    assert shop.pid("shop") != pid
    assert rows(shop.folder / "ledger.db") >= 2000
    assert len(list(shop.folder.glob("ledger.db.damaged-by-hand-*"))) >= 1


def test_what_is_no_data_is_refused_and_nothing_is_put_back_under_the_daemon(shop: House) -> None:
    assert shop.say("backup", "shop").code == 1
    assert shop.say("verify", "shop", "--accept").code == 5
    assert shop.say("verify", "--accept").code == 2
    assert shop.say("verify", "ledger", "--accept").code == 0
    assert shop.say("restore", "ledger", "--at", "2d ago", "--yes").code == 1
    assert shop.say("backup", OWN).code == 0
    under = shop.say("restore", OWN, "--yes")
    assert (under.code, "--to DIR" in under.err) == (5, True)


def test_a_backup_is_taken_out_when_no_daemon_is_there(shop: House) -> None:
    shop.stop()
    out = shop.folder / "out"
    taken = shop.say("restore", "ledger", "--to", str(out))
    assert taken.code == 0, taken.err
    assert rows(out / "data.db") >= 2000
    again = shop.say("restore", "ledger", "--to", str(out))
    assert (again.code, "something is there" in again.err) == (2, True)


def test_damaged_pages_are_salvaged_while_the_writer_is_held(shop: House) -> None:
    pid = shop.pid("shop")
    # The pages hold some 26 rows: what is left is more than the backup has, else that would be put back.
    until(lambda: rows(shop.folder / "ledger.db") > 2060)
    with (shop.folder / "ledger.db").open("r+b") as file:
        for page in (20, 21):
            file.seek(page * 4096)
            file.write(os.urandom(4096))
    healed = shop.healed("ledger", limit_s=60.0)
    assert [one.text("fix") for one in healed.parts("attempts")] == ["salvage_data"]
    shop.until_state("healthy", "shop", "ledger")
    assert shop.pid("shop") != pid
    assert rows(shop.folder / "ledger.db") > 1900
    aside = shop.agent("ledger").part("data").text("aside")
    assert Path(aside).exists()


def test_a_database_that_is_gone_comes_back_from_the_newest_backup(shop: House) -> None:
    (shop.folder / "ledger.db").unlink()
    healed = shop.healed("ledger", limit_s=60.0)
    last = healed.parts("attempts")[-1]  # of an empty one that a writer has made in its place, salvage is tried first
    assert (last.text("fix"), last.text("outcome")) == ("restore_backup", "succeeded")
    shop.until_state("healthy", "shop", "ledger")
    restored = shop.agent("ledger").part("data")
    assert restored.number("lost_seconds") is not None
    assert rows(shop.folder / "ledger.db") >= 2000
