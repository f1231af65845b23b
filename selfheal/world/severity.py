"""How much does an anomaly matter, and which one is to be looked at first?

Four things count: how far out the farthest of its signals is, how near that signal is to what users feel, how many
signals and agents show it, and how long it lasts. None of them alone makes it matter much, but the first two together.
"""

from __future__ import annotations

from math import exp2

from selfheal.measures import MEASURES, OTHER, measured
from selfheal.vocabulary import Level
from selfheal.world.anomalies import Anomaly, Member

# The most that breadth and time can make up for of what is missing to 1.
BREADTH, TIME = 0.6, 0.2
# So many signals more close half of what breadth can; another agent counts as two of them.
HALF_OF_BREADTH, AN_AGENT = 4.0, 2.0
# What has lasted for so long does not matter more for lasting longer: the daemon takes it for normal then.
LASTING_S = 1800.0
HIGH, MEDIUM = 0.75, 0.4


def severity(anomaly: Anomaly, now: float) -> float:
    """Return how much it matters, from 0 to 1; it only grows while the anomaly lasts."""
    far = max((far_out(one) for one in anomaly.members), default=0.0)
    signals = max(0, len(anomaly.members) + anomaly.more - 1)
    agents = max(0, len(anomaly.agents) - 1)
    wide = 1.0 - exp2(-(signals + AN_AGENT * agents) / HALF_OF_BREADTH)
    lasted_s = (now if anomaly.over_at is None else anomaly.over_at) - anomaly.since
    lasting = min(1.0, max(0.0, lasted_s / LASTING_S))
    return 1.0 - (1.0 - far) * (1.0 - BREADTH * wide) * (1.0 - TIME * lasting)


def level(value: float) -> Level:
    """Return the word for a severity."""
    return "high" if value >= HIGH else "medium" if value >= MEDIUM else "low"


def matters(signal: str) -> float:
    """Return how near a signal is to what users feel, from 0 to 1; the name of its check may stand before its own."""
    known = MEASURES.get(measured(signal))
    return known.matters if known is not None else OTHER


def far_out(member: Member) -> float:
    """Return how much one of its signals matters: how far out it is, 0 at the alarm line and one half at three times
    that, as near as it is to what users feel.
    """
    return matters(member.signal) * min(1.0, max(0.0, 2.0 * member.score - 1.0))
