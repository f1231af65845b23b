"""The kind `service`: something that runs elsewhere; watched here, healed by the user's own fixes."""

from __future__ import annotations

from typing import Literal

from selfheal.config.models import AgentConfig
from selfheal.kinds import AgentKind


class ServiceAgent(AgentConfig):
    """A remote service."""

    kind: Literal["service"] = "service"


SERVICE = AgentKind(name="service", model=ServiceAgent, layer="application", fixes=())
