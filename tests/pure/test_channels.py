"""Does each way of looking for a cause see what it is there for, and say what it lacks?"""

from __future__ import annotations

import pytest

from selfheal.diagnose.case import Case, LogLine, PatternCount, Series, Span
from selfheal.diagnose.channels.edge_gap import EdgeGap, SlowAll
from selfheal.diagnose.channels.novelty import Novelty
from selfheal.diagnose.channels.onset import Onset
from selfheal.diagnose.circumstances import NEVER
from selfheal.diagnose.families import family
from selfheal.diagnose.fit import Example, fit, is_better, loss
from selfheal.diagnose.rank import CHANNELS
from selfheal.diagnose.templates import Miner
from selfheal.diagnose.view import View

AT = 10_000.0


def calls(sent_ms: float, answered_ms: float, at: float, count: int = 20) -> list[Span]:
    """Calls of web to stock, as both see them."""
    found = []
    for number in range(count):
        trace = f"{at}-{number}"
        found.append(Span(at + number, trace, "1", "", "web", "get", sent_ms))
        found.append(Span(at + number, trace, "2", "1", "stock", "find", answered_ms))
    return found


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_a_channel_that_has_nothing_to_look_at_says_what_it_needs(channel: object) -> None:
    found = next(one for one in CHANNELS if one is channel).look(View(Case(AT)))
    assert found.missing
    assert not found.scores


def test_time_that_is_lost_on_the_way_is_seen_though_both_ends_are_as_quick_as_ever() -> None:
    spans = calls(6.0, 5.0, AT - 600) + calls(260.0, 5.0, AT)
    found = EdgeGap().look(View(Case(AT, spans=spans)))
    assert found.scores["stock"] > 1.0
    assert "from web to stock" in found.evidence["stock"]
    assert SlowAll().look(View(Case(AT, spans=spans))).scores["stock"] == 0.0


def test_who_does_everything_more_slowly_is_seen() -> None:
    spans = calls(6.0, 5.0, AT - 600) + calls(41.0, 40.0, AT)
    scores = SlowAll().look(View(Case(AT, spans=spans))).scores
    assert scores["stock"] > 1.5
    assert scores["web"] == 0.0


def test_a_new_line_and_one_that_stays_away_are_both_news() -> None:
    before = [LogLine(AT - 1000 + place, name, f"took {place} ms") for place in range(400) for name in ("a", "b", "c")]
    during = [LogLine(AT + place, "a", f"ERROR cannot reach {place}") for place in range(40)]
    during += [LogLine(AT + place, "b", f"took {place} ms") for place in range(40)]
    during += [LogLine(AT + place, "c", f"waits for {place}") for place in range(40)]
    scores = Novelty().look(View(Case(AT, logs=before + during))).scores
    assert scores["a"] > scores["c"] > scores["b"] == 0.0


def test_patterns_that_were_counted_elsewhere_count_as_lines_do() -> None:
    patterns = (PatternCount("a", "ERROR no space left", 90.0, 88.0), PatternCount("b", "served", 100.0, 2.0))
    scores = Novelty().look(View(Case(AT, patterns=patterns))).scores
    assert scores["a"] > 2.0
    assert scores["b"] == 0.0


def test_what_moved_first_is_nearest_to_the_cause() -> None:
    def moves(service: str, since: float) -> Series:
        at = [AT + 10.0 * place for place in range(-60, 12)]
        return Series(service, "cpu", at, [9.0 if time >= since else 1.0 for time in at])

    scores = Onset().look(View(Case(AT, series=(moves("early", AT), moves("late", AT + 60))))).scores
    assert scores["early"] == 1.0
    assert scores["late"] < 0.1


@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        ("orders_mem", "resource"), ("memory_bytes", "resource"), ("CpuUsageRate(%)", "resource"),
        ("rssBytes", "resource"),
        ("latency_p99", "latency"), ("lat50", "latency"), ("http_request_duration_seconds", "latency"),
        ("availability_Average", "success"), ("PodSuccessRate(%)", "success"), ("http_errors_total", "error"),
        ("workload", "load"), ("requests", "load"), ("qwerty", "other"),
    ],
)  # fmt: skip
def test_the_family_of_a_metric_is_told_by_its_words_whatever_their_spelling(metric: str, kind: str) -> None:
    assert family(metric) == kind


def test_lines_that_differ_in_what_varies_are_one_template_and_those_that_say_something_else_are_not() -> None:
    miner = Miner()
    same = {miner.number(f"Connection from 10.0.0.{place} closed after {place} ms") for place in range(9)}
    assert len(same) == 1
    assert miner.number("INFO begins order 17") != miner.number("INFO finished order 17")
    assert miner.number("12:00:01 INFO Shop#17 [a]") != miner.number("12:00:01 INFO Shop#18 [a]")


def test_weights_are_learned_and_kept_unless_they_are_better_on_what_they_were_not_fitted_to() -> None:
    examples = [
        Example({"a": (1.0, 0.1), "b": (0.0, 0.3), "c": (0.0, 0.9)}, "a"),
        Example({"a": (0.0, 0.8), "b": (1.0, 0.1), "c": (0.2, 0.2)}, "b"),
        Example({"a": (0.0, 0.2), "b": (0.1, 0.1), "c": (0.0, 0.4)}, "none"),
    ]
    found = fit(examples, (0.5, 0.5))
    assert found.weights[0] > 1.0
    assert found.weights[1] >= 0.0
    assert found.loss < loss(examples, (0.5, 0.5), NEVER)
    assert is_better(examples, found, (0.5, 0.5), NEVER)
    assert not is_better([], found, (0.5, 0.5), NEVER)
    assert sum(found.told(examples[0]).values()) == pytest.approx(1.0)
