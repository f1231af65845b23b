"""The fixes of the application layer: start the process again, alone or with those who depend on it."""

from __future__ import annotations

from selfheal.kinds import Act, Fix, Hands, Target
from selfheal.world import Agent, World


async def _restart(hands: Hands, target: Target) -> str:
    stack = await hands.restart(target.agent, target.reason, hung=target.cause == "hung")
    return f"{target.agent} was stopped and started again{_wrote(stack)}"


async def _restart_with_dependents(hands: Hands, target: Target) -> str:
    """The agent first, then those who depend on it, nearest first: each finds what it needs."""
    stack = await hands.restart(target.agent, target.reason, hung=target.cause == "hung")
    for agent in target.dependents:
        await hands.restart(agent, "dependency")
    names = ", ".join((target.agent, *target.dependents))
    return f"{names} were stopped and started again, in this order{_wrote(stack)}"


def _nobody_depends_on_it(world: World, agent: Agent) -> str:
    return "" if world.dependents(agent.name) else "nothing depends on it"


def _wrote(stack: str) -> str:
    """What it did when it was asked, if it said so."""
    return f"; before that it wrote where it hung:\n{stack}" if stack else ""


# The deadlines are beyond what stop.timeout and ready.timeout bound already, in all settings that make sense.
# The costs are what the demo fleet and small services take; what is learned from real recoveries outweighs them.
RESTART = Fix(
    name="restart",
    layer="application",
    causes=frozenset(
        {
            "hung",
            "killed",
            "crashed",
            "exited",
            "stale",
            "unreachable",
            "slow",
            "out_of_memory",
            "memory_leak",
            "out_of_fds",
            "fd_leak",
            "out_of_processes",
            "pool_exhausted",
        }
    ),
    cost_s=3.0,
    risk_s=0.0,
    timeout_s=300.0,
    acts=(Act("restart", _restart),),
)

RESTART_WITH_DEPENDENTS = Fix(
    name="restart_with_dependents",
    layer="application",
    causes=frozenset({"hung", "unreachable", "wrong_answer"}),
    cost_s=3.0,
    risk_s=10.0,
    timeout_s=900.0,
    acts=(Act("restart", _restart_with_dependents),),
    unfit=_nobody_depends_on_it,
)
