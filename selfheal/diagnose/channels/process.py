"""Whose own process is what went wrong, as the kernel says?

How it ended, what is seen of it while it runs, and how near it was to its limits. It is the nearest that one can come
to a cause: a process does not end by a signal because somebody else is slow.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

from selfheal.diagnose.case import End, Use
from selfheal.diagnose.channels import Finding
from selfheal.diagnose.view import View

NAME = "process"
# An end explains what began soon after it, and a crash loop goes on after the beginning.
BEFORE_S = 60.0
# A shell or a launcher says by these codes that there is no such program, or that it may not run it.
_LAUNCH = frozenset({126, 127})
# What is seen of the process itself is beyond doubt. An exit code may be its answer to a dependency that was away.
LOCAL, SIGNALLED, LAUNCHED, FAILED, LEFT = 4.0, 3.5, 3.5, 2.5, 2.0
# Of what it may use so much is near the end, and this is what that says where nothing else is seen.
NEAR, NEAR_SCORE = 0.9, 2.0


class Process:
    """The channel."""

    name = NAME

    def look(self, view: View) -> Finding:
        case = view.case
        if not case.ends and not case.states and not case.uses:
            return Finding(missing="no processes that are supervised")
        scores = dict.fromkeys((one.service for part in (case.states, case.ends, case.uses) for one in part), 0.0)
        evidence: dict[str, str] = {}
        for service, score, words in _found(view):
            if score > scores[service]:
                scores[service], evidence[service] = score, words
        return Finding(scores, evidence)


def _found(view: View) -> Iterator[tuple[str, float, str]]:
    for state in view.case.states:
        if state.local:
            yield state.service, LOCAL, state.says or "its process is gone"
    for end in view.case.ends:
        if end.at >= view.case.at - BEFORE_S:
            yield end.service, *_of_end(end)
    for use in view.case.uses:
        if use.share >= NEAR:
            yield use.service, _of_use(use), f"it uses {use.share:.0%} of the {use.what} that it may"


def _of_end(end: End) -> tuple[float, str]:
    if end.signal is not None:
        return SIGNALLED, f"it was ended by {_name(end.signal)}"
    if end.code is None:
        return LEFT, "it ended, and nobody saw how"
    if end.code == 0:
        return LEFT, f"it ended with exit code 0 after {end.ran_s:.1f} s"
    return (LAUNCHED if end.code in _LAUNCH else FAILED), f"it ended with exit code {end.code} after {end.ran_s:.1f} s"


def _of_use(use: Use) -> float:
    return NEAR_SCORE + min(max(use.share - NEAR, 0.0) / (1.0 - NEAR), 1.0)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
