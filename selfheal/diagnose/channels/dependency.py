"""Who is in trouble of those that somebody in trouble depends on?

Trouble goes from what is depended on to those who depend on it, so the deepest one that is in trouble comes before all
that it explains. That a check of it passes says that it answers, not that it is quick: where slowness is the trouble
that clears nobody.
"""

from __future__ import annotations

from selfheal.diagnose.case import State
from selfheal.diagnose.channels import Finding
from selfheal.diagnose.view import View

NAME = "dependency"
# What fell later than so long after the beginning was not there before it. Checks take turns, so it is not nothing.
LATE_S = 60.0
# Its own trouble: known, or only in the latest answers.
DOWN, DOUBTFUL = 3.0, 1.5
# So much of that is left where what it depends on was not asked since, where it is only slow, or where that is in
# trouble too.
UNASKED, SLOW, EXPLAINED = 0.5, 0.3, 0.1
_SLOW = frozenset({"slow", "slow_dependency", "hung"})


class Dependency:
    """The channel."""

    name = NAME

    def look(self, view: View) -> Finding:
        if not view.case.states:
            return Finding(missing="no states of services")
        if not view.callees:
            return Finding(missing="nobody is said to depend on anybody")
        known = {one.service: one for one in view.case.states}
        troubled = {
            name: one
            for name, one in known.items()
            if (one.down or one.doubtful) and one.since <= view.case.at + LATE_S
        }
        scores, evidence = dict.fromkeys(known, 0.0), {}
        for name, state in troubled.items():
            below = [other for other in view.reached(name) if other != name and name not in view.reached(other)]
            deeper = sorted((len(view.reached(other)), other) for other in below if other in troubled)
            asked = all(known[other].answers for other in below if other in known)
            share, words = _own(state, [other for _, other in deeper], bool(below), asked)
            scores[name] = share * (DOWN if state.down else DOUBTFUL)
            evidence[name] = words
        return Finding(scores, evidence)


def _own(state: State, deeper: list[str], depends: bool, asked: bool) -> tuple[float, str]:
    """How much of a trouble is one's own, and why."""
    what = "it is down" if state.down else "its latest answer was bad"
    if deeper:
        return EXPLAINED, f"{what}, and so is {deeper[0]}, on which it depends"
    if depends and state.cause in _SLOW:
        return SLOW, f"{what}, and what it depends on answers, be it slowly"
    if depends and not asked:
        return UNASKED, f"{what}; what it depends on is not known to answer since"
    return 1.0, f"{what}, and all that it depends on answers well" if depends else what
