"""What is there to know of a check to ask it at the right times?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from selfheal.config.address import Endpoint
from selfheal.config.models import CheckConfig
from selfheal.kinds import Check, CheckContext, CheckKind, Probe
from selfheal.vocabulary import CheckResult


@dataclass(frozen=True, slots=True)
class ScheduledCheck:
    """A check, and when to ask it. `fall` and `rise` are the results in a row that settle a matter.

    `again_s` is as in `CheckKind`, for this one, and `target` what it asks.
    """

    name: str
    check: Check
    interval_s: float
    timeout_s: float
    fall: int
    rise: int
    again_s: Callable[[Mapping[str, float]], float] | None = None
    target: Endpoint | None = None

    @property
    def probe(self) -> Probe | None:
        """The check, where it is driven by callbacks."""
        return cast(Probe, self.check) if hasattr(self.check, "ask") else None


def scheduled(config: CheckConfig, context: CheckContext, kinds: Sequence[CheckKind]) -> ScheduledCheck:
    """Build a check from its configuration. It is named after its kind where it has no name of its own."""
    kind = next(kind for kind in kinds if isinstance(config, kind.model))
    return ScheduledCheck(
        name=config.name or kind.name,
        check=kind.build(config, context),
        interval_s=config.interval,
        timeout_s=config.timeout,
        fall=config.fall,
        rise=config.rise,
        again_s=partial(kind.again_s, config) if kind.again_s is not None else None,
        target=config.endpoint(),
    )


@dataclass(frozen=True, slots=True)
class Pace:
    """Whether a check is in doubt. Results that say nothing about the agent leave it as it is."""

    fallen: bool = False
    against: int = 0  # results in a row that speak against how it stands

    def after(self, result: CheckResult, fall: int, rise: int) -> Pace:
        """The pace after one more result."""
        if result in ("error", "inconclusive"):
            return self
        if (result == "ok") is not self.fallen:
            return Pace(self.fallen)
        needed = rise if self.fallen else fall
        return Pace(self.fallen, self.against + 1) if self.against + 1 < needed else Pace(not self.fallen)

    @property
    def in_doubt(self) -> bool:
        return self.against > 0
