"""What is the likeliest cause, and what speaks for it?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.causes import CAUSES
from selfheal.diagnose import verdict
from selfheal.diagnose.telling import telling
from selfheal.diagnose.verdict import CAUSES_KEPT
from selfheal.events import AgentExited, AgentStartFailed, Cause, Event, FailurePredicted, HealthChanged, StopAsked
from selfheal.plans import Clues, Sign
from selfheal.signatures import shipped
from selfheal.vitals import Vitals
from selfheal.vocabulary import CheckResult, FailureMode
from selfheal.world import Incident, World
from tests.pure.histories import histories
from tests.pure.log_tails import CRASHES, LABELLED, ORDINARY
from tests.pure.situations import NOW, after, died, failed, fleet, incident, opened, ready, started, vitals
from tests.pure.tails import TAILS


def diagnose(world: World, seen: Vitals, one: Incident, clues: Clues) -> tuple[Cause, ...]:
    return verdict.diagnose(world, seen, one, clues, shipped())


def crashed(*more: Event, code: int | None = 1, signal: int | None = None) -> World:
    end = AgentExited(NOW, "api", 1, 101, code, signal, 2.0, expected=False)
    return after(fleet(), end, opened("api", NOW, trigger="exit"), *more)


def causes(world: World, log: str = "", seen: Vitals | None = None) -> tuple[Cause, ...]:
    return diagnose(world, seen or Vitals(), incident(world), Clues(tuple(log.splitlines())))


def unhealthy(
    reason: str, result: CheckResult = "failed", agent: str = "api", cause: str = "", *, local: bool = False
) -> World:
    changed = HealthChanged(NOW, agent, "http", False, result, reason, NOW - 10, local, cause)
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
    how = "ends with" if telling(log.splitlines())[-1] == error else "says"
    assert first.evidence == ("it ended with exit code 1 after 2.0 s", f"its log {how} {error!r}")


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
    "cause", ["hung", "unreachable", "slow", "stale", "out_of_memory", "wrong_answer", "stale_cache"]
)
def test_a_check_that_names_its_cause_is_believed_whatever_its_words(cause: str) -> None:
    first = causes(unhealthy("'x' has 3 MB, expected at most 1 MB: refused", cause=cause))[0]
    assert first.slug == cause
    assert first.probability > 0.8
    assert first.evidence == ("check http failed: 'x' has 3 MB, expected at most 1 MB: refused",)


@pytest.mark.parametrize(("result", "cause"), [("timeout", "hung"), ("failed", "wrong_answer")])
def test_of_a_check_that_names_no_cause_its_result_tells(result: CheckResult, cause: str) -> None:
    assert causes(unhealthy("expected at most, older than, refused", result))[0].slug == cause


def test_what_is_wrong_with_a_process_and_has_no_name_is_not_called_a_wrong_answer() -> None:
    first = causes(unhealthy("cpu 3.10 cores is over 2", local=True))[0]
    assert first == Cause("unknown", 1.0, "api", ("check http failed: cpu 3.10 cores is over 2",))


def test_a_stopped_process_is_hung_whatever_it_said_before() -> None:
    stopped = unhealthy("the process is stopped (SIGSTOP)", cause="hung", local=True)
    first = causes(stopped, "PermissionError: [Errno 13] Permission denied\nERROR the cache does not answer: refused")[
        0
    ]
    assert first.slug == "hung"
    assert first.probability > 0.9


def test_a_service_that_does_not_answer_in_time_is_unreachable_for_nobody_knows_its_process() -> None:
    assert causes(unhealthy("no answer within 5 s", "timeout", agent="site"))[0].slug == "unreachable"


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


REFUSED = "WARN cannot reach the cache: connection refused"


@pytest.mark.parametrize("signal", [9, 15])
def test_who_was_killed_by_others_was_not_brought_down_by_what_its_log_says(signal: int) -> None:
    for world in (crashed(code=None, signal=signal), crashed(died("cache", NOW), code=None, signal=signal)):
        found = causes(world, f"PermissionError: [Errno 13] Permission denied\n{REFUSED}")
        assert [one.slug for one in found] == ["killed", "unknown"]


def test_a_crash_by_signal_is_explained_by_its_last_words_alone() -> None:
    old = "\n".join((REFUSED, "PermissionError: [Errno 13]", *ORDINARY[:3]))
    assert [one.slug for one in causes(crashed(code=None, signal=11), old)] == ["crashed", "unknown"]
    assert [one.slug for one in causes(crashed(code=None, signal=11), REFUSED)] == ["crashed", "unknown"]
    last = f"{old}\nterminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc"
    assert causes(crashed(code=None, signal=6), last)[0].slug == "out_of_memory"


def test_a_refusal_is_the_cause_where_a_dependency_was_away_then_or_shortly_before() -> None:
    back = (died("cache", NOW - 20), started("cache", NOW - 19, 2), ready("cache", NOW - 15, 2))
    end = AgentExited(NOW, "api", 1, 101, 1, None, 2.0, expected=False)
    world = after(fleet(), *back, end, opened("api", NOW, trigger="exit"))
    first = causes(world, f"{REFUSED}\nFATAL: giving up")[0]
    assert (first.slug, first.agent) == ("dependency_down", "cache")
    assert first.evidence == (
        f"its log says {REFUSED!r}, and cache, on which it depends, was away then or shortly before",
    )


def test_a_refusal_long_before_the_end_is_a_faint_sign_where_all_dependencies_are_well() -> None:
    for log in (f"{REFUSED}\nFATAL: the tax table is empty", "\n".join((REFUSED, *ORDINARY[:5]))):
        assert causes(crashed(), log)[0].slug == "crashed"


def test_a_refusal_that_was_the_last_it_said_is_the_cause_wherever_what_refused_it_runs() -> None:
    alone = after(fleet(), AgentExited(NOW, "cache", 1, 101, 1, None, 2.0, expected=False))
    first = causes(after(alone, opened("cache", NOW, trigger="exit")), "Error: connect ECONNREFUSED 10.0.0.5:5432")[0]
    assert (first.slug, first.agent) == ("dependency_down", "cache")
    assert first.probability > 0.5


@pytest.mark.parametrize(
    "line",
    [
        "FATAL: the tax table is empty",
        "2026-11-24 03:12:55,120 CRITICAL billing: the tax table is empty",
        "[FATAL] the tax table is empty",
        'time=03:12:55 level=fatal msg="the tax table is empty"',
        '{"level":"fatal","msg":"the tax table is empty"}',
    ],
)
def test_the_line_with_which_a_program_gives_up_is_quoted(line: str) -> None:
    by_slug = {
        one.slug: one for one in causes(crashed(), "\n".join(("ZeroDivisionError: by zero", *ORDINARY[:3], line)))
    }
    assert by_slug["crashed"].evidence == ("it ended with exit code 1 after 2.0 s", f"its log ends with {line!r}")


def test_only_the_very_last_line_is_what_a_log_ends_with() -> None:
    first = causes(crashed(), "ZeroDivisionError: by zero\nINFO one more line")[0]
    assert first.evidence[1] == "its log says 'ZeroDivisionError: by zero'"


# --- what the process does ---


@pytest.mark.parametrize(
    ("clues", "cores", "told"),
    [
        (Clues(state="D", waits_in="nfs_wait"), None, "its process waits for a device (state D in nfs_wait)"),
        (Clues(state="R"), 1.0, "it uses 1.0 cores, as a loop without an end does"),
        (Clues(state="S", waits_in="futex_wait"), 0.0, "it uses no processor time, and sleeps in futex_wait"),
        (Clues(state="S"), 0.2, None),
        (Clues(), None, None),
    ],
)
def test_of_what_does_not_answer_it_is_told_what_its_process_does(
    clues: Clues, cores: float | None, told: str | None
) -> None:
    world, seen = unhealthy("no answer within 1 s", "timeout"), Vitals()
    if cores is not None:
        seen.put_signals("api", {"cpu": cores})
    first = diagnose(world, seen, incident(world), clues)[0]
    assert first.slug == "hung"
    assert first.evidence[1:] == (() if told is None else (told,))


def test_a_busy_process_that_answers_wrongly_does_not_hang() -> None:
    seen = Vitals()
    seen.put_signals("api", {"cpu": 1.0})
    world = unhealthy("status 500", cause="wrong_answer")
    assert {one.slug for one in diagnose(world, seen, incident(world), Clues(state="R"))} == {"wrong_answer", "unknown"}


# --- whatever happened ---

LINES = st.lists(st.sampled_from([*ORDINARY, *(line for _, log in LABELLED for line in log.splitlines())]), max_size=40)


@settings(max_examples=60)
@given(histories(), LINES)
def test_causes_are_ranked_probabilities_in_a_fixed_order(history: list[Event], log: list[str]) -> None:
    world = after(fleet(), *history)
    seen = vitals(world)
    for one in world.incidents.values():
        found = diagnose(world, seen, one, Clues(tuple(log)))
        assert found == diagnose(world, seen, one, Clues(tuple(log)))
        assert 1 <= len(found) <= CAUSES_KEPT
        assert sum(cause.probability for cause in found) <= 1.0 + 1e-3
        assert [cause.probability for cause in found] == sorted((c.probability for c in found), reverse=True)
        assert len({(cause.slug, cause.agent) for cause in found}) == len(found)
        assert {cause.slug for cause in found} <= {*CAUSES, "stale_cache"}
        assert all(0.0 <= cause.probability <= 1.0 for cause in found)


# --- what a platform tells ---


def test_what_was_deployed_right_before_outweighs_what_the_checks_see_of_it() -> None:
    world = unhealthy("status 502", cause="wrong_answer")
    live = Sign("bad_deploy", "deploy dep-1 became live 60 s before it began to fail", decisive=True)
    first, second, _ = diagnose(world, Vitals(), incident(world), Clues(signs=(live,)))
    assert (first.slug, first.evidence, first.channels) == ("bad_deploy", (live.evidence,), ("change",))
    assert first.probability > 0.7  # what a roll-back asks for
    assert second.slug == "wrong_answer"


def test_a_deploy_that_has_failed_is_a_faint_sign() -> None:
    world = unhealthy("status 502", cause="wrong_answer")
    failed_one = Sign("bad_deploy", "deploy dep-1 ended as build_failed 60 s before it began to fail")
    found = diagnose(world, Vitals(), incident(world), Clues(signs=(failed_one,)))
    assert [one.slug for one in found] == ["wrong_answer", "bad_deploy", "unknown"]


# --- how real logs end ---


@pytest.mark.parametrize(("cause", "log"), TAILS)
def test_of_how_a_real_log_ends_the_cause_is_known(cause: str, log: str) -> None:
    first = causes(crashed(), "\n".join((*ORDINARY, log)))[0]
    assert (first.slug, first.agent) == (cause, "api")
    assert first.signs


def test_a_cause_names_the_signatures_that_speak_for_it_and_counts_one_log_once() -> None:
    by_slug = {one.slug: one for one in causes(crashed(), "OSError: [Errno 98] Address already in use")}
    assert by_slug["port_taken"].signs == ("system.port_in_use",)
    twice = {one.slug: one for one in causes(crashed(), "MemoryError\njava.lang.OutOfMemoryError: Java heap space")}
    once = {one.slug: one for one in causes(crashed(), "java.lang.OutOfMemoryError: Java heap space")}
    assert set(twice["out_of_memory"].signs) > set(once["out_of_memory"].signs)
    assert twice["out_of_memory"].evidence == once["out_of_memory"].evidence


@pytest.mark.parametrize("line", ["429 Too Many Requests", "socket.gaierror: [Errno -2] Name or service not known"])
def test_of_one_that_runs_on_what_others_refused_it_is_a_faint_sign(line: str) -> None:
    found = causes(unhealthy("status 500", cause="wrong_answer"), line)
    assert [one.slug for one in found][:2] == ["wrong_answer", "rate_limited" if "429" in line else "dns_failed"]


def test_a_password_that_is_refused_explains_a_wrong_answer_and_no_hang() -> None:
    line = 'FATAL:  password authentication failed for user "app"'
    wrong = causes(unhealthy("status 500", cause="wrong_answer"), line)
    assert [one.slug for one in wrong] == ["credential_expired", "wrong_answer", "unknown"]
    hung = causes(unhealthy("no answer within 1 s", "timeout"), line)
    assert [one.slug for one in hung] == ["hung", "credential_expired", "unknown"]


def foreseen(mode: FailureMode) -> FailurePredicted:
    return FailurePredicted(NOW - 60, "api", mode, "rss", 0.95, 600.0, 500.0, 700.0, 3e8, 4e8, 1e5)


def test_what_grew_for_long_before_it_ran_out_leaks() -> None:
    world = after(unhealthy("rss 390 MB is over 380 MB", cause="out_of_memory", local=True), foreseen("out_of_memory"))
    assert causes(world)[0].slug == "memory_leak"
    assert causes(unhealthy("rss 390 MB is over 380 MB", cause="out_of_memory", local=True))[0].slug == "out_of_memory"
    many = after(unhealthy("990 fds", cause="out_of_fds", local=True), foreseen("out_of_fds"))
    assert causes(many)[0].slug == "fd_leak"
