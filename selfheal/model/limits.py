"""May a model be asked now, and what has it cost?

Pure, and read from what is written down of earlier calls: a daemon that starts anew forgets neither what was spent nor
that a provider is down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfheal.events import ModelAnswered

HOUR_S, DAY_S = 3600.0, 86_400.0
# The same trouble is not asked about again within a day; where there was no answer, not before this.
COOL_DOWN_S = 1800.0
# A provider that failed so often in a row is left alone for so long.
FAILURES, OPEN_S = 3, 300.0
# Calls that may follow each other at once, and how soon another may.
BURST, REFILL_S = 6, 60.0
FAILED = frozenset({"error", "timeout"})


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that may be spent; None is no limit."""

    tokens_per_hour: int
    tokens_per_day: int
    money_per_hour: float | None = None
    money_per_day: float | None = None


def spent_out(calls: Sequence[ModelAnswered], budget: Budget, tokens: int, now: float) -> str:
    """Why a call of so many tokens may not be made, as a slug; empty where it may."""
    for span_s, most_tokens, most_money in (
        (HOUR_S, budget.tokens_per_hour, budget.money_per_hour),
        (DAY_S, budget.tokens_per_day, budget.money_per_day),
    ):
        recent = [one for one in calls if one.at > now - span_s]
        if sum(one.tokens_in + one.tokens_out for one in recent) + tokens > most_tokens:
            return "tokens"
        if most_money is not None and sum(one.cost or 0.0 for one in recent) >= most_money:
            return "money"
    return "calls" if _bucket(calls, now) < 1.0 else ""


def is_open(calls: Sequence[ModelAnswered], provider: str, now: float) -> bool:
    """Whether a provider has failed too often to be asked now."""
    latest = [one for one in calls if one.provider == provider and not one.cached][-FAILURES:]
    failed = len(latest) == FAILURES and all(one.outcome in FAILED for one in latest)
    return failed and now - latest[-1].at < OPEN_S


def asked_before(calls: Sequence[ModelAnswered], fingerprint: str, now: float) -> bool:
    """Whether this trouble was asked about already, and need not be again."""
    return any(
        one.fingerprint == fingerprint and now - one.at < (COOL_DOWN_S if one.outcome in FAILED else DAY_S)
        for one in calls
    )


def known_answer(calls: Sequence[ModelAnswered], key: str, now: float) -> ModelAnswered | None:
    """The answer to the very same question within a day."""
    fits = (one for one in reversed(calls) if one.key == key and one.outcome == "ok" and not one.cached)
    return next((one for one in fits if now - one.at < DAY_S), None)


def _bucket(calls: Sequence[ModelAnswered], now: float) -> float:
    """How many calls are left at the moment of those that may follow each other."""
    left, before = float(BURST), 0.0
    for one in (one for one in calls if not one.cached and one.at > now - BURST * REFILL_S * 2):
        left = min(float(BURST), left + (one.at - before) / REFILL_S) - 1.0
        before = one.at
    return min(float(BURST), left + (now - before) / REFILL_S)
