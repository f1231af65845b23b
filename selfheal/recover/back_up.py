"""The fix `back_up`: before something is done that puts data at risk, there is a backup of them that counts.

It heals nothing, and so it is against no cause: planned work is what asks for it.
"""

from __future__ import annotations

from selfheal.kinds import Act, Fix, Hands, Target


async def _back_up(hands: Hands, target: Target) -> str:
    return await hands.back_up(target.agent)


BACK_UP = Fix(
    name="back_up",
    layer="data",
    causes=frozenset(),
    cost_s=10.0,
    risk_s=0.0,
    timeout_s=7200.0,
    acts=(Act("make a backup", _back_up),),
    tier=0,
    only_its_causes=True,
)
