"""Which steps of which agents is each way to fail learned from, corrected by, and judged on?

Each third step of each agent, with whether the failure came within the horizon. Time is split, always: what is learned
from comes before what the chances are corrected by, and that before what is held back.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal, NamedTuple

from selfheal.ml.calibration import LEAST_PLATT
from selfheal.predict.own_past import TAUGHT, Came, is_left_out
from selfheal.predict.recent import STEP_S
from selfheal.predict.steps import Track
from selfheal.predict.timeleft import HORIZON_S, LONGEST_S, foresee
from selfheal.predict.walk import Walk, cut
from selfheal.predict.windows import Windows
from selfheal.recorded.etas import Eta, etas_of
from selfheal.recorded.foreteller import Mode, row_of
from selfheal.recorded.stories import Story
from selfheal.vocabulary import FailureMode

# Neighbours in time are much alike: each third step says nearly as much as all of them.
STRIDE = 3
# Of the time: to learn from, to correct the chances by; the rest is held back.
TRAIN, CORRECT = 0.6, 0.2
# A row of this fleet counts for as many made-up ones.
OWN_COUNTS = 5.0
_NO_WALK: array[float] = array("f")

Part = Literal["train", "correct", "held"]


class Example(NamedTuple):
    """A step: its row, and whether and when the failure came; `trend` is what the trend said, of what is held back.

    `walk` are the cells of all steps of its agent, of which this one is at `place`; empty where no network is asked.
    """

    at: float
    agent: str
    row: array[float]
    came: Came | None
    trend: float
    own: bool
    walk: array[float] = _NO_WALK
    place: int = 0

    @property
    def happened(self) -> bool:
        return self.came is not None

    @property
    def counts(self) -> float:
        return OWN_COUNTS if self.own else 1.0

    def window(self) -> list[Sequence[float]]:
        """What a network is shown of it."""
        return cut(self.walk, self.place)


@dataclass(slots=True)
class Lessons:
    """The examples of one mode."""

    train: list[Example] = field(default_factory=list)
    correct: list[Example] = field(default_factory=list)
    held: list[Example] = field(default_factory=list)

    def in_order(self) -> Lessons:
        """The same, oldest first."""
        parts = (sorted(part, key=lambda one: one.at) for part in (self.train, self.correct, self.held))
        return Lessons(*parts)

    def corrected_by(self) -> list[Example]:
        """What the chances are corrected by: this fleet alone where it has failed often enough for that."""
        ours = [one for one in self.correct if one.own]
        return ours if sum(one.happened for one in ours) >= LEAST_PLATT else self.correct


def failures_in(examples: Sequence[Example]) -> int:
    """How many failures they come before."""
    return len({(one.agent, one.came.at) for one in examples if one.came is not None})


def asked(mode: Mode, examples: Sequence[Example]) -> list[float]:
    """What a model says of each."""
    return [mode.probability(one.row, one.window) for one in examples]


def etas(mode: Mode, examples: Sequence[Example]) -> tuple[Eta, ...]:
    """When failures came, by what a model said before them; of a time that was not learned from."""
    failing = [one for one in examples if one.happened]
    left = [(one.came.at - one.at) / HORIZON_S for one in failing if one.came is not None]
    return etas_of(list(zip(asked(mode, failing), left, strict=True)))


def lessons_of(
    stories: Iterator[Story], ours: tuple[float, float], *, walks: bool = False
) -> dict[FailureMode, Lessons]:
    """The examples by mode, oldest first. `ours` is the time of this fleet, which is split at the same moments for all
    of its agents. With `walks` they have what a network is shown.
    """
    found = {mode: Lessons() for mode in TAUGHT}
    for story in stories:
        begun, ended = ours if story.own else (story.begun, story.ended)
        ends = (begun + TRAIN * (ended - begun), begun + (TRAIN + CORRECT) * (ended - begun))
        track = story.track()
        for mode in story.limits:
            for part, example in _examples(story, track, mode, (*ends, ended), walks):
                getattr(found[mode], part).append(example)
    return {mode: one.in_order() for mode, one in found.items() if one.train}


def _examples(
    story: Story, track: Track, mode: FailureMode, ends: tuple[float, float, float], walks: bool
) -> Iterator[tuple[Part, Example]]:
    """The steps of an agent whose outcome is known before their part of the time is over."""
    limited = _limited(track, story, mode)
    windows, walk = Windows(limited), Walk(limited).all() if walks else _NO_WALK
    failures = [one for one in story.failures if one.mode == mode]
    for place in range(sum(story.agent.encode()) % STRIDE, track.length, STRIDE):
        at = track.ends_at(place)
        part = _part(at, ends)
        if part is None or is_left_out(story.left_out, mode, at):
            continue
        row = row_of(windows, place)
        if row is not None:
            came = next((one for one in failures if at < one.at <= at + HORIZON_S), None)
            trend = trend_of(track, windows, story, mode, place) if part == "held" else 0.0
            yield part, Example(at, story.agent, array("f", row), came, trend, story.own, walk, place)


def _limited(track: Track, story: Story, mode: FailureMode) -> Track:
    return Track(
        track.agent, track.first, track.step_s, track.length, track.columns, story.limits[mode], track.restarts
    )


def _part(at: float, ends: tuple[float, float, float]) -> Part | None:
    train, correct, end = ends
    if at + HORIZON_S <= train:
        return "train"
    if train <= at and at + HORIZON_S <= correct:
        return "correct"
    return "held" if correct <= at and at + HORIZON_S <= end else None


def trend_of(track: Track, windows: Windows, story: Story, mode: FailureMode, place: int) -> float:
    """What the trend says at the end of a step, by the means of the steps before it."""
    at, chances = track.ends_at(place), [0.0]
    for signal, limit in story.limits[mode].items():
        first = max(windows.begun(signal, place), place + 1 - int(LONGEST_S / STEP_S))
        means = track.columns[signal].means
        points = [(track.ends_at(one), means[one]) for one in range(first, place + 1) if isfinite(means[one])]
        seen = foresee(points, limit, at, HORIZON_S)
        chances.append(seen.probability if seen is not None else 0.0)
    return max(chances)
