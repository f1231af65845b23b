"""How is learned what comes before each way to fail, and is that better than what there is?

Rows come from simulated agents and from those of this fleet. On what was held back of the time the new booster meets
the one before it, an LSTM where there may be one meets the better of both, and who is left meets the trend; where this
fleet has failed often enough, on its own time alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from msgspec.structs import replace

from selfheal.ml import kept
from selfheal.ml.boost import Booster
from selfheal.ml.boost_fit import fit, name_of_library
from selfheal.ml.contest import LEAST, contest
from selfheal.ml.drift import LEAST_ROWS
from selfheal.ml.lessons import NothingToLearn
from selfheal.ml.sealed import ModelRefused
from selfheal.ml.wire import Foretell, Foretold
from selfheal.modes import HIGH_RISK
from selfheal.predict.timeleft import HORIZON_S
from selfheal.predict.windows import FEATURES
from selfheal.recorded.challenge import Terms, challenged, has_library
from selfheal.recorded.foreteller import (
    MEANING,
    MOST_TOLD,
    Case,
    Kept,
    Mode,
    OfMode,
    encode,
    foreteller_of,
    mode_of,
    spread_of,
)
from selfheal.recorded.lessons import Example, Lessons, asked, etas, failures_in, lessons_of
from selfheal.recorded.stories import own, simulated
from selfheal.vocabulary import FailureMode

# Fewer failures than this teach nothing but chance, and fewer of one's own judge nobody.
LEAST_FAILURES, LEAST_OWN = 5, 3
_MOST_CASES = 20


def foretell(terms: Terms) -> Foretold:
    """Learn all modes for which there is enough. Raises CannotLearn, NothingToLearn, Garbage."""
    order, library = terms.order, name_of_library()
    before, pasts = _before(order.before), [own(past) for past in order.pasts]
    span = (min((one.begun for one in pasts), default=order.until), order.until)
    walks = has_library() or any(one.network is not None for one in before.values())
    lessons = lessons_of(chain(simulated(order.runs, order.seed), pasts), span, walks=walks)
    found = [_best(mode, lessons.pop(mode), before.get(mode), terms, library) for mode in sorted(lessons)]
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


# --- who is better --------------------------------------------------------------------------------------------------


def _best(
    mode: FailureMode, lessons: Lessons, old: Mode | None, terms: Terms, library: str
) -> tuple[OfMode, bool] | None:
    """What was learned now or the one before, and whether it is new; None where there is neither."""
    if failures_in(lessons.train) < LEAST_FAILURES or all(one.happened for one in lessons.train):
        return (old.told, False) if old is not None else None
    champion, held = _learned(mode, lessons, terms.order, library), _judges(lessons.held)
    if old is not None:
        said = contest(asked(old, held), asked(champion, held), [one.happened for one in held])
        champion = old if said.keep == "old" else champion
    best, of_lstm = challenged(champion, lessons, held, terms)
    return replace(_against_trend(best, held), of_lstm=of_lstm[:MOST_TOLD]), best is not old


def _judges(held: Sequence[Example]) -> Sequence[Example]:
    """What was held back of this fleet where that is enough to judge by, else all of it."""
    ours = [one for one in held if one.own]
    happened = sum(one.happened for one in ours)
    enough = failures_in(ours) >= LEAST_OWN and min(happened, len(ours) - happened) >= LEAST
    return ours if enough else held


def _against_trend(best: Mode, held: Sequence[Example]) -> OfMode:
    """Whether it shall speak, and why."""
    chances, trend = asked(best, held), [one.trend for one in held]
    name = "the LSTM" if best.model == "lstm" else "the booster"
    said = contest(trend, chances, [one.happened for one in held], old_name="the trend", new_name=name)
    quiet = [place for place, one in enumerate(held) if one.own and not one.happened]
    louder = sum(chances[place] >= HIGH_RISK for place in quiet) - sum(trend[place] >= HIGH_RISK for place in quiet)
    speaks, why = said.keep == "new", f"{said.why}; {_where(held)}"
    if speaks and louder > 0:
        speaks, why = (
            False,
            f"the trend is kept: of this fleet's quiet time {name} called {louder} more steps a high risk",
        )
    return replace(
        best.told, speaks=speaks, why=why[:MOST_TOLD], held=len(held), loss=said.new_loss, trend_loss=said.old_loss
    )


def _where(held: Sequence[Example]) -> str:
    ours = sum(one.own for one in held)
    of = "this fleet" if ours == len(held) else "simulated agents" if not ours else "simulated agents and this fleet"
    return f"by {len(held)} rows of {of}, {sum(one.happened for one in held)} of them before a failure"


def _learned(mode: FailureMode, lessons: Lessons, order: Foretell, library: str) -> Mode:
    taught, correct = lessons.train, lessons.corrected_by()
    mine = [one.row for one in taught if one.own]
    rows, labels = [one.row for one in taught], [one.happened for one in taught]
    booster = fit(
        rows, labels, FEATURES,
        weights=[one.counts for one in taught],
        calibration=([one.row for one in correct], [one.happened for one in correct]),
        seed=order.seed,
    )  # fmt: skip
    learned = kept.learned(
        booster, [(row,) for row in rows], labels,
        subject=mode, meaning=MEANING, since=taught[0].at, until=taught[-1].at + HORIZON_S, library=library,
    )  # fmt: skip
    told = OfMode(
        mode=mode, learned=kept.encode(learned), etas=(),
        cases=tuple(_cases(booster, taught)), spread=spread_of(mine) if len(mine) >= LEAST_ROWS else None,
        speaks=False, why="", failures=failures_in(taught),
        own=failures_in([one for one in taught if one.own]), held=0, loss=0.0, trend_loss=0.0,
    )  # fmt: skip
    return mode_of(replace(told, etas=etas(mode_of(told), lessons.correct)))


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


def _before(data: bytes) -> Mapping[FailureMode, Mode]:
    """The model that there is, by mode; nothing where it is no model of ours any more."""
    try:
        return foreteller_of(data).modes if data else {}
    except ModelRefused:
        return {}
