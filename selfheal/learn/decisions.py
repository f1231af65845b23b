"""What was chosen in each incident, and what came of it? The log from which the choice itself is judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from selfheal.events import Planned
from selfheal.learn.policy import Decision
from selfheal.world import Incident

# What a person is called to takes so long as a rule, from the call to the work; the same as where fixes are weighed.
PAGED_S = 1800.0


def decisions(incidents: Iterable[Incident]) -> list[Decision]:
    """The first choice of each incident that is over or needs a person, in their order."""
    return [decision for incident in incidents for decision in _of(incident)]


def _of(incident: Incident) -> Iterator[Decision]:
    planned = next((event for event in incident.story if isinstance(event, Planned) and not event.shadow), None)
    if planned is None or not planned.ladder or not _was_done(incident, planned):
        return
    outcome_s = _outcome_s(incident, planned)
    values_s = {one.fix: one.expected_s for one in planned.alternatives if one.code is None}
    chosen = next((one for one in planned.alternatives if one.fix == planned.fix), None)
    if outcome_s is not None and chosen is not None and chosen.propensity > 0.0:
        yield Decision(values_s, planned.fix, chosen.propensity, planned.ladder, outcome_s)


def _was_done(incident: Incident, planned: Planned) -> bool:
    """Whether it came to the act: a person may have said no."""
    return any(one.fix == planned.fix and one.started_at >= planned.at for one in incident.attempts)


def _outcome_s(incident: Incident, planned: Planned) -> float | None:
    """The seconds from the choice to the first good sign; None while nobody knows."""
    waited_s = planned.at - incident.onset
    if incident.escalated:
        return max(PAGED_S, (incident.recovery_s or 0.0) - waited_s)
    return max(0.0, incident.recovery_s - waited_s) if incident.recovery_s is not None else None
