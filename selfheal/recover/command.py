"""A fix of the user's own: a command from `[fixes.*]`."""

from __future__ import annotations

from selfheal.config.models import FixConfig
from selfheal.kinds import Act, Fix, Hands, Target


def command_fix(name: str, config: FixConfig) -> Fix:
    """Return the fix that runs the command of `[fixes.<name>]`, with `{agent}` replaced by the agent's name."""
    command = config.command or ()

    async def apply(hands: Hands, target: Target) -> str:
        argv = tuple(word.replace("{agent}", target.agent) for word in command)
        return await hands.run_command(argv, target.agent, config.timeout)

    return Fix(
        name=name,
        layer="application",
        causes=frozenset(config.causes),
        cost_s=config.cost,
        risk_s=0.0,
        timeout_s=config.timeout,
        acts=(Act("command", apply, repeatable=False, stoppable=True),),
        tier=config.tier,
        mode="ask" if config.approval else "auto",
        for_any_cause=True,
    )
