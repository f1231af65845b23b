"""In which service are requests cut short, or take a way that they never took?

A thrown exception often leaves no line that says so; what it leaves is that what always came next does not come. Those
who called see it too, so a service is blamed for what is surprising of it beyond what is of those it called.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt

from selfheal.diagnose.channels import Finding
from selfheal.diagnose.flows import Habit, Key, by_trace, flows, habits
from selfheal.diagnose.robust import surprise
from selfheal.diagnose.view import View

NAME = "missing"
# What scores less is not worth a word.
TELLING = 0.5


@dataclass(slots=True)
class _Blame:
    amount: float = 0.0
    flows: int = 0
    cut: int = 0
    why: dict[str, float] = field(default_factory=lambda: defaultdict(float))


class Missing:
    """The channel."""

    name = NAME

    def look(self, view: View) -> Finding:
        if not view.case.spans and not view.case.logs:
            return Finding(missing="no spans and no logs")
        seen = flows(view.case)
        if not seen.during:
            return Finding(missing="no line or span of a trace during the trouble")
        if not seen.before:
            return Finding(missing="no line or span of a trace from before the trouble")
        usual = habits(seen.before)
        if not usual:
            return Finding(missing="too few traces from before the trouble")
        reached = {name: tuple(view.reached(name)) for name in view.callees}
        now = _blamed(seen.during, usual, reached, 0)
        then = _blamed(seen.before, usual, reached, 1)
        scores, evidence = {}, {}
        for service in {service for service, _ in usual}:
            expected = then[service].amount / max(then[service].flows, 1) * now[service].flows
            part = now[service].cut / max(now[service].flows, 1)
            scores[service] = sqrt(part) * surprise((now[service].amount - expected) / (expected + 4.0) ** 0.5)
            if scores[service] > TELLING:
                evidence[service] = max((amount, why) for why, amount in now[service].why.items())[1]
        return Finding(scores, evidence)


def _blamed(
    known: Mapping[Key, Sequence[str]],
    usual: Mapping[tuple[str, str], Habit],
    callees: Mapping[str, Sequence[str]],
    own: int,
) -> Mapping[str, _Blame]:
    found: dict[str, _Blame] = defaultdict(_Blame)
    for trace, services in by_trace(known):
        felt = {name: _felt(name, known[trace, name], usual, own) for name in services}
        for name, (nats, why) in felt.items():
            found[name].flows += 1
            passed_on = max(
                (felt[other][0] for other in callees.get(name, ()) if other in felt and other != name), default=0.0
            )
            if nats > passed_on:
                found[name].cut += 1
                found[name].amount += nats - passed_on
                found[name].why[why] += nats - passed_on
    return found


def _felt(service: str, flow: Sequence[str], usual: Mapping[tuple[str, str], Habit], own: int) -> tuple[float, str]:
    habit = usual.get((service, flow[0]))
    return habit.surprise(flow, own) if habit is not None else (0.0, "")
