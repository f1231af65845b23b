"""Does `config show` say everything that is in force, and no secret?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfheal.config.lines import KeyPath, dotted
from selfheal.config.masks import MASK, masked
from selfheal.config.origins import leaves
from selfheal.config.show import show
from selfheal.telemetry.redact import redact
from tests.pure.config_fakes import load_text

API: KeyPath = ("agents", "api")

TEXT = """
[agents.api]
command = ["api", "--password", "hunter2", "--db=postgres://app:hunter2@db/x", "--api-key=hunter2", "--port", "1"]
environment = { STRIPE_KEY = "hunter2", DATABASE_URL = "postgres://app:hunter2@db/x", PORT = "9000" }
checks = [{ http = "http://u:hunter2@h/health?token=hunter2&deep=1" }]

[notify]
webhook = "https://hooks.example/hunter2"
"""


def test_every_value_is_shown_with_its_origin(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, TEXT)
    rows = {row.key: row for row in show(loaded, redact)}
    assert rows.keys() == {dotted(path) for path, _ in leaves(loaded.config)}
    assert (rows["agents.api.environment.PORT"].value, rows["agents.api.environment.PORT"].origin) == (
        "9000",
        f"{tmp_path / 'selfheal.toml'}:4",
    )
    assert str(rows["daemon.stop_timeout"]) == "daemon.stop_timeout = 10.0  # default"


def test_no_secret_is_shown_wherever_it_came_from(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, TEXT, {"SELFHEAL_TOKEN": "hunter2", "SELFHEAL_SCRAPE_TOKEN": "hunter2"})
    rows = show(loaded, redact)
    assert "hunter2" not in json.dumps([row.value for row in rows]) + "".join(map(str, rows))
    shown = {row.key: row.value for row in rows}
    assert shown["daemon.token"] == shown["notify.webhook"] == shown["agents.api.environment.STRIPE_KEY"] == MASK
    assert shown["agents.api.environment.DATABASE_URL"] == MASK
    assert shown["agents.api.checks[0].http"] == f"http://{MASK}@h/health?token={MASK}&deep=1"
    assert shown["agents.api.command"] == [
        *("api", "--password", MASK, f"--db=postgres://{MASK}@db/x", f"--api-key={MASK}", "--port", "1")
    ]


@pytest.mark.parametrize(
    "command",
    [
        ["curl", "-H", "Authorization: Bearer hunter2", "http://h/"],
        ["curl", "-H", "X-Api-Key: hunter2", "http://h/"],
        ["curl", "--header", "X-Strange: hunter2", "http://h/"],
        ["curl", "-u", "joe:hunter2", "http://h/"],
        ["curl", "-ujoe:hunter2", "http://h/"],
        ["mysql", "-uroot", "-phunter2", "-e", "SELECT 1"],
        ["/usr/bin/mysqladmin", "-p", "hunter2"],
        ["redis-cli", "-a", "hunter2", "ping"],
        ["curl", "https://hooks.slack.com/services/T/B/hunter2"],
        ["curl", "https://api.telegram.org/bot123456:hunter2/sendMessage"],
        ["curl", "https://discord.com/api/webhooks/1/hunter2"],
        ["sh", "-c", "curl -u joe:hunter2 http://h/ && curl -H 'X-Api-Key: hunter2' http://h/"],
        ["sh", "-c", "mysql -uroot -phunter2 -e 'SELECT 1'"],
        ["api", "--token=hunter2"],
    ],
)
def test_no_secret_of_a_command_is_shown(command: list[str]) -> None:
    shown = masked(command, (*API, "command"), redact)
    assert "hunter2" not in json.dumps(shown)
    assert MASK in json.dumps(shown)


def test_what_is_given_to_others_is_masked_whatever_its_name_and_what_is_expected_of_them_is_shown() -> None:
    given: dict[KeyPath, object] = {
        (*API, "environment", "MYSQL_PWD"): "hunter2",
        (*API, "environment", "AUTH"): "Bearer abc",
        (*API, "environment", "expect"): "hunter2",
        ("agents", "expect", "environment", "AUTH"): "Bearer abc",
        (*API, "checks", 0, "headers", "X-Strange"): "hunter2",
        (*API, "checks", 0, "body"): '{"password": "pw7"}',
        (*API, "checks", 0, "send"): "AUTH hunter2",
    }
    assert {masked(value, path, redact) for path, value in given.items()} == {MASK}
    for key in ("headers", "body"):
        assert masked("it is fine", (*API, "checks", 0, "expect", key), redact) == "it is fine"
    plain = [masked(text, (*API, "environment", "X"), redact) for text in ("", "80", "10.0.0.1:80", "true", "fast")]
    assert plain == ["", "80", "10.0.0.1:80", "true", MASK]
    assert masked("80", (*API, "environment", "X_TOKEN"), redact) == MASK


@pytest.mark.parametrize("name", ["API_TOKEN", "apiKey", "DB_PASSWORD", "SENTRY_DSN", "client_secret", "Authorization"])
def test_what_smells_of_a_secret_is_masked(name: str) -> None:
    assert masked({name: "x", "MODE": "x"}, ("strange",), redact) == {name: MASK, "MODE": "x"}


def test_what_is_no_secret_stays_readable() -> None:
    assert masked(["--port", 80, None, True, 1.5], ("causes",), redact) == ["--port", 80, None, True, 1.5]
    assert masked("mail a@b about http://h/x?y=1", ("text",), redact) == "mail a@b about http://h/x?y=1"
    command = ["docker", "run", "-p", "127.0.0.1:80:80", "redis-server", "--port", "6400", "-path=/x"]
    assert masked(command, (*API, "command"), redact) == command
