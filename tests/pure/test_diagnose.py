"""What is the likeliest cause, and what speaks for it?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.diagnose.verdict import CAUSES_KEPT, diagnose
from selfheal.events import AgentExited, AgentStartFailed, Cause, Event, HealthChanged, StopAsked
from selfheal.vitals import Vitals
from selfheal.vocabulary import CAUSES, CheckResult
from selfheal.world import World
from tests.pure.histories import histories
from tests.pure.log_tails import CRASHES, LABELLED, ORDINARY
from tests.pure.situations import NOW, after, died, failed, fleet, incident, opened, started, vitals


def crashed(*more: Event, code: int | None = 1, signal: int | None = None) -> World:
    end = AgentExited(NOW, "api", 1, 101, code, signal, 2.0, expected=False)
    return after(fleet(), end, opened("api", NOW, trigger="exit"), *more)


def causes(world: World, log: str = "", seen: Vitals | None = None) -> tuple[Cause, ...]:
    return diagnose(world, seen or Vitals(), incident(world), log.splitlines())


def unhealthy(reason: str, result: CheckResult = "failed", agent: str = "api") -> World:
    changed = HealthChanged(NOW, agent, "http", False, result, reason, NOW - 10)
    return after(fleet(), changed, opened(agent, NOW))


# --- logs ---


@pytest.mark.parametrize(("cause", "log"), LABELLED)
def test_a_crash_whose_log_gives_the_cause_away_is_known_for_it(cause: str, log: str) -> None:
    first = causes(crashed(), "\n".join((*ORDINARY, log)))[0]
    assert (first.slug, first.agent) == (cause, "api")
    assert first.probability > 0.5
    assert any(text.startswith("its log says") for text in first.evidence)


@pytest.mark.parametrize(("error", "log"), CRASHES)
def test_a_crash_quotes_the_error_that_ended_it(error: str, log: str) -> None:
    first = causes(crashed(), "\n".join((*ORDINARY, log)))[0]
    assert first.slug == "crashed"
    assert first.probability > 0.5
    assert first.evidence == ("it ended with exit code 1 after 2.0 s", f"its log ends with {error!r}")


def test_an_error_that_gives_a_narrower_cause_away_is_not_quoted_twice() -> None:
    by_slug = {one.slug: one for one in causes(crashed(), "ModuleNotFoundError: No module named 'psycopg'")}
    assert by_slug["missing_module"].evidence == ("its log says \"ModuleNotFoundError: No module named 'psycopg'\"",)
    assert by_slug["crashed"].evidence == ("it ended with exit code 1 after 2.0 s",)


def test_ordinary_logs_give_no_cause() -> None:
    world = after(fleet(), opened("api", NOW))
    assert causes(world, "\n".join(ORDINARY)) == (Cause("unknown", 1.0, "api"),)
    assert causes(crashed(), "\n".join(ORDINARY))[0].slug == "crashed"


def test_what_was_said_long_before_the_end_is_no_evidence() -> None:
    log = "\n".join(("MemoryError", *ORDINARY))
    assert "out_of_memory" not in {one.slug for one in causes(crashed(), log)}


def test_a_very_long_line_is_quoted_in_part() -> None:
    first = causes(crashed(), "MemoryError " + "x" * 10_000)[0]
    assert len(first.evidence[0]) < 250


# --- how it ended ---


@pytest.mark.parametrize(
    ("code", "signal", "cause"),
    [
        (1, None, "crashed"),
        (0, None, "exited"),
        (126, None, "permission"),
        (127, None, "missing_program"),
        (None, 11, "crashed"),
        (None, 6, "crashed"),
        (None, 9, "killed"),
        (None, 15, "killed"),
        (None, 2, "killed"),
        (None, 62, "crashed"),
        (None, None, "unknown"),
    ],
)
def test_how_a_process_ended_names_the_cause(code: int | None, signal: int | None, cause: str) -> None:
    first = causes(crashed(code=code, signal=signal))[0]
    assert first.slug == cause
    assert first.probability > 0.5


def test_killed_near_its_memory_limit_is_out_of_memory() -> None:
    world = crashed(code=None, signal=9)
    limited = replace(world, agents={**world.agents, "api": replace(world.agents["api"], memory_limit=400_000_000)})
    near, far = Vitals(), Vitals()
    near.put_signals("api", {"rss": 390e6})
    far.put_signals("api", {"rss": 120e6})
    first = causes(limited, seen=near)[0]
    assert (first.slug, first.evidence) == ("out_of_memory", ("killed by SIGKILL at 390 MB of its 400 MB",))
    assert causes(limited, seen=far)[0].slug == "killed"


def test_how_an_earlier_run_ended_is_no_evidence_for_a_failing_check() -> None:
    world = after(fleet(), died("api", NOW - 900), started("api", NOW - 900, 2), failed("api", NOW), opened("api", NOW))
    assert {one.slug for one in causes(world)} == {"wrong_answer", "unknown"}


# --- start ---


def test_a_start_that_failed_knows_its_cause() -> None:
    failure = AgentStartFailed(NOW, "api", "cannot start 'api': no such program", "missing_program")
    world = after(fleet(), failure, opened("api", NOW, trigger="start"))
    first = causes(world)[0]
    assert (first.slug, first.evidence) == ("missing_program", ("cannot start 'api': no such program",))
    assert first.probability > 0.9


# --- checks ---


@pytest.mark.parametrize(
    ("reason", "result", "cause"),
    [
        ("stopped (SIGSTOP)", "failed", "hung"),
        ("no sign of life for 12 s", "failed", "hung"),
        ("no answer within 5 s", "timeout", "hung"),
        ("connection refused", "failed", "unreachable"),
        ("no such host: 'ledger'", "failed", "unreachable"),
        ("answered in 1.2 s, expected at most 0.5 s", "failed", "slow"),
        ("older than 1 h", "failed", "stale"),
        ("412 MB is over its limit of 400 MB", "failed", "out_of_memory"),
        ("status 500, expected 200", "failed", "wrong_answer"),
    ],
)
def test_what_a_check_saw_names_the_cause(reason: str, result: CheckResult, cause: str) -> None:
    first = causes(unhealthy(reason, result))[0]
    assert first.slug == cause
    assert first.probability > 0.5
    assert first.evidence == (f"check http {result}: {reason}",)


def test_no_answer_from_a_process_that_is_gone_is_not_a_hang() -> None:
    world = after(unhealthy("no answer within 5 s", "timeout"), died("api", NOW))
    assert causes(world)[0].slug == "unreachable"


# --- dependencies ---


@pytest.mark.parametrize(("cause", "log"), LABELLED[:3])
def test_a_dependency_that_is_down_explains_more_than_anything_in_the_log(cause: str, log: str) -> None:
    world = after(unhealthy("status 500"), died("cache", NOW))
    first = causes(world, log)[0]
    assert (first.slug, first.agent) == ("dependency_down", "cache")
    assert first.evidence == ("cache, on which it depends, is unhealthy",)


def test_a_dependency_of_a_dependency_counts_too_and_a_dependent_does_not() -> None:
    first = causes(after(unhealthy("status 500", agent="web"), died("cache", NOW)))[0]
    assert (first.slug, first.agent) == ("dependency_down", "cache")
    assert "dependency_down" not in {one.slug for one in causes(after(unhealthy("status 500"), died("web", NOW)))}


def test_a_dependency_that_is_stopped_on_purpose_is_not_down() -> None:
    world = after(unhealthy("status 500"), StopAsked(NOW, "cache", "cli"))
    assert "dependency_down" not in {one.slug for one in causes(world)}


# --- whatever happened ---

LINES = st.lists(st.sampled_from([*ORDINARY, *(line for _, log in LABELLED for line in log.splitlines())]), max_size=40)


@settings(max_examples=60)
@given(histories(), LINES)
def test_causes_are_ranked_probabilities_in_a_fixed_order(history: list[Event], log: list[str]) -> None:
    world = after(fleet(), *history)
    seen = vitals(world)
    for one in world.incidents.values():
        found = diagnose(world, seen, one, log)
        assert found == diagnose(world, seen, one, log)
        assert 1 <= len(found) <= CAUSES_KEPT
        assert sum(cause.probability for cause in found) <= 1.0 + 1e-3
        assert [cause.probability for cause in found] == sorted((c.probability for c in found), reverse=True)
        assert len({(cause.slug, cause.agent) for cause in found}) == len(found)
        assert {cause.slug for cause in found} <= {*CAUSES, "stale_cache"}
        assert all(0.0 <= cause.probability <= 1.0 for cause in found)
