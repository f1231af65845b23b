"""What becomes of a signal that departs from normal?

Each sample of each signal comes through here. A departure that is expected or was dismissed is counted and kept back;
any other opens an anomaly or joins one. What is kept back and outlasts its reason is raised after all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from selfheal.detect.anomalies import AnomalyWatch, Told
from selfheal.detect.grouping import Departed, Grew, Returned, departed_anew, grouped, grown, returned
from selfheal.detect.suppression import Suppressed, suppressed
from selfheal.events import AnomalySuppressed, Event, LevelShifted
from selfheal.ledger import Ledger


@dataclass(frozen=True, slots=True)
class _Kept:
    """A departure that is not raised, as far out as it was told last, and why."""

    departed: Departed
    why: Suppressed


class Alarms:
    """Makes anomalies of what the watch of all signals tells."""

    def __init__(self, ledger: Ledger, watch: AnomalyWatch) -> None:
        self._ledger = ledger
        self._watch = watch
        self._kept: dict[tuple[str, str], _Kept] = {}

    def look(self, agent: str, signal: str, at: float, value: float) -> None:
        """Take one sample, and record what there is to record."""
        found = self._watch.look(agent, signal, at, value)
        for one in found:
            self._take(one)
        if self._kept and not found:
            kept = self._kept.get((agent, signal))
            if kept is not None and at >= kept.why.until and not self._watch.is_calm(agent, signal):
                self._raise(replace(kept.departed, at=at, value=value), kept)

    def count(self, agent: str, counters: Mapping[str, bool]) -> None:
        """Hear from an exporter which of an agent's series count, and which do not."""
        self._watch.count(agent, counters)

    def go_on(self, at: float) -> None:
        """Go on with what was out of line when an earlier daemon ended; the watch has heard what that knew."""
        for back in self._watch.left_over(self._ledger.world, at):
            self._record(*returned(self._ledger.world, back))
        for one in self._watch.kept_back(self._ledger.world):
            departed = Departed(at, one.agent, one.signal, one.value, one.expected, one.score, one.since)
            self._kept[one.agent, one.signal] = _Kept(departed, Suppressed(one.reason, one.why, at))

    def forget(self, agent: str, at: float) -> None:
        """Drop everything of an agent; its signals are no part of any anomaly any more."""
        self._kept = {key: kept for key, kept in self._kept.items() if key[0] != agent}
        for signal in self._watch.forget(agent):
            self._record(*returned(self._ledger.world, Returned(at, agent, signal)))

    def _take(self, found: Told) -> None:
        kept = self._kept.get((found.agent, found.signal))
        match found:
            case LevelShifted():
                self._record(found)
            case Departed():
                self._raise(found, None)
            case Grew() if kept is not None:
                further = replace(kept.departed, at=found.at, value=found.value, score=found.score)
                self._raise(further, kept)
            case Grew():
                self._grown(found)
            case Returned():
                self._kept.pop((found.agent, found.signal), None)
                self._record(*returned(self._ledger.world, found))

    def _grown(self, found: Grew) -> None:
        """Tell of what goes further out; what was dismissed is told anew where it goes far beyond that."""
        world = self._ledger.world
        anew = departed_anew(world, found)
        if anew is None:
            self._record(*grown(world, found))
            return
        why = suppressed(world, anew)
        if why is None or why.reason != "dismissed":
            self._raise(anew, None)

    def _raise(self, one: Departed, kept: _Kept | None) -> None:
        """Raise a departure, or keep it back, further on where it was before; what it is kept for is told once."""
        world, key = self._ledger.world, (one.agent, one.signal)
        why = suppressed(world, one)
        if why is None:
            self._kept.pop(key, None)
            self._record(*grouped(world, one, kept.why.reason if kept is not None else None))
            return
        self._kept[key] = _Kept(one, why)
        if kept is None or kept.why.reason != why.reason:
            self._record(
                AnomalySuppressed(
                    one.at, one.agent, one.signal, one.value, one.expected, one.score, one.since, why.reason, why.why
                )
            )

    def _record(self, *events: Event) -> None:
        if events:
            self._ledger.record(*events)
