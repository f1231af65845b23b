"""What does a row hold beside, for a model of one fleet's own past?

A model that serves every fleet must not know units or names. One that is trained on the fleet that it judges may: then
each signal is told by its own name and in its own unit, over windows from the latest step to ten horizons, with how it
moves and how long ago it last changed. That is what tells events, such as errors in the last day, from values.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import asinh, isfinite, nan

from selfheal.predict.steps import STEPS, Column, Track

# In steps: now, a quarter of a horizon, a horizon, three and ten of them.
_WINDOWS = (1, 6, STEPS, 3 * STEPS, 10 * STEPS)
_OF_EACH = (*(f"mean_{steps}" for steps in _WINDOWS), "moves", "since_change")
# More signals than this make rows that hold more chance than sense.
MOST_SIGNALS = 40


def own_features(signals: Sequence[str]) -> tuple[str, ...]:
    """The names of the cells."""
    return (*(f"{signal}.{name}" for signal in signals for name in _OF_EACH), "agent.seen")


class OwnRows:
    """The cells of one agent's track, for signals in the order of the model."""

    def __init__(self, track: Track, signals: Sequence[str]) -> None:
        self._columns = [(track.columns[name], _changes(track.columns[name])) for name in signals]

    def row(self, place: int) -> list[float]:
        """What was known at the end of a step, as in own_features."""
        end = place + 1
        cells: list[float] = []
        for column, changed in self._columns:
            cells += [column.mean(end - steps, end) for steps in _WINDOWS]
            cells.append(cells[-4] - column.mean(end - 2 * _WINDOWS[1], end - _WINDOWS[1]))
            cells.append(asinh((place - changed[place]) / STEPS) if changed[place] >= 0 else nan)
        return [*cells, asinh(place / STEPS)]


def _changes(column: Column) -> Sequence[int]:
    """For each step the latest one in which the signal was another than before; -1 where it never was."""
    latest, before, changes = -1, nan, []
    for place, mean in enumerate(column.means):
        if isfinite(mean):
            if isfinite(before) and mean != before:
                latest = place
            before = mean
        changes.append(latest)
    return changes
