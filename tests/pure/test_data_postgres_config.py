"""What may be written of a PostgreSQL database as data, and what of it goes to a job?"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from selfheal.agents import AGENT_KINDS
from selfheal.agents.postgres import PostgresAgent
from selfheal.data.postgres import PostgresAsset

URL = "postgresql://u:geheim@127.0.0.1/shop"


def read(**more: Any) -> PostgresAgent:  # noqa: ANN401 - as it stands in a file
    return PostgresAgent.model_validate({"kind": "postgres", "url": URL, **more})


def test_it_is_a_kind_of_the_data_layer() -> None:
    assert [kind.layer for kind in AGENT_KINDS if kind.name == "postgres"] == ["data"]


def test_a_job_is_given_all_that_was_written_and_survives_the_journey() -> None:
    agent = read(canaries={"n": "SELECT 1"}, max_lock="5m", max_replication_lag="30s", timeout="10m", max_read="1GB")
    asset = agent.asset("shop")
    assert msgspec.json.decode(msgspec.json.encode(asset), type=PostgresAsset) == asset
    assert (asset.agent, asset.url, asset.verify_url) == ("shop", URL, "")
    assert asset.options.canaries == {"n": "SELECT 1"}
    assert (asset.options.max_lock_s, asset.options.max_replication_lag_s, asset.options.timeout_s) == (300, 30, 600)
    assert asset.options.max_read == 10**9


def test_a_password_is_in_no_repr() -> None:
    agent = read(verify_url=URL)
    assert "geheim" not in repr(agent) + repr(agent.asset("shop"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "postgresql://u:geheim@/shop"},
        {"verify_url": "mysql://u:geheim@h/shop"},
        {"canaries": {"n": " "}},
        {"canaries": {"n": "SELECT 1\0"}},
        {"max_drop": 0},
        {"max_drop": 1.5},
        {"amcheck": "create"},
    ],
)
def test_what_cannot_be_is_refused_without_the_password(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        read(**wrong)
    assert all("geheim" not in error["msg"] for error in caught.value.errors())
