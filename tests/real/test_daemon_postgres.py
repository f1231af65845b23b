"""Is a damaged database exchanged for its backup, and only when a person says so?"""

from __future__ import annotations

import signal

import pytest

from tests.real.daemon_process import House, free_port, house, until
from tests.real.postgres_data import file_of, rows, smash, told, url
from tests.real.postgres_server import cluster

FLEET = """
[guard]
verify = 2

[agents.ledger]
kind = "postgres"
url = "{url}"
interval = 1
thorough = 3
backup = {{ every = "1h" }}

[agents.shop]
command = ["sleep", "1000"]
depends_on = ["ledger"]
"""
SETTINGS = {"fsync": "off", "autovacuum": "off"}


def _asked(place: House) -> str:
    """The incident that waits for an answer; empty where there is none."""
    waiting = [one for one in place.incidents("ledger") if one.text("state") == "waiting_approval"]
    return waiting[0].text("id") if waiting else ""


@pytest.mark.timeout(180)  # two starts of a server, a check, a backup and a restore, one after the other
def test_all_is_ready_when_a_person_is_asked_and_his_word_exchanges_the_database() -> None:
    port = free_port()
    with cluster("--data-checksums") as server, house() as place:
        with server.serving({**SETTINGS, "port": port}, end=signal.SIGINT):
            told(port, "postgres", "CREATE DATABASE shop")
            told(port, "shop", *rows(["orders"]))
            damaged = file_of(port, "shop", "orders", server.data)
            place.boot(FLEET.format(url=url(port, "shop")))
            until(lambda: place.agent("ledger").part("data").text("backup"))
        smash(damaged)
        with server.serving({**SETTINGS, "port": port}, end=signal.SIGINT):
            incident = until(lambda: _asked(place), 60.0, what=lambda: place.log)
            assert place.agent("shop").text("state") == "healthy"  # nothing is stopped before the answer
            names = told(port, "postgres", "SELECT datname FROM pg_database ORDER BY 1")
            assert [name for name in names if name.startswith("shop_new")]
            assert place.say("approve", incident).code == 0
            until(lambda: place.get(f"incidents/{incident}").text("state") == "resolved", 60.0, what=lambda: place.log)
            assert place.get(f"incidents/{incident}").text("cause") == "corrupted"
            assert told(port, "shop", "SELECT count(*) FROM orders") == ["1000"]
            names = told(port, "postgres", "SELECT datname FROM pg_database ORDER BY 1")
            assert [name for name in names if name.startswith("shop_damaged")]
            place.until_state("healthy", "shop", "ledger")
            assert place.agent("ledger").part("data").number("lost_seconds")
