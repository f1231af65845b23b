"""The kind `process`: a child process of the daemon, started, watched and restarted by it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from selfheal.config.models import AgentConfig, ProcessConfig
from selfheal.kinds import AgentKind


class ProcessAgent(ProcessConfig, AgentConfig):
    """A program that the daemon runs."""

    kind: Literal["process"] = Field("process", description="What a command means; need not be written.")


PROCESS = AgentKind(
    name="process", model=ProcessAgent, layer="application", fixes=("restart", "restart_with_dependents", "quarantine")
)
