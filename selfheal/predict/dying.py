"""Is an agent likely to die as it did before, and what speaks for that?"""

from __future__ import annotations

from selfheal.events import Contribution, FailurePredicted
from selfheal.modes import MODES
from selfheal.predict.hazard import Prior, chances, hazard
from selfheal.world import Agent

SIGNAL = "deaths"
# Less than this is nothing to speak of.
LEAST = 0.01


def death_foreseen(agent: Agent, now: float, prior: Prior) -> FailurePredicted | None:
    """Return the chance that an agent dies within the next hour; None of one that never did, or hardly does.

    `value` is how often it died, and `slope` its rate per second; it has no limit.
    """
    if not agent.deaths.count or agent.run is None:
        return None
    deaths = agent.deaths.until(now, up=True)
    within_s = MODES["crash"].horizon_s
    seen = hazard(deaths, prior, within_s)
    if seen.chance < LEAST:
        return None
    low, high = chances(deaths, prior, within_s)
    fleet = 3600.0 * prior.shape / prior.rate_s
    own = deaths.weight / (deaths.weight + prior.shape)
    times = "once" if deaths.count == 1 else f"{deaths.count} times"
    rate = f"about {seen.per_hour:.2g} times an hour, and with a chance of {low:.0%} to {high:.0%} within the next"
    said = f"it died {times}, and is taken to die {rate}"
    return FailurePredicted(
        now,
        agent.name,
        "crash",
        SIGNAL,
        seen.chance,
        seen.eta_s,
        seen.eta_low_s,
        seen.eta_high_s,
        float(deaths.count),
        0.0,
        seen.per_hour / 3600.0,
        deaths.last_at,
        "hazard",
        MODES["crash"].horizon_s,
        (
            Contribution(SIGNAL, own, said),
            Contribution("fleet", 1.0 - own, f"an agent of this fleet dies {fleet:.2g} times an hour"),
        ),
    )
