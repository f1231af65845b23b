"""May a failure be left to come, to learn what work before it is worth?

A prediction that was acted on has no outcome: nobody knows whether the failure would have come. A few are therefore
left alone, drawn by chance among those where that is safe.
"""

from __future__ import annotations

from selfheal.events import FailurePredicted
from selfheal.modes import MODES
from selfheal.predict.maintenance import Times
from selfheal.vocabulary import RestartPolicy
from selfheal.world import Agent, World

# What is left to fail has to be back so soon, by one of these fixes.
QUICK_S = 10.0
RESTARTS = ("restart", "replace_by_spare")


def why_not_left(
    world: World, prediction: FailurePredicted, agent: Agent, policy: RestartPolicy, has_spare: bool, times: Times
) -> str:
    """Why a failure may not be left to come; empty where it may.

    It may where a restart ends it within seconds and hardly anybody notices: a process whose restart cures
    it and was quick, which holds no data and depends on none, on which nobody depends unless a spare stands by, and
    not in a quiet time or a window. One at a time in the whole fleet.
    """
    comes_at = (prediction.at + eta_s for eta_s in (prediction.eta_low_s, prediction.eta_s, prediction.eta_high_s))
    reasons = (
        ("a restart does not cure it", not MODES[prediction.mode].restart_prevents),
        ("it is not started again", policy == "never" or not agent.has_process or agent.run is None),
        ("healing is off", world.paused or agent.paused or world.dry_run),
        ("it has failed too often", agent.breaker.state != "closed"),
        ("data are at stake", _touches_data(world, agent)),
        ("others depend on it, and no spare stands by", bool(world.dependents(agent.name)) and not has_spare),
        ("how quick its restart is was never seen", not has_spare and not _is_quick(world, agent)),
        ("it would come in a quiet time or a window", any(times.quiet(at) or times.closed(at) for at in comes_at)),
        ("another one is left to come", "left" in world.foresight.arms.values()),
    )
    return next((why for why, holds in reasons if holds), "")


def _touches_data(world: World, agent: Agent) -> bool:
    known = (world.agents.get(name) for name in (agent.name, *world.dependencies(agent.name)))
    return any(one is not None and one.layer == "data" for one in known)


def _is_quick(world: World, agent: Agent) -> bool:
    restarts = (odds for (name, _, fix), odds in world.odds.items() if name == agent.name and fix in RESTARTS)
    slowest = [odds.slowest_s for odds in restarts if odds.helped > 0]
    return bool(slowest) and max(slowest) <= QUICK_S
