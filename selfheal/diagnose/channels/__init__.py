"""In which ways is a cause looked for?

One channel a file, each pure: what is known of a case goes in, how much speaks for each service comes out, or what
it would have needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from selfheal.diagnose.view import View


@dataclass(frozen=True, slots=True)
class Finding:
    """What one channel found: a score by service, higher is more suspect, with why in words.

    `metrics` is the same by (service, metric), where the channel looks at metrics. `missing` says what the channel
    would have needed, where it had nothing to look at; then there are no scores. A service without a score is one that
    the channel had no data of, which is something else than a score of 0.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    evidence: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[tuple[str, str], float] = field(default_factory=dict)
    missing: str = ""


class Channel(Protocol):
    """One way of looking at a case."""

    @property
    def name(self) -> str:
        """The slug under which its evidence is shown."""

    def look(self, view: View) -> Finding:
        """Score the services of a case. Never raises, whatever the data are like."""
