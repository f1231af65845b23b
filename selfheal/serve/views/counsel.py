"""What were language models asked, and what came of it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from selfheal.serve.models.incidents import AskedView, ModelView, OpinionView
from selfheal.serve.times import rfc3339

if TYPE_CHECKING:
    from selfheal.events import ModelAnswered
    from selfheal.world import Incident, World

HOUR_S, DAY_S = 3600.0, 86_400.0
# The same as where it is decided: so many failures in a row, and for so long.
FAILURES, OPEN_S = 3, 300.0


def opinions(incident: Incident) -> list[OpinionView]:
    """Show what was asked about an incident, the latest last."""
    return [
        OpinionView(
            at=rfc3339(one.at),
            provider=one.provider,
            model=one.model,
            outcome=one.outcome,
            reason=one.reason,
            cause=one.cause,
            cause_agent=one.cause_agent,
            missing=one.missing,
            fix=one.fix,
            confidence=one.confidence,
            evidence=list(one.evidence),
            words=one.words,
            moved=bool(one.causes),
            cached=one.cached,
            seconds=round(one.took_s, 3),
            tokens=one.tokens_in + one.tokens_out,
        )
        for one in incident.counsel
    ]


def model_view(world: World, now: float) -> ModelView:
    """Show what was asked within a day."""
    calls = [one for incident in world.incidents.values() for one in incident.counsel if one.at > now - DAY_S]
    calls = sorted((one for one in calls if not one.cached), key=lambda one: one.at)
    costs = [one.cost for one in calls if one.cost is not None]
    return ModelView(
        asked=[_asked(name, calls, now) for name in sorted({one.provider for one in calls})],
        tokens_last_hour=sum(one.tokens_in + one.tokens_out for one in calls if one.at > now - HOUR_S),
        tokens_last_day=sum(one.tokens_in + one.tokens_out for one in calls),
        cost_last_day=round(sum(costs), 6) if costs else None,
    )


def _asked(provider: str, calls: Sequence[ModelAnswered], now: float) -> AskedView:
    own = [one for one in calls if one.provider == provider]
    latest = own[-FAILURES:]
    failed = len(latest) == FAILURES and all(one.outcome in ("error", "timeout") for one in latest)
    return AskedView(
        provider=provider,
        outcomes=dict(Counter(one.outcome for one in own)),
        left_alone=failed and now - latest[-1].at < OPEN_S,
    )
