"""The fix `quarantine`: an agent that does harm is stopped until a person starts it again."""

from __future__ import annotations

from selfheal.kinds import Act, Fix, Hands, Target


async def _stop(hands: Hands, target: Target) -> str:
    return await hands.quarantine(target.agent, target.cause)


async def _start(hands: Hands, target: Target) -> str:
    return await hands.start_again(target.agent)


# It ends nothing but the harm: whoever needs the agent goes without it, so it comes after all else, and on a yes alone.
QUARANTINE = Fix(
    name="quarantine",
    layer="application",
    causes=frozenset({"wrong_answer", "corrupted"}),
    cost_s=2.0,
    risk_s=1500.0,
    timeout_s=120.0,
    acts=(Act("stop it", _stop),),
    tier=1,
    mode="ask",
    only_its_causes=True,
    undo=Act("start it again", _start),
)
