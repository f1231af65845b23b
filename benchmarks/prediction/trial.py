"""What does a backtest say beside the rules of thumb, and how near were the times foreseen?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from random import Random
from statistics import median

from benchmarks.prediction.course import off_at_least
from benchmarks.prediction.rules import Rule, asked
from selfheal.predict.alarms import Task
from selfheal.predict.figures import Figures, Reliability, measure
from selfheal.predict.recording import Recording
from selfheal.predict.replay import Parts, mode_of
from selfheal.predict.simulated import Scene
from selfheal.recorded.backtest import MODELS, Backtest, backtest
from selfheal.recorded.learned import Foreseen

# Times are held against what came where it came between half an hour and two hours later.
SOONEST_S, LATEST_S = 1800.0, 7200.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One recording with all that was asked of it: figures by model and rule, and what the winner foresaw."""

    name: str
    figures: Mapping[str, Figures]
    winner: str
    found: Backtest


@dataclass(frozen=True, slots=True)
class Times:
    """How far the times foreseen were off, as shares of what was left, and how often the interval held the truth.

    `least_error` is the median of who knows the course that each signal will take (`course`).
    """

    count: int
    median_error: float
    median_bias: float
    within_tenth: float
    covered: float
    least_error: float


def tried(
    name: str, recording: Recording, task: Task, parts: Parts, rules: Mapping[str, Rule], wanted: Sequence[str] = MODELS
) -> Trial:
    """Ask the models and the rules of the same time."""
    found = backtest(recording, task, wanted, parts, lambda *_: None)
    by_rule = {
        rule: measure(said, 0.5, task, Random(0))
        for rule, said in asked(recording, task, rules, parts.choose_until).items()
    }
    return Trial(name, {**found.figures, **by_rule}, found.winner, found)


def times(trial: Trial, recording: Recording, scenes: Sequence[Scene]) -> Times | None:
    """Hold the times foreseen of what runs out against when it did; None where nothing was foreseen in time."""
    pairs = list(_pairs(trial.found.predictions, recording))
    if not pairs:
        return None
    shares = [(said.eta_s - left) / left for said, left in pairs]
    return Times(
        count=len(pairs),
        median_error=median(abs(share) for share in shares),
        median_bias=median(shares),
        within_tenth=sum(abs(share) <= 0.1 for share in shares) / len(shares),
        covered=sum(said.eta_low_s <= left <= said.eta_high_s for said, left in pairs) / len(pairs),
        least_error=off_at_least(pairs, recording, scenes),
    )


def _pairs(predictions: Sequence[Foreseen], recording: Recording) -> Iterator[tuple[Foreseen, float]]:
    for said in predictions:
        following = next((one for one in recording.failures if one.agent == said.agent and one.at > said.at), None)
        if following is None or said.signal is None or following.mode != mode_of(said.signal):
            continue
        if SOONEST_S <= following.at - said.at <= LATEST_S:
            yield said, following.at - said.at


def kept(trial: Trial) -> dict[str, object]:
    """The figures of a trial as they are kept."""
    return {"winner": trial.winner, **{name: asdict(one) for name, one in trial.figures.items()}}


def picture(bins: Sequence[Reliability]) -> Iterator[str]:
    """What was said and how often it came: where a model is honest, the two bars of a line are of one length."""
    for one in bins:
        said, came = (round(20 * share) for share in (one.said, one.came))
        yield f"    said {one.said:4.2f} {'·' * said:<20} came {one.came:4.2f} {'█' * came:<20} ({one.count})"
