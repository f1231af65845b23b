"""How much does each channel count in the daemon, and what is kept of a ranking?

The daemon knows more of its agents than any recorded case holds: their processes, their states, the signatures of
their logs. No public incident has these, so their weights are believed: a process that ended by a signal, alone in
that, is the cause in nine of ten; one that is down with all well on which it depends, in two of three at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from selfheal.diagnose.case import NONE
from selfheal.diagnose.rank import Ranking
from selfheal.diagnose.weights import SHIPPED, Weights
from selfheal.events import Ranked, Suspected, SuspectedChange, WeightsLearned

BELIEVED = (
    ("process", 0.500, 1.000),
    ("dependency", 0.700, 1.000),
    ("known", 0.400, 0.600),
)
# More of them nobody reads, and the rest of the probability is thin.
SUSPECTS, CHANGES = 10, 3
_DIGITS = 4


def weights_of(learned: WeightsLearned | None) -> Weights:
    """The weights in force: what was learned here, and for a channel that is newer than that what is believed."""
    believed = replace(SHIPPED, channels=(*SHIPPED.channels, *BELIEVED))
    if learned is None:
        return believed
    channels = tuple((name, *learned.weights.get(name, (score, margin))) for name, score, margin in believed.channels)
    return Weights(channels, learned.nothing)


def ranked(at: float, incident: str, ranking: Ranking, weights: Weights, probed: Sequence[str] = ()) -> Ranked:
    """What is kept of a ranking."""
    suspects = tuple(
        Suspected(
            one.service,
            round(one.probability, _DIGITS),
            one.evidence,
            _rounded(one.features),
        )
        for one in ranking.services[:SUSPECTS]
    )
    changes = tuple(
        SuspectedChange(one.at, one.service, one.title, round(one.probability, _DIGITS))
        for one in ranking.changes[:CHANGES]
        if one.title != NONE
    )
    return Ranked(
        at, incident, suspects, round(ranking.nothing, _DIGITS), ranking.verdict, _rounded(ranking.circumstances),
        weights.names, tuple(ranking.used), ranking.missing, changes, tuple(probed),
    )  # fmt: skip


def _rounded(numbers: Sequence[float]) -> tuple[float, ...]:
    return tuple(round(number, _DIGITS) for number in numbers)
