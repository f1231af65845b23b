"""Is a table suspected to which a session has written that has not yet told the server's statistics of it?

Such a session tells after ten seconds of rest, so this takes its time.
"""

from __future__ import annotations

from pathlib import Path

from selfheal.data.postgres_tools import talking
from tests.real.postgres_data import asset, place, rows, told
from tests.real.postgres_server import cluster


def test_who_has_not_told_of_its_writes_yet_is_waited_for(tmp_path: Path) -> None:
    with cluster() as made, made.serving({"autovacuum": "off"}) as port:
        told(port, "postgres", "CREATE DATABASE shop")
        told(port, "shop", *rows(["item"]))
        data = asset(port, "shop")
        for _ in range(3):
            assert data.examine(tmp_path, thorough=True).reason == ""
            with talking(place(port, "shop")) as writer:
                writer.run("UPDATE item SET note = 'told at once' WHERE id = 1")
                writer.run("UPDATE item SET note = note || 'x' WHERE id = 2", "DELETE FROM item WHERE id = 3")
                assert data.examine(tmp_path, thorough=True).reason == ""
            told(port, "shop", "INSERT INTO item VALUES (3)")
