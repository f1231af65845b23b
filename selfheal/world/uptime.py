"""For how long was an agent well, of the time in which it was wanted?"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Uptime:
    """Seconds healthy and seconds wanted up, up to `at`; `well_from` and `well_to` bound the latest healthy stretch."""

    healthy_s: float = 0.0
    wanted_s: float = 0.0
    at: float = 0.0
    well_from: float = 0.0
    well_to: float = 0.0

    def counted(self, at: float, *, wanted: bool, healthy: bool) -> Uptime:
        """With the time up to `at`, in which it was so."""
        span = max(0.0, at - self.at) if self.at else 0.0
        now = replace(self, wanted_s=self.wanted_s + span * wanted, at=max(at, self.at))
        if not (healthy and span):
            return now
        begin = self.well_from if self.well_to == self.at else self.at
        return replace(now, healthy_s=self.healthy_s + span, well_from=begin, well_to=now.at)

    def taken_back(self, since: float) -> Uptime:
        """Without what was counted as healthy after `since`: it turned out not to have been. Earlier stretches stay."""
        end = min(self.well_to, max(self.well_from, since))
        return replace(self, healthy_s=max(0.0, self.healthy_s - (self.well_to - end)), well_to=end)
