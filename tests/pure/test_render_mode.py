"""Is said at the start what a daemon at Render misses, and nothing where it misses nothing?"""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from selfheal.config.models import DaemonConfig
from selfheal.config.render_mode import missing_at_render

WORKER = {"RENDER": "true", "RENDER_SERVICE_TYPE": "worker", "RENDER_SERVICE_ID": "srv-me"}
COMPLETE = DaemonConfig(
    state_dir=Path("/var/data/selfheal"),
    render_mode=True,
    gateway_url="https://gateway.example.org",
    gateway_token=SecretStr("x" * 32),
)


def said(daemon: DaemonConfig = COMPLETE, *, on_a_disk: bool = True, **environment: str) -> list[str]:
    return [*missing_at_render(daemon, {**WORKER, **environment}, on_a_disk=on_a_disk)]


def test_nothing_is_said_of_a_worker_that_has_all() -> None:
    assert said() == []


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (said(RENDER=""), "this is not Render"),
        (said(on_a_disk=False), "'/var/data/selfheal' is on no disk of its own"),
        (said(COMPLETE.model_copy(update={"gateway_url": None})), "set SELFHEAL_GATEWAY_URL and"),
        (said(RENDER_SERVICE_ID=""), "RENDER_SERVICE_ID is not set"),
        (said(COMPLETE.model_copy(update={"stop_timeout": 45.0})), "daemon.stop_timeout is 45 s"),
    ],
)
def test_each_thing_that_is_missing_is_said_with_what_to_do(told: list[str], words: str) -> None:
    (sentence,) = told
    assert words in sentence
    assert "; " in sentence


def test_a_web_service_needs_no_gateway() -> None:
    assert said(COMPLETE.model_copy(update={"gateway_url": None}), RENDER_SERVICE_TYPE="web") == []
