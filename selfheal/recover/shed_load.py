"""The fix `shed_load`: what matters less is stopped for a while, so that what matters more has the machine."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from selfheal.config.healing import FixSettings
from selfheal.config.units import Duration
from selfheal.kinds import Act, Fix, Hands, Target


class ShedLoadSettings(FixSettings):
    """Who makes room."""

    names_agents: ClassVar[tuple[str, ...]] = ("agents",)

    agents: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="Agents that matter less: they are stopped while this one needs the machine."
    )
    keep: Duration = Field(600.0, description="They are started again so long after it is well.")


def told_of(settings: object) -> ShedLoadSettings | None:
    """The table of this fix; None where it is none."""
    return settings if isinstance(settings, ShedLoadSettings) else None


async def _shed(hands: Hands, target: Target) -> str:
    settings = told_of(target.settings)
    assert settings is not None
    return await hands.hold(target.agent, settings.agents)


async def _release(hands: Hands, target: Target) -> str:
    return await hands.release_writers(target.agent) or "nobody is held any more"


SHED_LOAD = Fix(
    name="shed_load",
    layer="application",
    causes=frozenset({"slow", "out_of_memory", "cpu_starved", "traffic_surge"}),
    cost_s=5.0,
    risk_s=30.0,  # what is stopped is missed by somebody
    timeout_s=300.0,
    acts=(Act("stop what matters less", _shed),),
    tier=2,
    only_its_causes=True,
    undo=Act("start it again", _release),
    settings=ShedLoadSettings,
)
