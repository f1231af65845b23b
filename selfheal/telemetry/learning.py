"""How often was learned what is usual of an agent, what came of it, and how many forests are there?"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

OUTCOMES = (
    "fitted", "too_little", "not_better", "not_installed", "no_memory", "version", "error",
    "died", "hung", "garbage", "not_started", "refused",
)  # fmt: skip
"""What may come of an order to the child. All but the first three send everybody back to what needs no learning."""


class LearningMetrics:
    """The counters of the forests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._trainings = Counter(
            "selfheal_ml_trainings_total", "Orders to learn, by what came of them.", ("outcome",), registry=registry
        )
        self._refused = Counter(
            "selfheal_ml_models_refused_total", "Kept models that were put aside.", ("reason",), registry=registry
        )
        self._models = Gauge("selfheal_ml_models", "Agents that have a forest.", registry=registry)

    def trained(self, outcome: str) -> None:
        """Count an order."""
        self._trainings.labels(outcome if outcome in OUTCOMES else "error").inc()

    def refused(self, reason: str) -> None:
        """Count a kept model that is no good."""
        self._refused.labels(reason).inc()

    def models(self, count: int) -> None:
        """There are so many forests now."""
        self._models.set(count)
