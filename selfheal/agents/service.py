"""The kind `service`: something that runs elsewhere; watched here, healed by the user's own fixes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from selfheal.config.models import AgentConfig
from selfheal.kinds import AgentKind


class ServiceAgent(AgentConfig):
    """A remote service."""

    kind: Literal["service"] = Field("service", description="It runs elsewhere: no process is started.")


SERVICE = AgentKind(name="service", model=ServiceAgent, layer="application", fixes=())
