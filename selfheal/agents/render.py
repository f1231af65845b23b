"""The kind `render`: a service, a PostgreSQL or a Key Value that runs at Render.com."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from selfheal.config.models import AgentConfig
from selfheal.config.render import RenderConfig
from selfheal.kinds import AgentKind


class RenderAgent(RenderConfig, AgentConfig):
    """A service at Render."""

    kind: Literal["render"] = Field("render", description="A service at Render.com; RENDER_API_KEY has to be set.")


# Which fixes fit depends on what of Render's it is: they say so themselves.
RENDER = AgentKind(name="render", model=RenderAgent, layer="infrastructure", fixes=())
