"""Does a database that stands in the configuration reach the child that looks at it?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from pydantic import ValidationError

from selfheal.agents.sqlite import SqliteAgent
from selfheal.data.asset import Health
from selfheal.data.jobs import JOB, Examine, encode
from selfheal.data.sqlite_look import Canary
from tests.real.sqlite_files import make


def test_what_is_configured_is_looked_at_in_a_process_of_its_own(tmp_path: Path) -> None:
    db = make(tmp_path / "ledger.db")
    canaries = {"orders": "SELECT count(*) FROM orders", "rich": {"query": "SELECT count(*) FROM rich", "min": 1}}
    agent = SqliteAgent.model_validate({"path": str(db), "canaries": canaries, "timeout": "30s"})
    asset = agent.asset("ledger")
    assert (asset.quick_s, asset.canaries["rich"]) == (10.0, Canary("SELECT count(*) FROM rich", least=1.0))
    job = encode(Examine(asset=asset, room=tmp_path / "room", now=0.0, thorough=True)).decode()
    argv = [sys.executable, "-m", "selfheal.data"]
    done = subprocess.run(argv, env={**os.environ, JOB: job}, capture_output=True, check=True)
    health = msgspec.convert(msgspec.json.decode(done.stdout)["done"], Health)
    assert (health.reason, health.counts["orders"], health.signals["rich"]) == ("", 4000, 3989)


@pytest.mark.parametrize(
    "wrong", [{}, {"path": ""}, {"path": "a", "max_drop": 1.5}, {"path": "a", "canaries": {"x": ""}}]
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SqliteAgent.model_validate(wrong)
