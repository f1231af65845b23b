"""Small kinds to configure, and a file to configure them in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from selfheal.agents.process import ProcessAgent
from selfheal.agents.service import ServiceAgent
from selfheal.config.load import Loaded, Overrides, load
from selfheal.config.models import AgentConfig, CheckConfig, Section
from selfheal.config.units import Address, Url
from selfheal.errors import ConfigInvalid, Problem


class Expect(Section):
    """What a good answer looks like."""

    status: int = 200
    body: str | None = None
    values: dict[str, str] = Field({}, alias="json")
    latency: float | None = None


class HttpCheck(CheckConfig):
    """Asks a URL."""

    http: Url
    expect: Expect = Expect()


class TcpCheck(CheckConfig):
    """Opens a connection."""

    tcp: Address


class ProcessCheck(CheckConfig):
    """Looks whether the process lives."""

    process: Literal[True]


class DataAgent(AgentConfig):
    """Something on the disk, with a path of its own."""

    kind: Literal["data"] = "data"
    path: Path


AGENTS: Mapping[str, type[AgentConfig]] = {"process": ProcessAgent, "service": ServiceAgent, "data": DataAgent}
CHECKS: Mapping[str, type[CheckConfig]] = {"http": HttpCheck, "tcp": TcpCheck, "process": ProcessCheck}


class SweepSettings(Section):
    """What a fix is told that sweeps."""

    paths: tuple[str, ...] = Field(min_length=1, description="What is swept.")


FIXES: Mapping[str, type[Section] | None] = {"restart": None, "restart_with_dependents": None, "sweep": SweepSettings}


def load_text(
    folder: Path, text: str, environment: Mapping[str, str] | None = None, overrides: Overrides | None = None
) -> Loaded:
    """Write `text` into a file of `folder` and load it."""
    file = folder / "selfheal.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, environment or {}, overrides or Overrides(), AGENTS, CHECKS, fix_models=FIXES)


def problems_of(
    folder: Path, text: str, environment: Mapping[str, str] | None = None, overrides: Overrides | None = None
) -> dict[str, Problem]:
    """Return what is wrong with `text`, by key; nothing where nothing is."""
    try:
        load_text(folder, text, environment, overrides)
    except ConfigInvalid as error:
        return {problem.key: problem for problem in error.problems}
    return {}
