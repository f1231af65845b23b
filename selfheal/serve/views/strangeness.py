"""How strange is each agent now, and who says so?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from selfheal.serve.models.fleet import AnomalyCounts, StrangenessView
from selfheal.serve.times import moment
from selfheal.serve.views.foresight import share

if TYPE_CHECKING:
    from selfheal.vitals import Strangeness, Vitals
    from selfheal.world import World

HOUR_S = 3600.0
WHYS_SHOWN = 5
NOT_LOOKED = "its signals were not looked at together yet"


def strangest(world: World) -> dict[str, float]:
    """Return the score of the strongest anomaly that lasts, by agent."""
    return {name: share(score) for name, score in world.anomalies.strongest().items()}


def strangeness_view(together: Strangeness | None, alone: float) -> StrangenessView:
    """The forest's word and that of the statistics of each signal: the higher one counts."""
    if together is None:
        return StrangenessView(score=alone, by="statistics", why=NOT_LOOKED, features=[], at=None)
    return StrangenessView(
        score=max(alone, share(together.score or 0.0)),
        by="statistics" if together.score is None else "forest",
        why=together.why,
        features=list(together.features),
        at=moment(together.at),
    )


def anomaly_counts(world: World, vitals: Vitals | None, now: float) -> AnomalyCounts:
    """Count anomalies, how many agents are judged by what, and why not by a forest."""
    anomalies = [one for _, one in world.anomalies.things()]
    seen = [vitals.strangeness(name) if vitals is not None else None for name in world.agents]
    forests = sum(one is not None and one.score is not None for one in seen)
    whys = Counter(one.why if one is not None else NOT_LOOKED for one in seen if one is None or one.score is None)
    return AnomalyCounts(
        open=sum(one.lasts and not one.dismissed for one in anomalies),
        last_hour=sum(one.seen.at > now - HOUR_S for one in anomalies),
        by={"forest": forests, "statistics": len(seen) - forests},
        why=dict(whys.most_common(WHYS_SHOWN)),
    )
