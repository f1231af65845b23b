"""The fixes of the application layer: start the process again, alone or with those who depend on it."""

from __future__ import annotations

from selfheal.kinds import Fix, Hands, Target


async def _restart(hands: Hands, target: Target) -> str:
    await hands.restart(target.agent, "fix", hung=target.cause == "hung")
    return f"{target.agent} was stopped and started again"


async def _restart_with_dependents(hands: Hands, target: Target) -> str:
    """The agent first, then those who depend on it, nearest first: each finds what it needs."""
    for agent in (target.agent, *target.dependents):
        if agent == target.agent:
            await hands.restart(agent, "fix", hung=target.cause == "hung")
        else:
            await hands.restart(agent, "dependency")
    return f"{', '.join((target.agent, *target.dependents))} were stopped and started again, in this order"


# The deadlines are beyond what stop.timeout and ready.timeout bound already, in all settings that make sense.
# The costs are what the demo fleet and small services take; what is learned from real recoveries outweighs them.
RESTART = Fix(
    name="restart",
    layer="application",
    causes=frozenset(
        {"hung", "killed", "crashed", "exited", "out_of_memory", "out_of_fds", "stale", "unreachable", "slow"}
    ),
    cost_s=3.0,
    risk_s=0.0,
    timeout_s=300.0,
    apply=_restart,
)

RESTART_WITH_DEPENDENTS = Fix(
    name="restart_with_dependents",
    layer="application",
    causes=frozenset({"hung", "unreachable", "wrong_answer"}),
    cost_s=3.0,
    risk_s=10.0,
    timeout_s=900.0,
    apply=_restart_with_dependents,
)
