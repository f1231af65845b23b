"""What do the attempts of an incident say of their fixes?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from selfheal.world.incidents import Attempt, Incident
from selfheal.world.odds import HELPED, Odds

OddsByKey = Mapping[tuple[str, str, str], Odds]
"""By agent, cause and fix."""


def learned(odds: OddsByKey, incident: Incident, shares: Mapping[str, float], at: float) -> tuple[OddsByKey, Incident]:
    """Count the verified attempts, against each cause by its share or else against what each was meant for: a relapse
    and a failure both say that the fix did not help. The incident remembers what was counted.
    """
    telling = [attempt for attempt in incident.attempts if attempt.tells]
    if not telling:
        return odds, incident
    counted = dict(odds)
    for attempt in telling:
        took_s = attempt.first_good_at - attempt.started_at if attempt.first_good_at is not None else None
        for cause, share in (shares or _meant_for(incident, attempt)).items():
            key = (attempt.agent, cause, attempt.fix)
            counted[key] = counted.get(key, Odds()).tried_once_more(HELPED[attempt.outcome], took_s, at, share)
    attempts = tuple(replace(one, learned=one.learned or one.tells) for one in incident.attempts)
    return counted, replace(incident, attempts=attempts)


def taken_back(odds: OddsByKey, incident: Incident, number: int, at: float) -> OddsByKey:
    """What was learned from an attempt that had helped and has not lasted is taken back, but for the time it bought."""
    attempt = next((one for one in incident.attempts if one.number == number), None)
    if attempt is None or attempt.outcome != "succeeded":
        return odds
    shares = incident.shares or _meant_for(incident, attempt)
    keys = {(attempt.agent, cause, attempt.fix): share for cause, share in shares.items()}
    return {**odds, **{key: odds[key].relapsed(at, share) for key, share in keys.items() if key in odds}}


def _meant_for(incident: Incident, attempt: Attempt) -> Mapping[str, float]:
    return {attempt.cause or incident.cause: 1.0}
