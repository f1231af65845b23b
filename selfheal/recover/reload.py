"""A process is told to read again what it has read at its start: by the signal that it takes for that."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from selfheal.config.healing import FixSettings
from selfheal.config.models import Section, process_of
from selfheal.errors import FixFailed
from selfheal.kinds import Act, Fix, Hands, Target


class ReloadSettings(FixSettings):
    """How a process is told to reload."""

    signal: Literal["HUP", "USR1", "USR2"] = Field(
        "HUP", description="The signal at which it reloads; sent to its main process alone, and only where it catches "
        "that.",
    )  # fmt: skip

    def check(self, agent: Section) -> None:
        if process_of(agent) is None:
            raise ValueError("a signal reaches a process of this daemon alone, and this agent is none; take it out")


async def _reload(hands: Hands, target: Target) -> str:
    settings = target.settings
    if not isinstance(settings, ReloadSettings):
        raise FixFailed(f"cannot reload {target.agent}: it has no healing.reload in the configuration any more")
    told = await hands.signal(target.agent, settings.signal)
    return f"SIG{settings.signal} was sent to {told} of {target.agent}, to reload"


# What it holds in memory is old, or wrong: a cache, a certificate that was renewed. Damage it does none: a signal that
# would end the process is not sent.
RELOAD = Fix(
    name="reload",
    layer="application",
    causes=frozenset({"stale", "wrong_answer", "tls_expired"}),
    cost_s=1.0,
    risk_s=0.0,
    timeout_s=10.0,
    acts=(Act("send the signal", _reload),),
    tier=0,
    only_its_causes=True,
    settings=ReloadSettings,
    unfit=lambda world, agent: "" if agent.run is not None else "nothing of it runs that could reload",
)
