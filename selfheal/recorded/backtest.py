"""Which model foresees failures best on what was recorded, had each been asked at the time?

The time before a first moment is learned from, that before a second is chosen by (thresholds, which model wins), and
only what comes after is judged. `trend` needs no learning. `boost` is the model of every fleet that comes with the
product, or one of this fleet's own past where that did better on the part that is chosen by. Where nothing failed there
the model of every fleet stands with its own threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from random import Random

import msgspec

from selfheal.errors import SelfhealError
from selfheal.predict.alarms import Step, Task, Watched, judge, raised
from selfheal.predict.figures import MISSED, MISSED_BY_ANY, Figures, choose, measure
from selfheal.predict.recording import Recording
from selfheal.predict.replay import Known, Parts, known, parts_of, places, trend, watched, with_those_before
from selfheal.recorded.learned import Asked, Foreseen, Learned, by_trend, foreseen
from selfheal.recorded.learning import LEAST_FAILURES, learn, shipped
from selfheal.recorded.sequences import Remembering, Sequences, learn_sequences
from selfheal.recorded.times import Times, When, wider

TREND, BOOST, LSTM = "trend", "boost", "lstm"
MODELS = (TREND, BOOST, LSTM)
# What a trend has to say for an alarm, where no failure was there to choose by: more likely than not.
TREND_THRESHOLD = 0.5
# With fewer failures to choose by a threshold would be chance.
LEAST_TO_CHOOSE = 5

Progress = Callable[[str, float], None]


@dataclass(slots=True)
class Candidate:
    """A model while it is judged: what it said of each agent, in the part that is chosen by and in the one judged."""

    name: str
    task: Task
    learned: Learned | Remembering | None
    fallback: float
    chosen_by: list[Watched] = field(default_factory=list)
    judged: list[Watched] = field(default_factory=list)
    threshold: float = 0.5
    worth: float = 0.0


@dataclass(frozen=True, slots=True)
class Backtest:
    """What came out. `origins` says what each model was learned from, `left_out` why one could not be asked."""

    task: Task
    parts: Parts
    step_s: float
    figures: Mapping[str, Figures]
    origins: Mapping[str, str]
    left_out: Mapping[str, str]
    winner: str
    alarms: Sequence[Foreseen]
    predictions: Sequence[Foreseen]


def backtest(recording: Recording, task: Task, wanted: Sequence[str], parts: Parts, progress: Progress) -> Backtest:
    """Learn, choose and judge. Raises SelfhealError where none of the models that are wanted can be asked."""
    dice = Random(0)  # noqa: S311 - no secret hangs on it
    left_out: dict[str, str] = {}
    progress("learning", 0.0)
    candidates = list(_candidates(recording, task, parts, wanted, left_out))
    if not candidates:
        raise SelfhealError(f"cannot test: {'; '.join(left_out.values())}")
    step_s = 0.0
    for number, one in enumerate(known(recording, task)):
        progress(one.agent, 0.2 + 0.7 * number / len(recording.agents))
        step_s = one.track.step_s
        _ask(one, candidates, parts, (True, False))
    candidates = list(_finalists(candidates, task, MISSED))
    winner = max(candidates, key=lambda one: one.worth)
    progress("the winner", 0.9)
    alarms, predictions = _told(recording, task, winner)
    return Backtest(
        task=task,
        parts=parts,
        step_s=step_s,
        figures={one.name: measure(one.judged, one.threshold, task, dice) for one in candidates},
        origins={one.name: _origin(one) for one in candidates},
        left_out=left_out,
        winner=winner.name,
        alarms=alarms,
        predictions=predictions,
    )


def trained(recording: Recording, task: Task, until: float | None, every: bool, seed: int) -> Learned:
    """Learn from a recording, for `every` fleet or this one, with a threshold chosen on the time that was held back.

    What comes after `until` is not looked at; without it a quarter is held back. Raises SelfhealError.
    """
    end = until if until is not None else max((one.at[-1] for one in recording.agents.values() if one.at), default=0.0)
    parts = parts_of(recording, end)
    learned = learn(recording, task, parts, "every fleet" if every else "this fleet", seed)
    if learned is None:
        raise SelfhealError(
            f"cannot learn: fewer than {LEAST_FAILURES} failures that announce themselves in the time to learn from; "
            "'selfheal predict' without --model uses what was learned from simulated fleets"
        )
    own = Candidate(BOOST, task, learned, learned.threshold)
    for one in known(recording, task):
        _ask(one, [own], parts, (True,))
    (chosen,) = _finalists([own], task, MISSED_BY_ANY if every else MISSED)
    learned = msgspec.structs.replace(learned, threshold=chosen.threshold)
    return _widened(learned, learned.times, recording, chosen.chosen_by) if learned.times is not None else learned


def _widened(learned: Learned, times: Times, recording: Recording, watched: Sequence[Watched]) -> Learned:
    """The same model with intervals as wide as failures ask for of which it would have told in time."""
    task = learned.task
    pairs: list[tuple[When, float]] = []
    for one, seen in zip(known(recording, task), watched, strict=True):
        _, predictions = told(one, seen, learned, learned.threshold, task)
        for said in predictions:
            came = next((failure for failure in seen.failures if failure.at > said.at), None)
            if came is not None and came.mode == said.mode and task.lead_s <= came.at - said.at <= task.horizon_s:
                pairs.append((When(said.eta_low_s, said.eta_s, said.eta_high_s), came.at - said.at))
    return msgspec.structs.replace(learned, times=msgspec.structs.replace(times, wider=wider(pairs)))


def _candidates(
    recording: Recording, task: Task, parts: Parts, wanted: Sequence[str], left_out: dict[str, str]
) -> Iterator[Candidate]:
    """The models that are wanted and can be asked, the one to prefer first; of boosted trees there may be two."""
    if BOOST in wanted:
        general = shipped()
        yield Candidate(BOOST, task, general, general.threshold)
        try:
            own = learn(recording, task, parts, "this fleet")
        except SelfhealError as why:
            left_out["boost of this fleet"] = str(why)
        else:
            if own is not None:
                yield Candidate(BOOST, task, own, own.threshold)
    if TREND in wanted:
        yield Candidate(TREND, task, None, TREND_THRESHOLD)
    if LSTM in wanted:
        try:
            remembering = learn_sequences(recording, task, parts)
        except SelfhealError as why:
            left_out[LSTM] = str(why)
        else:
            if remembering is not None:
                yield Candidate(LSTM, task, remembering, 0.5)
            else:
                left_out[LSTM] = (
                    "cannot fit an LSTM: too few failures that announce themselves in the time to learn from"
                )


def _ask(one: Known, candidates: Sequence[Candidate], parts: Parts, which: Sequence[bool]) -> None:
    """Ask each model at each step of the part that is chosen by (True), and of the one that is judged (False)."""
    asked = [_asked(each, one) for each in candidates]
    for chosen_by in which:
        span = (parts.train_until, parts.choose_until) if chosen_by else (parts.choose_until, inf)
        said: list[list[Step]] = [[] for _ in candidates]
        for place in with_those_before(places(one, *span)):
            if one.windows.is_enough(place + 1):
                for steps, probability in zip(said, asked, strict=True):
                    steps.append(Step(one.track.ends_at(place), probability(place)))
        ours = [failure for failure in one.failures if not chosen_by or failure.at < parts.choose_until]
        for steps, each in zip(said, candidates, strict=True):
            (each.chosen_by if chosen_by else each.judged).append(watched(one, steps, span[0], ours))


def _asked(each: Candidate, one: Known) -> Callable[[int], float]:
    """How a model is asked of one agent: by the place of a step."""
    match each.learned:
        case Learned() as learned:
            asked = Asked(learned, one)
            return lambda place: word.probability if (word := asked.word(place)) else 0.0
        case Remembering(network=network, signals=signals):
            seen = Sequences(one, signals)
            return lambda place: network.probability(seen.window(place))
        case None:
            return lambda place: _by_trend(one, place, each.task)


def _by_trend(one: Known, place: int, task: Task) -> float:
    nearing = trend(one, place, task)
    return nearing.forecast.probability if nearing else 0.0


def _finalists(candidates: Sequence[Candidate], task: Task, missed: float) -> Iterator[Candidate]:
    """Each model once, with its threshold; of two of a name the one that did better where it is chosen by.

    A failure that nobody was told of costs `missed` false alarms.
    """
    best: dict[str, Candidate] = {}
    for each in candidates:
        failures = sum(judge(one, each.fallback, task).failures for one in each.chosen_by)
        threshold, worth = choose(each.chosen_by, task, each.fallback, missed)
        each.worth = worth
        each.threshold = threshold if failures >= LEAST_TO_CHOOSE else each.fallback
        if each.name not in best or worth > best[each.name].worth:
            best[each.name] = each
    yield from best.values()


def _told(recording: Recording, task: Task, winner: Candidate) -> tuple[list[Foreseen], list[Foreseen]]:
    """The alarms that the winner raised in the part that is judged, and each step at which it foresaw something."""
    alarms: list[Foreseen] = []
    predictions: list[Foreseen] = []
    for one, seen in zip(known(recording, task), winner.judged, strict=True):
        found = told(one, seen, winner.learned, winner.threshold, task)
        alarms += found[0]
        predictions += found[1]
    return in_order(alarms), in_order(predictions)


def in_order(said: Sequence[Foreseen]) -> list[Foreseen]:
    """By time, and by agent where that is the same."""
    return sorted(said, key=lambda one: (one.at, one.agent))


def told(
    one: Known, seen: Watched, learned: Learned | Remembering | None, threshold: float, task: Task
) -> tuple[list[Foreseen], list[Foreseen]]:
    """The alarms of one agent, and what is foreseen of it, with modes and times.

    An alarm is foreseen where its own step is a little less sure than those just before it, too.
    """
    asked = Asked(learned, one) if isinstance(learned, Learned) else None
    alarmed = {seen.steps[place].at for place in raised(seen, threshold, task)}
    foretold = [step for step in seen.steps if step.probability >= threshold or step.at in alarmed]
    predictions = [_in_full(one, asked, step, learned, task) for step in foretold]
    return [said for said in predictions if said.at in alarmed], predictions


def _in_full(
    one: Known, asked: Asked | None, step: Step, learned: Learned | Remembering | None, task: Task
) -> Foreseen:
    place = one.place_of(step.at)
    if asked is not None and isinstance(learned, Learned) and (word := asked.word(place)) is not None:
        return foreseen(learned, one, place, word, task)
    return by_trend(one, step.at, step.probability, trend(one, place, task), task)


def _origin(one: Candidate) -> str:
    if one.learned is None:
        return "no learning"
    if isinstance(one.learned, Remembering):
        return f"this recording: {one.learned.failures} failures"
    if one.learned.scope == "every fleet":
        return f"simulated fleets: {one.learned.failures} failures"
    return f"this recording: {one.learned.failures} failures, {one.learned.rows} rows"
