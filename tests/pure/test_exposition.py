from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from selfheal.telemetry.exposition import Family, Key, Lines, number

SIGNAL = Family("selfheal_signal", "gauge", "The latest value of a signal.", ("signal",))
CHECKS = Family("selfheal_checks", "counter", "Checks that ran, by result.", ("check", "result"))

# A carriage return stands for the others that the library's parser takes for the end of a line; no name holds one.
names = st.text(st.characters(codec="utf-8", exclude_categories=["Zl", "Zp", "Cc"], include_characters='\n"\\%$\0{},='))
numbers = st.floats() | st.integers(-(10**20), 10**20) | st.booleans()


def _alike(ours: float, given: float) -> bool:
    return ours == float(given) or (math.isnan(ours) and math.isnan(given))


@given(agent=names, signals=st.dictionaries(names, numbers, min_size=1))
def test_what_is_written_reads_as_what_was_meant(agent: str, signals: dict[str, float]) -> None:
    text = Lines().of(SIGNAL, agent, signals).decode()
    for page, read in (
        (SIGNAL.head(openmetrics=False).decode() + text, read_text),
        (SIGNAL.head(openmetrics=True).decode() + text + "# EOF\n", read_openmetrics),
    ):
        (family,) = read(page)
        seen = {sample.labels["signal"]: sample.value for sample in family.samples}
        assert (family.name, family.type) == ("selfheal_signal", "gauge")
        assert {sample.labels["agent"] for sample in family.samples} == {agent}
        assert seen.keys() == signals.keys()
        assert all(_alike(seen[name], signals[name]) for name in signals)


@given(rounds=st.lists(st.dictionaries(st.sampled_from("abcd"), st.floats() | st.sampled_from((0.0, 1.0)))))
def test_kept_lines_are_those_that_would_be_written_anew(rounds: list[dict[str, float]]) -> None:
    kept = Lines()
    for signals in rounds:
        assert kept.of(SIGNAL, "api", signals) == Lines().of(SIGNAL, "api", signals)


def test_lines_are_written_again_only_where_a_number_is_another() -> None:
    kept = Lines()
    first = kept.of(SIGNAL, "api", {"rss": 1.0, "cpu": math.nan})
    assert kept.of(SIGNAL, "api", {"rss": 1.0, "cpu": math.nan}) is first
    assert kept.of(SIGNAL, "api", {"rss": 2.0, "cpu": math.nan}) is not first


def test_a_counter_bears_total_where_each_format_wants_it() -> None:
    assert CHECKS.head(openmetrics=False).splitlines()[1] == b"# TYPE selfheal_checks_total counter"
    assert CHECKS.head(openmetrics=True).splitlines()[1] == b"# TYPE selfheal_checks counter"
    counts: dict[Key, int] = {("http", "ok"): 3}
    assert Lines().of(CHECKS, "api", counts) == b'selfheal_checks_total{agent="api",check="http",result="ok"} 3.0\n'


def test_what_is_no_number_is_spelled_as_prometheus_reads_it() -> None:
    assert [number(value) for value in (math.inf, -math.inf, math.nan, 1e300)] == ["+Inf", "-Inf", "NaN", "1e+300"]


def test_half_a_surrogate_pair_costs_a_letter_and_not_the_page() -> None:
    text = Lines().of(SIGNAL, "api", {"rss\ud800": 1.0})
    assert text == b'selfheal_signal{agent="api",signal="rss?"} 1.0\n'
