"""What became of predictions, and of the work that was planned because of them, as metrics?"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from selfheal.events import PredictionEnded, PredictionLeft, WorkDone
from selfheal.world import World


class ForesightMetrics:
    """Counts how predictions and planned work ended."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._predictions = Counter(
            "selfheal_prediction_outcomes_total", "How predictions ended.", ("outcome",), registry=registry
        )
        self._work = Counter(
            "selfheal_maintenance_total", "Planned work that is over.", ("action", "state"), registry=registry
        )
        self._left = Counter(
            "selfheal_predictions_left_alone_total", "Failures that were left to come, by chance.", registry=registry
        )
        for outcome in ("happened", "averted", "withdrawn"):
            self._predictions.labels(outcome)

    def on_event(self, event: PredictionEnded | PredictionLeft | WorkDone, world: World) -> None:
        """Count an event. `world` is the world after it, or a later one."""
        match event:
            case PredictionEnded(outcome=outcome):
                self._predictions.labels(outcome).inc()
            case PredictionLeft():
                self._left.inc()
            case WorkDone(work=name):
                known = world.foresight.work.get(name)
                if known is not None:
                    self._work.labels(known.planned.action, known.ended or "failed").inc()
