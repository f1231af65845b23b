"""A fix of the user's own: a command from `[fixes.*]`."""

from __future__ import annotations

from selfheal.config.models import FixConfig
from selfheal.kinds import Act, Fix, Hands, Target

# What a script takes as a rule; what is learned from real recoveries outweighs it.
COST_S = 10.0


def command_fix(name: str, config: FixConfig) -> Fix:
    """Return the fix that runs the command of `[fixes.<name>]`, with `{agent}` replaced by the agent's name."""

    async def apply(hands: Hands, target: Target) -> str:
        argv = tuple(word.replace("{agent}", target.agent) for word in config.command)
        return await hands.run_command(argv, target.agent, config.timeout)

    return Fix(
        name=name,
        layer="application",
        causes=frozenset(config.causes),
        cost_s=COST_S,
        risk_s=0.0,
        timeout_s=config.timeout,
        acts=(Act("command", apply, repeatable=False),),
        approval=config.approval,
        for_any_cause=True,
    )
