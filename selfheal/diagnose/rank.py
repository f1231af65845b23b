"""What was the root cause of a case?

Every channel looks at the case; what they say is weighed and becomes a probability of each service and of "none of
these". What a channel had nothing to look at is told beside it, never passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from selfheal.diagnose.case import NONE, Case
from selfheal.diagnose.changes import RankedChange, rank_changes
from selfheal.diagnose.channels import Channel, Finding
from selfheal.diagnose.channels.budget import Budget
from selfheal.diagnose.channels.dependency import Dependency
from selfheal.diagnose.channels.edge_gap import EdgeGap, SlowAll
from selfheal.diagnose.channels.known import Known
from selfheal.diagnose.channels.missing import Missing
from selfheal.diagnose.channels.novelty import Novelty
from selfheal.diagnose.channels.onset import Onset
from selfheal.diagnose.channels.process import Process
from selfheal.diagnose.channels.shift import Shift, unexplained
from selfheal.diagnose.circumstances import circumstances
from selfheal.diagnose.fusion import Features, features, probabilities
from selfheal.diagnose.view import View, ranked
from selfheal.diagnose.weights import SHIPPED, Weights

# A new channel is one file and one line here; without weights of its own it is shown and does not count.
CHANNELS: tuple[Channel, ...] = (
    Shift(), Budget(), EdgeGap(), SlowAll(), Missing(), Novelty(), Onset(), Process(), Dependency(), Known()
)  # fmt: skip
# From here on the first service is likely enough to act on, where a second channel agrees.
SURE = 0.7
# A channel agrees where nobody else scores higher in it, and there is something to score.
LEAST_SCORE = 0.1

Verdict = Literal["act", "investigate", "none"]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A service, how likely it is the cause, and what each channel has against it; `features` are what was weighed."""

    service: str
    probability: float
    score: float
    evidence: Mapping[str, str] = field(default_factory=dict)
    features: Features = ()


@dataclass(frozen=True, slots=True)
class SuspectMetric:
    """A metric of a service, by how much it moved in a way that is bad."""

    service: str
    metric: str
    score: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Who was it? All by probability; `nothing` is that of nobody, by the `circumstances` of the case too.

    `agree` are the channels in which nobody scores higher than the first, with its scores. `missing` says of each
    channel that found nothing to look at what it needs.
    """

    services: Sequence[Suspect]
    metrics: Sequence[SuspectMetric]
    changes: Sequence[RankedChange]
    verdict: Verdict
    confidence: float
    nothing: float
    circumstances: tuple[float, ...]
    agree: Mapping[str, float]
    used: Sequence[str]
    missing: Mapping[str, str]


def rank(case: Case, weights: Weights = SHIPPED, channels: Sequence[Channel] = CHANNELS) -> Ranking:
    """Rank what may have caused a case. Total: of a case without any data nothing is known, and that is the verdict."""
    view = View(case)
    findings = look(view, channels)
    services = view.services
    known = features(findings, weights.names, services)
    around = circumstances(view)
    told = probabilities(known, weights.numbers, weights.utility_of_none(around))
    suspects = tuple(
        Suspect(name, probability, _utility(known[name], weights), _evidence(name, findings), known[name])
        for name, probability in ranked({name: told[name] for name in services})
    )
    first = suspects[0].service if suspects else ""
    agree = {name: one.scores[first] for name, one in findings.items() if _agrees(one, first)}
    verdict, confidence = _verdict(suspects, told[NONE], agree)
    return Ranking(
        suspects,
        _metrics(findings),
        rank_changes(view, told),
        verdict,
        confidence,
        told[NONE],
        around,
        agree,
        tuple(name for name, one in findings.items() if not one.missing),
        {name: one.missing for name, one in findings.items() if one.missing},
    )


def look(view: View, channels: Sequence[Channel] = CHANNELS) -> dict[str, Finding]:
    """Return what each channel finds."""
    found = {channel.name: channel.look(view) for channel in channels}
    budget = found.get(Budget.name)
    if budget is not None and not budget.missing and Shift.name in found:
        found[Shift.name] = unexplained(found[Shift.name], budget.scores)
    followed, told = found.get(Missing.name), found.get(Novelty.name)
    if followed is not None and not followed.missing and told is not None:
        found[Novelty.name] = replace(told, scores={})  # whoever follows whole requests knows better which line is news
    return found


def _utility(numbers: Sequence[float], weights: Weights) -> float:
    return sum(weight * number for weight, number in zip(weights.numbers, numbers, strict=True))


def _evidence(service: str, findings: Mapping[str, Finding]) -> Mapping[str, str]:
    return {name: one.evidence[service] for name, one in findings.items() if service in one.evidence}


def _metrics(findings: Mapping[str, Finding]) -> tuple[SuspectMetric, ...]:
    scores: dict[tuple[str, str], float] = {}
    for one in findings.values():
        for key, score in one.metrics.items():
            scores[key] = max(scores.get(key, 0.0), score)
    order = sorted(scores.items(), key=lambda one: (-one[1], one[0]))
    return tuple(SuspectMetric(service, metric, score) for (service, metric), score in order)


def _verdict(suspects: Sequence[Suspect], nothing: float, agree: Mapping[str, float]) -> tuple[Verdict, float]:
    """Act on what is likely and seen in two ways; say none where that is likelier than anybody; else look further."""
    if not suspects or nothing > suspects[0].probability:
        return "none", nothing
    first = suspects[0].probability
    return ("act" if first >= SURE and len(agree) > 1 else "investigate"), first


def _agrees(finding: Finding, service: str) -> bool:
    score = finding.scores.get(service, 0.0)
    return score >= max(LEAST_SCORE, *finding.scores.values(), 0.0)
