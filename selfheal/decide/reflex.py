"""A process has ended: what now, within microseconds?

Pure. The first restarts come at once; a crash loop is slowed down by exponential back-off with full jitter, and when
its budget is spent the breaker opens: quarantined, one trial now and then, for ever, never a final "fatal".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from selfheal.plans import Delay, Ending, Finish, Leave, Quarantine, Reflex, Restart
from selfheal.vocabulary import RestartPolicy
from selfheal.world import Agent
from selfheal.world.agents import HOUR_S, SHORT_RUN_S

if TYPE_CHECKING:
    from random import Random

# The first short runs in a row are answered at once: most deaths are single, and waiting is downtime.
AT_ONCE = 3
BACKOFF_FIRST_S, BACKOFF_LAST_S = 0.5, 30.0


@dataclass(frozen=True, slots=True)
class ReflexRules:
    """What holds the reflex back. `attempts_per_hour` of 0 is no limit."""

    attempts_per_hour: int
    dry_run: bool
    paused: bool


def reflex(
    agent: Agent, ending: Ending, policy: RestartPolicy, rules: ReflexRules, now: float, chance: Random
) -> Reflex:
    """Decide about `agent`, whose run has just ended and is not yet folded as such."""
    if not agent.wanted:
        return Leave("a person stopped it")
    # A job that took too long was ended before its work was done: many a program says 0 where it is asked to end.
    done = ending.clean and not (agent.ends and agent.start_error)
    if policy == "never":
        return Finish() if done else Leave("restart = never: only a person starts it again")
    if policy == "on-failure" and done:
        return Finish()
    held = held_back(agent, rules)
    if held is not None:
        return Leave(held)
    if agent.breaker.state == "open":
        return Quarantine(agent.breaker.retry_at, agent.breaker.why)
    if agent.breaker.state == "half_open":
        return quarantine(agent, agent.breaker.why, now)
    spent = sum(at > now - HOUR_S for at in agent.recent_starts)
    if rules.attempts_per_hour and spent >= rules.attempts_per_hour:
        return quarantine(agent, f"{spent} restarts within an hour did not help", now)
    short_runs = agent.short_runs + 1 if ending.ran_s < SHORT_RUN_S else 0
    if short_runs <= AT_ONCE:
        return Restart()
    limit_s = min(BACKOFF_LAST_S, BACKOFF_FIRST_S * 2.0 ** min(short_runs - AT_ONCE - 1, 16))
    wait_s = chance.uniform(0.0, limit_s)
    return Delay(now + wait_s, f"{short_runs} runs in a row ended within {SHORT_RUN_S:.0f} s")


def held_back(agent: Agent, rules: ReflexRules) -> str | None:
    """Why nothing may be started on its own now; None when it may."""
    if rules.dry_run:
        return "dry run: it would be started again"
    if rules.paused or agent.paused:
        return "healing is paused"
    if agent.held_for:
        return f"it is stopped for the sake of {agent.held_for}: started again when that is well"
    if agent.maintenance_until is not None:
        return "in maintenance: started again at its end"
    return None


def quarantine(agent: Agent, why: str, now: float) -> Quarantine:
    """The wait doubles with each opening in a row."""
    return Quarantine(now + agent.breaker.next_wait_s, why)
