"""In which service do things no longer follow each other as they did?

Within a trace the lines of a service come in an order: after "charging the card" comes "charged". Of each line it is
known what comes next, and how often; where another line comes, or none, something went another way than usual. That
shows what no error line tells: an exception that is thrown between two lines, a return that came too early. Counted
are traces, not lines: what one request says a hundred times is said once. Without ids of traces in the lines all that
a service says is one sequence for each minute.

A caller goes another way too when its callee does: of what a service shows, half of what its callees show is theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt

from selfheal.diagnose.case import LogLine
from selfheal.diagnose.channels import Finding
from selfheal.diagnose.robust import surprise
from selfheal.diagnose.templates import Miner, trace_of
from selfheal.diagnose.view import View

NAME = "sequence"
# With fewer traces before it, or in it, nothing is known of what follows a line.
LEAST_BEFORE, LEAST_DURING = 3, 2
# What lies within this many times its spread happens by chance.
CHANCE = 1.5
OF_CALLEES = 0.5
_MINUTE_S = 60.0
# What stands before the first line of a sequence, and after its last.
_BEGIN, _END = -2, -1

Step = tuple[str, int, int]
"""A service, the template of a line, and that of the one after it."""


@dataclass(slots=True)
class _Counts:
    """In how many sequences each step was made, and each line stood."""

    steps: Counter[Step] = field(default_factory=Counter)
    lines: Counter[tuple[str, int]] = field(default_factory=Counter)

    def add(self, service: str, numbers: Sequence[int]) -> None:
        whole = (_BEGIN, *numbers, _END)
        self.steps.update({(service, one, following) for one, following in pairwise(whole)})
        self.lines.update({(service, one) for one in whole[:-1]})


class Order:
    """The channel."""

    name = NAME

    def look(self, view: View) -> Finding:
        if not view.case.logs:
            return Finding(missing="no logs")
        miner = Miner()
        before, during = _counted(view.case.logs, view.case.at, miner)
        if not before.steps or not during.steps:
            return Finding(missing="no logs from both before and after the beginning")
        own: dict[str, tuple[float, Step]] = {}
        for step in before.steps.keys() | during.steps.keys():
            score = _score(step, before, during)
            known = own.get(step[0])
            if known is None or (score, step) > known:
                own[step[0]] = score, step
        raw = {service: score for service, (score, _) in own.items()}
        scores = {name: score - OF_CALLEES * _of_callees(view.callees, raw, name) for name, score in raw.items()}
        words = {name: _words(step, before, during, miner) for name, (score, step) in own.items() if score > 0.0}
        return Finding(scores, words)


def _counted(logs: Iterable[LogLine], at: float, miner: Miner) -> tuple[_Counts, _Counts]:
    """The steps before, and those of sequences that went on after the beginning."""
    found: dict[tuple[str, str], list[int]] = {}
    latest: dict[str, float] = {}
    for line in sorted(logs, key=lambda line: line.at):
        trace = trace_of(line.message) or f"{line.service} {line.at // _MINUTE_S:.0f}"
        found.setdefault((trace, line.service), []).append(miner.number(line.message))
        latest[trace] = line.at
    before, during = _Counts(), _Counts()
    for (trace, service), numbers in found.items():
        (during if latest[trace] >= at else before).add(service, numbers)
    return before, during


def _score(step: Step, before: _Counts, during: _Counts) -> float:
    """How surprising it is how often a step was made: a binomial, with the uncertainty of its own probability."""
    service, line, _ = step
    known, seen = before.lines[service, line], during.lines[service, line]
    if known < LEAST_BEFORE or seen < LEAST_DURING:
        return 0.0
    share = (before.steps[step] + 0.5) / (known + 1.0)
    varies = share * (1.0 - share)
    spread = sqrt(seen * varies + seen * seen * varies / known + 1.0)
    distance = abs(during.steps[step] - seen * share) / spread
    return surprise(distance) if distance > CHANCE else 0.0


def _of_callees(callees: Mapping[str, Sequence[str]], raw: Mapping[str, float], service: str) -> float:
    return max((raw.get(name, 0.0) for name in callees.get(service, ())), default=0.0)


def _words(step: Step, before: _Counts, during: _Counts, miner: Miner) -> str:
    service, line, following = step
    told = {_BEGIN: "at its beginning", _END: "nothing more"}
    one, other = (told.get(number) or repr(miner.text(number)[:80]) for number in (line, following))
    then = before.steps[step], before.lines[service, line]
    now = during.steps[step], during.lines[service, line]
    return f"{one} was followed by {other} in {then[0]} of {then[1]} traces, now in {now[0]} of {now[1]}"
