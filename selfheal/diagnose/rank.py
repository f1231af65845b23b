"""Which service, metric and change caused an incident, how sure is that, and by what evidence?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from selfheal.diagnose.case import NONE, Case
from selfheal.diagnose.changes import RankedChange, rank_changes
from selfheal.diagnose.channels import Channel, Finding
from selfheal.diagnose.channels.budget import Budget
from selfheal.diagnose.channels.edge_gap import EdgeGap
from selfheal.diagnose.channels.sequence import Order
from selfheal.diagnose.channels.shift import Shift
from selfheal.diagnose.channels.slow_all import SlowAll
from selfheal.diagnose.fusion import features, probabilities
from selfheal.diagnose.view import View, ranked
from selfheal.diagnose.weights import CHANNELS, weights_for

# From here on a cause is sure enough to act on, where a second channel agrees with the first.
SURE = 0.7
LOOKERS: tuple[Channel, ...] = (Shift(), Budget(), Order(), EdgeGap(), SlowAll())

Verdict = Literal["act", "investigate", "none"]


@dataclass(frozen=True, slots=True)
class RankedService:
    """A service that may be the cause, with what each channel has of it in words."""

    service: str
    probability: float
    score: float
    evidence: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ranking:
    """What was found. `confidence` is the probability of what the verdict is about.

    `used` are the channels that had something to look at, `missing` what the others would have needed.
    """

    services: tuple[RankedService, ...]
    metrics: tuple[tuple[str, str, float], ...]
    changes: tuple[RankedChange, ...]
    verdict: Verdict
    confidence: float
    used: tuple[str, ...]
    missing: Mapping[str, str]


def rank(case: Case) -> Ranking:
    """Rank what may have caused a case. Pure; never raises, whatever the data are like."""
    view = View(case)
    findings = {channel.name: channel.look(view) for channel in LOOKERS}
    missing = {name: found.missing for name, found in findings.items() if found.missing}
    weights = weights_for(missing)
    known = features(findings, CHANNELS, view.services)
    told = probabilities(known, weights.features, weights.nothing)
    nothing = told.pop(NONE)
    services = tuple(_service(name, share, findings) for name, share in ranked(told))
    changes = rank_changes(view, {one.service: one.probability for one in services})
    verdict, confidence = _verdict(services, nothing, len(missing) == len(findings))
    used = tuple(name for name in findings if name not in missing)
    return Ranking(services, _metrics(findings, told), changes, verdict, confidence, used, missing)


def _service(name: str, share: float, findings: Mapping[str, Finding]) -> RankedService:
    evidence = {channel: found.evidence[name] for channel, found in findings.items() if name in found.evidence}
    score = sum(max(found.scores.get(name, 0.0), 0.0) for found in findings.values())
    return RankedService(name, share, score, evidence)


def _metrics(findings: Mapping[str, Finding], told: Mapping[str, float]) -> tuple[tuple[str, str, float], ...]:
    """Metrics by how far they moved, those of likely services first where they moved as far."""
    found = {key: score for finding in findings.values() for key, score in finding.metrics.items()}
    order = sorted(found.items(), key=lambda one: (-one[1] * (1.0 + told.get(one[0][0], 0.0)), one[0]))
    return tuple((service, metric, score) for (service, metric), score in order)


def _verdict(services: Sequence[RankedService], nothing: float, blind: bool) -> tuple[Verdict, float]:
    """What to do about it. Who had nothing to look at cannot say that nothing is wrong."""
    first = services[0].probability if services else 0.0
    if nothing >= first and not blind:
        return "none", nothing
    if first >= SURE and len(services[0].evidence) > 1:
        return "act", first
    return "investigate", first
