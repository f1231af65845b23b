"""For how long is the child that learns left alone after it has failed, and what is said of it?

Longer each time, but never for longer than until something is learned anew anyway; and each trouble is told once.
"""

from __future__ import annotations

from collections.abc import Callable

from selfheal.clock import Clock
from selfheal.compose.reactions import Log
from selfheal.telemetry.learning import LearningMetrics

RETRY_S = 60.0
# What is nobody's failure and does not pass soon: a library that is not there, and too little to learn from.
_PATIENT = frozenset({"not_installed", "too_little"})


class Backoff:
    """`trouble` is why nothing is learned, empty where something is; `event` is the name under which it is logged."""

    def __init__(
        self,
        event: str,
        clock: Clock,
        interval_s: Callable[[], float],
        metrics: LearningMetrics,
        log: Log,
        redact: Callable[[str], str],
    ) -> None:
        self.trouble = ""
        self._event = event
        self._clock = clock
        self._interval_s = interval_s
        self._metrics = metrics
        self._log = log
        self._redact = redact
        self._failures = 0
        self._until = 0.0

    def is_resting(self, now: float) -> bool:
        """Whether it is left alone at this time."""
        return now < self._until

    def succeeded(self) -> None:
        """It has learned something: nothing is held against it any more."""
        self._failures, self._until, self.trouble = 0, 0.0, ""

    def failed(self, outcome: str, why: str) -> None:
        """Rest, longer each time, and say it once; `outcome` is what came of the order, in a word."""
        self._metrics.trained(outcome)
        why, patient = self._redact(why), outcome in _PATIENT
        rest_s = self._interval_s() if patient else RETRY_S * 2.0 ** min(self._failures, 16)
        self._until = self._clock.now() + min(rest_s, max(RETRY_S, self._interval_s()))
        self._failures += 1
        told = patient or outcome == "refused"
        trouble = why if told else f"the process that learns failed ({outcome}): {why}"
        if trouble != self.trouble:
            level = self._log.info if patient else self._log.warning
            level(self._event, reason=outcome, why=trouble)
        self.trouble = trouble
