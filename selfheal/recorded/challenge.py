"""Does an LSTM do better than what was learned of a way to fail before it?

It is fitted where torch is installed, and where there were failures enough. It has to win on what was held back, by
more than luck would have it; whatever keeps it from that, memory and time included, costs the LSTM alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from random import Random

from msgspec.structs import replace

from selfheal.errors import SelfhealError
from selfheal.ml import kept
from selfheal.ml.contest import contest
from selfheal.ml.recurrent_fit import MOST_WINDOWS, fit, name_of_library
from selfheal.ml.wire import Foretell
from selfheal.predict.timeleft import HORIZON_S
from selfheal.predict.walk import CELLS
from selfheal.recorded.foreteller import MEANING, MOST_TOLD, Mode, OfMode, mode_of
from selfheal.recorded.lessons import Example, Lessons, asked, etas, failures_in

# When to stop is read off the newest fifth of the windows, in which fewer than four failures are chance. With fewer a
# row of simulated agents cost it mostly half as much again or twice what it cost the trees, then 1.1 to 1.6 times.
LEAST_TO_REMEMBER = 20
# While less than this share of the time is left nothing is begun: what is to come without it comes first.
_LEAST_TIME = 1 / 3

NO_TORCH = "no LSTM was fitted: torch is not installed (selfheal[lstm])"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a challenge costs at most: `left_s` gives the seconds that are left of the order's, `make_room` has what
    torch needs; `least` failures have to be there.
    """

    order: Foretell
    left_s: Callable[[], float]
    make_room: Callable[[], None]
    least: int = LEAST_TO_REMEMBER


def has_library() -> bool:
    """Whether torch is installed. It is not imported for that."""
    return find_spec("torch") is not None


def challenged(champion: Mode, lessons: Lessons, held: Sequence[Example], terms: Terms) -> tuple[Mode, str]:
    """Return who is better, an LSTM or the one that there is, and why. Never raises for what torch does."""
    why = _why_not(lessons, terms)
    if why:
        return champion, why
    terms.make_room()
    try:
        told = _learned(champion.told, lessons, terms.order)
    except (SelfhealError, ValueError, RuntimeError, MemoryError, OSError) as trouble:  # torch raises what it likes
        return champion, f"no LSTM was fitted: {str(trouble) or type(trouble).__name__}"[:MOST_TOLD]
    challenger = mode_of(told)
    said = contest(
        asked(champion, held), asked(challenger, held), [one.happened for one in held],
        old_name="the booster" if champion.network is None else "the LSTM before it", new_name="the LSTM",
    )  # fmt: skip
    return (challenger if said.keep == "new" else champion), said.why


def _why_not(lessons: Lessons, terms: Terms) -> str:
    """Why no LSTM is fitted; empty where one is."""
    failures = failures_in(lessons.train)
    if not has_library():
        return NO_TORCH
    if failures < terms.least:
        return f"no LSTM was fitted: {failures} failures of {terms.least} that are needed"
    if terms.left_s() < _LEAST_TIME * terms.order.limit_s:
        return "no LSTM was fitted: there was no time left for it"
    return ""


def _learned(told: OfMode, lessons: Lessons, order: Foretell) -> OfMode:
    """The same with an LSTM."""
    some, weights = _some(lessons.train, Random(order.seed))  # noqa: S311 - no secret hangs on it
    windows, labels, correct = [one.window() for one in some], [one.happened for one in some], lessons.corrected_by()
    network = fit(
        windows, labels, CELLS, weights=weights,
        calibration=([one.window() for one in correct], [one.happened for one in correct]), seed=order.seed,
    )  # fmt: skip
    learned = kept.learned(
        network, windows, labels, subject=told.mode, meaning=MEANING,
        since=some[0].at, until=some[-1].at + HORIZON_S, library=name_of_library(),
    )  # fmt: skip
    made = replace(told, network=kept.encode(learned))
    return replace(made, etas=etas(mode_of(made), lessons.correct))


def _some(taught: Sequence[Example], dice: Random) -> tuple[list[Example], list[float]]:
    """As many examples as a network learns from, oldest first, and how much each counts: all that led to a failure as
    far as there is room, and of the others some, each for several.
    """
    failing, quiet = [one for one in taught if one.happened], [one for one in taught if not one.happened]
    failing_some = dice.sample(failing, min(len(failing), MOST_WINDOWS // 2))
    quiet_some = dice.sample(quiet, min(len(quiet), MOST_WINDOWS - len(failing_some)))
    several = {True: len(failing) / max(1, len(failing_some)), False: len(quiet) / max(1, len(quiet_some))}
    some = sorted(failing_some + quiet_some, key=lambda one: one.at)
    return some, [one.counts * several[one.happened] for one in some]
