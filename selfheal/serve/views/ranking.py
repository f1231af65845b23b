"""Where may the cause of an incident lie, and what would help against it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from selfheal.serve.models.ranking import (
    RankingView,
    SuggestionView,
    SuspectedChangeView,
    SuspectView,
    WeightsView,
)
from selfheal.serve.times import rfc3339
from selfheal.serve.views.foresight import share

if TYPE_CHECKING:
    from selfheal.events import Ranked, WeightsLearned
    from selfheal.world import Incident

# More than these nobody weighs against each other.
SUGGESTED = 3


def ranking_view(ranked: Ranked | None) -> RankingView | None:
    """Show a ranking; nothing where none was made, since there was nobody else to look at, or far too many."""
    if ranked is None:
        return None
    return RankingView(
        at=rfc3339(ranked.at),
        suspects=[
            SuspectView(agent=one.agent, probability=share(one.probability), evidence=dict(one.evidence))
            for one in ranked.suspects
        ],
        none=share(ranked.nothing),
        verdict=ranked.verdict,
        used=list(ranked.used),
        missing=dict(ranked.missing),
        probed=list(ranked.probed),
        changes=[
            SuspectedChangeView(
                at=rfc3339(one.at), agent=one.agent, title=one.title, probability=share(one.probability)
            )
            for one in ranked.changes
        ],
    )


def suggestions(incident: Incident) -> list[SuggestionView]:
    """What would help, as it was weighed last; before that what is held back is all that is known."""
    plan, hold = incident.plan, incident.hold
    if plan is not None:
        weighed = sorted(plan.alternatives, key=lambda one: (one.fix != plan.fix, bool(one.barred)))
        return [
            SuggestionView(fix=one.fix, agent=plan.agent, success=share(one.success), barred=one.barred)
            for one in weighed[:SUGGESTED]
        ]
    if hold is not None and hold.fix:
        return [SuggestionView(fix=hold.fix, agent=incident.agent, success=None, barred=hold.reason)]
    return []


def weights_view(learned: WeightsLearned | None) -> WeightsView | None:
    """Show what was learned of the channels."""
    if learned is None:
        return None
    return WeightsView(
        at=rfc3339(learned.at),
        channels=dict(learned.weights),
        none=list(learned.nothing),
        labels=learned.labels,
        loss_before=learned.loss_before,
        loss_after=learned.loss_after,
    )
