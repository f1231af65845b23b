"""What stands by takes over from a process: at once, or, before anything has failed, once that has ended in peace."""

from __future__ import annotations

from selfheal.config.models import AgentConfig, process_of
from selfheal.kinds import Act, Fix, Hands, Target
from selfheal.recover.restart import RESTART


async def _replace(hands: Hands, target: Target) -> str:
    return f"{target.agent} was replaced: {await hands.replace(target.agent, ahead=target.ahead)}"


def _fits(agent: AgentConfig) -> bool:
    process = process_of(agent)
    return process is not None and process.standby is not None


# The imports are done. That what it was doing is cut off after a second costs what a lost request costs: little, and
# more than nothing.
REPLACE_BY_SPARE = Fix(
    name="replace_by_spare",
    layer="application",
    causes=RESTART.causes,
    cost_s=0.5,
    risk_s=1.0,
    timeout_s=300.0,
    acts=(Act("replace", _replace),),
    fits=_fits,
    unfit=lambda world, agent: "" if agent.run is not None else "nothing of it runs that could be replaced",
)
