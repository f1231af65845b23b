"""What does Prometheus see of backups and recovered data?"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter, Gauge

from selfheal.events import BackupFailed, BackupMade, DataEvent, DataRestored
from selfheal.world import World


class DataMetrics:
    """The series of the data layer: of each data agent a handful."""

    def __init__(self, registry: CollectorRegistry, world: Callable[[], World]) -> None:
        self._made = Counter(
            "selfheal_backups_total", "Backups made and proved, or not.", ("agent", "outcome"), registry=registry
        )
        self._restored = Counter(
            "selfheal_data_restored_total", "Data put back, by where from.", ("agent", "source"), registry=registry
        )
        self._last = Gauge(
            "selfheal_backup_last_success_timestamp_seconds",
            "When the newest backup that counts was made.",
            ("agent",),
            registry=registry,
        )
        for name, holdings in world().holdings.items():
            if holdings.backup is not None:
                self._last.labels(name).set(holdings.backup.at)

    def on_event(self, event: DataEvent) -> None:
        """Count an event."""
        match event:
            case BackupMade(agent=agent, at=at):
                self._made.labels(agent, "succeeded").inc()
                self._last.labels(agent).set(at)
            case BackupFailed(agent=agent):
                self._made.labels(agent, "failed").inc()
            case DataRestored(agent=agent, source=source):
                self._restored.labels(agent, "salvage" if source == "salvage" else "backup").inc()
            case _:
                pass  # whether an old backup is still sound shows in the world, and is alerted

    def forget(self, agent: str) -> None:
        """Drop the series of an agent that is no longer there."""
        with suppress(KeyError):
            self._last.remove(agent)
