"""How is shown what is not as usual?"""

from __future__ import annotations

from selfheal.serve.models.base import Probability, Time, View


class AnomalyView(View):
    """A signal that departed from what is normal for it."""

    id: str
    agent: str
    signal: str
    value: float | None
    expected: float | None
    score: Probability
    at: Time
    over_at: Time | None
    dismissed: bool
