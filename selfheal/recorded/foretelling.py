"""How is learned what comes before each way to fail, and is that better than what there is?

Rows come from simulated agents and from those of this fleet, each third step of them. Time is split, always: what is
learned from comes before what the chances are corrected by, and that before what is held back. On the latter the new
booster meets the one before it and the trend; where this fleet has failed often enough, on its own time alone.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import isfinite
from typing import Literal, NamedTuple

from msgspec.structs import replace

from selfheal.ml import kept
from selfheal.ml.boost import Booster
from selfheal.ml.boost_fit import fit, name_of_library
from selfheal.ml.calibration import LEAST_PLATT
from selfheal.ml.contest import LEAST, contest
from selfheal.ml.drift import LEAST_ROWS
from selfheal.ml.lessons import NothingToLearn
from selfheal.ml.sealed import ModelRefused
from selfheal.ml.wire import Foretell, Foretold
from selfheal.modes import HIGH_RISK
from selfheal.predict.own_past import TAUGHT, Came, is_left_out
from selfheal.predict.recent import STEP_S
from selfheal.predict.steps import Track
from selfheal.predict.timeleft import HORIZON_S, LONGEST_S, foresee
from selfheal.predict.windows import FEATURES, Windows
from selfheal.recorded.etas import etas_of
from selfheal.recorded.foreteller import (
    MEANING,
    Case,
    Foreteller,
    Kept,
    OfMode,
    encode,
    foreteller_of,
    row_of,
    spread_of,
)
from selfheal.recorded.stories import Story, own, simulated
from selfheal.vocabulary import FailureMode

# Neighbours in time are much alike: each third step says nearly as much as all of them.
STRIDE = 3
# Of the time: to learn from, to correct the chances by; the rest is held back.
TRAIN, CORRECT = 0.6, 0.2
# Fewer failures than this teach nothing but chance, and fewer of one's own judge nobody.
LEAST_FAILURES, LEAST_OWN = 5, 3
# A row of this fleet counts for as many made-up ones.
OWN_COUNTS = 5.0
_MOST_CASES = 20
_CELLS = "f"

Part = Literal["train", "correct", "held"]


class Example(NamedTuple):
    """A step: its row, and whether and when the failure came; `trend` is what the trend said, of what is held back."""

    at: float
    agent: str
    row: array[float]
    came: Came | None
    trend: float
    own: bool

    @property
    def happened(self) -> bool:
        return self.came is not None


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


def foretell(order: Foretell) -> Foretold:
    """Learn all modes for which there is enough. Raises CannotLearn, NothingToLearn, Garbage."""
    library, before = name_of_library(), _before(order.before)
    pasts = [own(past) for past in order.pasts]
    span = (min((one.begun for one in pasts), default=order.until), order.until)
    lessons = lessons_of(chain(simulated(order.runs, order.seed), pasts), span)
    found = [_best(mode, lessons.pop(mode), before, order, library) for mode in sorted(lessons)]
    told = [one for one, _ in filter(None, found)]
    if not told:
        raise NothingToLearn(f"no way to fail has shown itself {LEAST_FAILURES} times")
    kept_file = Kept(
        trained_at=order.until,
        runs=order.runs,
        own_failures=sum(len(one.failures) for one in pasts),
        own_steps=sum(max(map(len, one.columns.values()), default=0) for one in pasts),
        modes=tuple(told),
    )
    return Foretold(job=order.job, model=encode(kept_file), taken=sum(new for _, new in filter(None, found)))


def lessons_of(stories: Iterator[Story], ours: tuple[float, float]) -> dict[FailureMode, Lessons]:
    """The examples by mode, oldest first. `ours` is the time of this fleet, which is split at the same moments for all
    of its agents.
    """
    found = {mode: Lessons() for mode in TAUGHT}
    for story in stories:
        begun, ended = ours if story.own else (story.begun, story.ended)
        ends = (begun + TRAIN * (ended - begun), begun + (TRAIN + CORRECT) * (ended - begun))
        track = story.track()
        for mode in story.limits:
            for part, example in _examples(story, track, mode, (*ends, ended)):
                getattr(found[mode], part).append(example)
    return {mode: one.in_order() for mode, one in found.items() if one.train}


def _examples(
    story: Story, track: Track, mode: FailureMode, ends: tuple[float, float, float]
) -> Iterator[tuple[Part, Example]]:
    """The steps of an agent whose outcome is known before their part of the time is over."""
    windows = Windows(_limited(track, story, mode))
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
            yield part, Example(at, story.agent, array(_CELLS, row), came, trend, story.own)


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


# --- who is better --------------------------------------------------------------------------------------------------


def _best(
    mode: FailureMode, lessons: Lessons, before: Foreteller | None, order: Foretell, library: str
) -> tuple[OfMode, bool] | None:
    """The new booster or the old one, and whether it is the new; None where there is neither."""
    old = before.modes.get(mode) if before is not None else None
    if _failures(lessons.train) < LEAST_FAILURES or all(one.happened for one in lessons.train):
        return (old.told, False) if old is not None else None
    new, booster = _learned(mode, lessons, order, library)
    held = _judges(lessons.held)
    if old is not None:
        said = contest(_asked(old.booster, held), _asked(booster, held), [one.happened for one in held])
        if said.keep == "old":
            return _against_trend(old.told, old.booster, held), False
    return _against_trend(new, booster, held), True


def _judges(held: Sequence[Example]) -> Sequence[Example]:
    """What was held back of this fleet where that is enough to judge by, else all of it."""
    ours = [one for one in held if one.own]
    happened = sum(one.happened for one in ours)
    enough = _failures(ours) >= LEAST_OWN and min(happened, len(ours) - happened) >= LEAST
    return ours if enough else held


def _against_trend(told: OfMode, booster: Booster, held: Sequence[Example]) -> OfMode:
    """Whether the booster shall speak, and why."""
    chances, trend = _asked(booster, held), [one.trend for one in held]
    said = contest(trend, chances, [one.happened for one in held], old_name="the trend", new_name="the booster")
    quiet = [place for place, one in enumerate(held) if one.own and not one.happened]
    louder = sum(chances[place] >= HIGH_RISK for place in quiet) - sum(trend[place] >= HIGH_RISK for place in quiet)
    speaks, why = said.keep == "new", f"{said.why}; {_where(held)}"
    if speaks and louder > 0:
        speaks, why = (
            False,
            f"the trend is kept: of this fleet's quiet time the booster called {louder} more steps a high risk",
        )
    return replace(told, speaks=speaks, why=why[:500], held=len(held), loss=said.new_loss, trend_loss=said.old_loss)


def _where(held: Sequence[Example]) -> str:
    ours = sum(one.own for one in held)
    of = "this fleet" if ours == len(held) else "simulated agents" if not ours else "simulated agents and this fleet"
    return f"by {len(held)} rows of {of}, {sum(one.happened for one in held)} of them before a failure"


def _learned(mode: FailureMode, lessons: Lessons, order: Foretell, library: str) -> tuple[OfMode, Booster]:
    taught = lessons.train
    mine = [one.row for one in taught if one.own]
    ours = [one for one in lessons.correct if one.own]
    correct = ours if sum(one.happened for one in ours) >= LEAST_PLATT else lessons.correct
    rows, labels = [one.row for one in taught], [one.happened for one in taught]
    booster = fit(
        rows, labels, FEATURES,
        weights=[OWN_COUNTS if one.own else 1.0 for one in taught],
        calibration=([one.row for one in correct], [one.happened for one in correct]),
        seed=order.seed,
    )  # fmt: skip
    learned = kept.learned(
        booster, [(row,) for row in rows], labels,
        subject=mode, meaning=MEANING, since=taught[0].at, until=taught[-1].at + HORIZON_S, library=library,
    )  # fmt: skip
    told = OfMode(
        mode=mode, learned=kept.encode(learned), etas=etas_of(_before_failures(booster, lessons.correct)),
        cases=tuple(_cases(booster, taught)), spread=spread_of(mine) if len(mine) >= LEAST_ROWS else None,
        speaks=False, why="", failures=_failures(taught),
        own=_failures([one for one in taught if one.own]), held=0, loss=0.0, trend_loss=0.0,
    )  # fmt: skip
    return told, booster


def _asked(booster: Booster, rows: Sequence[Example]) -> list[float]:
    return [booster.probability(one.row) for one in rows]


def _failures(examples: Sequence[Example]) -> int:
    return len({(one.agent, one.came.at) for one in examples if one.came is not None})


def _before_failures(booster: Booster, examples: Sequence[Example]) -> list[tuple[float, float]]:
    """What was said before failures, and how many horizons were left, of a time that was not learned from."""
    return [
        (booster.probability(one.row), (one.came.at - one.at) / HORIZON_S) for one in examples if one.came is not None
    ]


def _cases(booster: Booster, taught: Sequence[Example]) -> Iterator[Case]:
    """Of each incident of this fleet, the latest first, the row that was made nearest to halfway before it."""
    best: dict[str, Example] = {}
    for one in taught:
        if one.came is not None and one.came.incident:
            before = best.get(one.came.incident)
            if before is None or _off_halfway(one) < _off_halfway(before):
                best[one.came.incident] = one
    for incident, one in sorted(best.items(), key=lambda item: -item[1].at)[:_MOST_CASES]:
        yield Case(incident, tuple(round(part, 3) for part in booster.contributions(one.row)[:-1]))


def _off_halfway(one: Example) -> float:
    return abs(one.came.at - one.at - HORIZON_S / 2) if one.came is not None else HORIZON_S


def _before(data: bytes) -> Foreteller | None:
    """The model that there is; none where it is no model of ours any more."""
    try:
        return foreteller_of(data) if data else None
    except ModelRefused:
        return None
