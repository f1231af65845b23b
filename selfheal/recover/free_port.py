"""The fix `free_port`: what holds the port that an agent wants is ended, where it is a run of that agent itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from selfheal.config.section import Section
from selfheal.config.units import Count, Flag
from selfheal.kinds import Act, Fix, Hands, Target


class FreePortSettings(Section):
    """Which port, and whose processes may be ended for it."""

    port: Annotated[Count, Field(ge=1, le=65_535)] = Field(description="The port that the agent listens on.")
    copies: Flag = Field(
        False, description="true: what this user has started with the same command is ended too, whoever did it. "
        "Without it only what selfheal itself has started for this agent.",
    )  # fmt: skip


async def _free(hands: Hands, target: Target) -> str:
    settings = target.settings
    assert isinstance(settings, FreePortSettings)
    return await hands.end_listeners(target.agent, settings.port, copies=settings.copies)


async def _restart(hands: Hands, target: Target) -> str:
    await hands.restart(target.agent, "fix")
    return f"{target.agent} was started again"


# What is ended is an earlier run of the agent: nobody is served by it who would not be served by the new one.
FREE_PORT = Fix(
    name="free_port",
    layer="application",
    causes=frozenset({"port_taken"}),
    cost_s=5.0,
    risk_s=0.0,
    timeout_s=120.0,
    acts=(Act("end what holds the port", _free), Act("start it again", _restart)),
    tier=1,
    only_its_causes=True,
    settings=FreePortSettings,
)
