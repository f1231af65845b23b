"""Which service says what it never said, or far more or less of something than usual?

Of each template of each service its share of all that the service says is compared with what that was before, as often
as there are lines to tell. What an error line says counts half as much again. A service that falls silent altogether
says something too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import hypot, isfinite, sqrt

from selfheal.diagnose.case import LogLine, PatternCount
from selfheal.diagnose.channels import Finding
from selfheal.diagnose.flows import is_error, until_usual
from selfheal.diagnose.robust import is_number, surprise
from selfheal.diagnose.templates import Miner
from selfheal.diagnose.view import View

NAME = "novelty"
# A share varies by itself by so much of what it is; less than so many times its spread is chance.
VARIES, CHANCE = 0.3, 2.0
OF_ERRORS = 1.5

Counts = Counter[tuple[str, int]]
"""How many lines of each template each service said."""


class Novelty:
    """The channel."""

    name = NAME

    def look(self, view: View) -> Finding:
        case = view.case
        if not case.logs and not case.patterns:
            return Finding(missing="no logs and no patterns")
        found = list(_of_patterns(case.patterns))
        if case.logs:
            miner = Miner()
            until = until_usual(case)
            before = _counted(miner, (one for one in case.logs if one.at < until))
            during = _counted(miner, (one for one in case.logs if one.at >= case.at))
            if not before and not case.patterns:
                return Finding(missing="no logs from before the trouble")
            if before:
                found += _of_lines(before, during, miner)
        return _best(found, {one.service for part in (case.logs, case.patterns) for one in part})


Found = tuple[str, float, str]
"""A service, how far from usual something of it is, and what."""


def _best(found: Iterable[Found], services: Iterable[str]) -> Finding:
    scores = dict.fromkeys(services, 0.0)
    evidence: dict[str, str] = {}
    for service, distance, words in found:
        score = surprise(abs(distance)) if abs(distance) > CHANCE else 0.0
        if score > scores[service]:
            scores[service], evidence[service] = score, words
    return Finding(scores, evidence)


def _counted(miner: Miner, lines: Iterable[LogLine]) -> Counts:
    return Counter((line.service, miner.number(line.message)) for line in lines)


def _of_lines(before: Counts, during: Counts, miner: Miner) -> Iterable[Found]:
    then, now = _totals(before), _totals(during)
    for service, number in before.keys() | during.keys():
        usual, seen = before[service, number], during[service, number]
        if not then[service]:
            continue  # nothing is known of what it says as a rule
        expected = usual / then[service] * now[service]
        spread = sqrt(expected + (VARIES * expected) ** 2 + (expected / max(usual, 1)) * expected + 1.0)
        distance = (seen - expected) / spread
        text = miner.text(number)
        if is_error(text) and distance > 0.0:
            distance *= OF_ERRORS
        yield service, distance, f"said {seen} times, {expected:.0f} by rights: {text[:120]}"


def _totals(counts: Counts) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for (service, _), count in counts.items():
        found[service] += count
    return found


def _of_patterns(patterns: Iterable[PatternCount]) -> Iterable[Found]:
    for one in patterns:
        if not is_number(one.count) or not is_number(one.delta):
            continue
        usual = max(one.count - one.delta, 0.0)
        distance = one.delta / hypot(sqrt(usual + 1.0), VARIES * usual)
        if isfinite(distance):
            more = OF_ERRORS if is_error(one.pattern) and distance > 0.0 else 1.0
            yield one.service, distance * more, f"said {one.count:g} times, {usual:g} by rights: {one.pattern[:120]}"
