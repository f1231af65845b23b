"""Does `config show` say everything that is in force, and no secret?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfheal.config.masks import MASK, masked, masked_text
from selfheal.config.show import show
from tests.pure.config_fakes import load_text

TEXT = """
[agents.api]
command = ["api", "--password", "hunter2", "--db=postgres://app:hunter2@db/x", "--api-key=hunter2", "--port", "1"]
environment = { STRIPE_KEY = "hunter2", DATABASE_URL = "postgres://app:hunter2@db/x", MODE = "fast" }
checks = [{ http = "http://u:hunter2@h/health?token=hunter2&deep=1" }]

[notify]
webhook = "https://hooks.example/hunter2"
"""


def test_every_value_is_shown_with_its_origin(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, TEXT)
    rows = {row.key: row for row in show(loaded)}
    assert rows.keys() == loaded.origins.keys()
    assert (rows["agents.api.environment.MODE"].value, rows["agents.api.environment.MODE"].origin) == (
        "fast",
        f"{tmp_path / 'selfheal.toml'}:4",
    )
    assert str(rows["daemon.stop_timeout"]) == "daemon.stop_timeout = 10.0  # default"


def test_no_secret_is_shown_wherever_it_came_from(tmp_path: Path) -> None:
    rows = show(load_text(tmp_path, TEXT, {"SELFHEAL_TOKEN": "hunter2", "SELFHEAL_SCRAPE_TOKEN": "hunter2"}))
    assert "hunter2" not in json.dumps([row.value for row in rows]) + "".join(map(str, rows))
    shown = {row.key: row.value for row in rows}
    assert shown["daemon.token"] == shown["notify.webhook"] == shown["agents.api.environment.STRIPE_KEY"] == MASK
    assert shown["agents.api.environment.DATABASE_URL"] == f"postgres://{MASK}@db/x"
    assert shown["agents.api.checks[0].http"] == f"http://{MASK}@h/health?token={MASK}&deep=1"
    assert shown["agents.api.command"] == [
        *("api", "--password", MASK, f"--db=postgres://{MASK}@db/x", f"--api-key={MASK}", "--port", "1")
    ]


@pytest.mark.parametrize("name", ["API_TOKEN", "apiKey", "DB_PASSWORD", "SENTRY_DSN", "client_secret", "Authorization"])
def test_what_smells_of_a_secret_is_masked(name: str) -> None:
    assert masked({name: "x", "MODE": "x"}) == {name: MASK, "MODE": "x"}


def test_what_is_no_secret_stays_readable() -> None:
    assert masked(["--port", "80", None, True, 1.5]) == ["--port", "80", None, True, 1.5]
    assert masked_text("mail a@b about http://h/x?y=1") == "mail a@b about http://h/x?y=1"
