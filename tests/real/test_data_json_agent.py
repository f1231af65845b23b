"""Can JSON be configured as an agent, and is it looked at and mended by a process of its own?"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

from selfheal.agents import AGENT_KINDS
from selfheal.agents.json import JsonAgent
from selfheal.config.load import Overrides, load
from selfheal.data.asset import Health
from selfheal.data.jobs import AnyJob, Examine, Mend, Told, encode
from selfheal.data.jsondata import JsonAsset
from selfheal.errors import ConfigInvalid
from tests.real.json_data import LONG_AGO, lines, write

PAGE = (Path(__file__).parents[2] / "docs" / "data" / "json.md").read_text(encoding="utf-8")
KINDS = {kind.name: kind.model for kind in AGENT_KINDS}


def configured(text: str, folder: Path) -> dict[str, JsonAsset]:
    file = folder / "selfheal.toml"
    file.write_text(text, encoding="utf-8")
    agents = load(file, {}, Overrides(), KINDS, {}).config.agents
    return {name: agent.asset(name) for name, agent in agents.items() if isinstance(agent, JsonAgent)}


def in_a_process(job: AnyJob) -> msgspec.Raw:
    environment = {**os.environ, "SELFHEAL_JOB": encode(job).decode()}
    argv = [sys.executable, "-m", "selfheal.data"]
    output = subprocess.run(argv, env=environment, capture_output=True, check=True, timeout=30).stdout
    return msgspec.json.decode(output, type=Told).done


def test_an_agent_is_configured_and_becomes_an_asset(tmp_path: Path) -> None:
    text = """
        [agents.ledger]
        kind = "json"
        path = "data/ledger.jsonl"
        schema = "ledger.schema.json"
        required = { "user.id" = "integer" }
        max_age = "1h"
        [agents.states]
        kind = "json"
        path = "data"
        pattern = "*.json"
        max_drop = 0.5
    """
    assets = configured(text, tmp_path)
    assert assets["ledger"] == JsonAsset(
        agent="ledger",
        path=tmp_path / "data" / "ledger.jsonl",
        schema=tmp_path / "ledger.schema.json",
        required={"user.id": "integer"},
        max_age=3600,
    )
    assert (assets["states"].pattern, assets["states"].max_drop) == ("*.json", 0.5)


def test_a_type_that_there_is_not_is_a_configuration_error(tmp_path: Path) -> None:
    text = '[agents.a]\nkind = "json"\npath = "a.json"\nrequired = { "a.b" = "text" }\n'
    with pytest.raises(ConfigInvalid, match=r"agents.a.required.*'text' of 'a.b' is no type; write one of object"):
        configured(text, tmp_path)


def test_the_page_shows_every_key_and_its_example_can_be_used(tmp_path: Path) -> None:
    example = PAGE.split("```toml\n")[1].split("```")[0]
    assert configured(example, tmp_path)
    keys = {key for agent in tomllib.loads(example)["agents"].values() for key in agent}
    own = {field.alias or name for name, field in JsonAgent.model_fields.items() if name in JsonAgent.__annotations__}
    assert own <= keys


def test_data_are_looked_at_and_mended_by_a_process_of_their_own(tmp_path: Path) -> None:
    path = write(tmp_path / "ledger.jsonl", lines(10) + b"{")
    ledger = JsonAsset(agent="ledger", path=path)
    room = tmp_path / "room"
    look = Examine(asset=ledger, room=room, now=LONG_AGO)
    health = msgspec.json.decode(in_a_process(look), type=Health)
    assert (health.cause, health.counts["lines"]) == ("torn_tail", 10)
    mend = Mend(asset=ledger, room=room, now=LONG_AGO, how="truncate_tail")
    assert "cut 1 bytes" in msgspec.json.decode(in_a_process(mend), type=str)
    assert msgspec.json.decode(in_a_process(look), type=Health).reason == ""


def test_a_job_needs_no_more_than_the_standard_library_and_msgspec() -> None:
    program = "import sys, selfheal.data.jobs; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout.split()
    assert {"pydantic", "asyncio", "httptools"}.isdisjoint(loaded)
