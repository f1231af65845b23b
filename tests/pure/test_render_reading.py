"""How is a service, by what Render's API says of it?"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.causes import CAUSES
from selfheal.kinds import Condition
from selfheal.render.reading import (
    IN_PROGRESS,
    STUCK_S,
    Commit,
    Deploy,
    Details,
    Happening,
    Instance,
    Service,
    Store,
    judge,
    judge_store,
    previous,
)

NOW = 1_790_000_000.0
WEB = Service("srv-1", "web", "web_service")
ONE = (Instance("srv-1-a"),)


def time(ago_s: float) -> datetime:
    return datetime.fromtimestamp(NOW - ago_s, UTC)


def deploy(name: str, status: str, commit: str = "", ago_s: float = 86_400.0, trigger: str = "new_commit") -> Deploy:
    ended = None if status in IN_PROGRESS else time(ago_s - 60.0)
    return Deploy(name, status, trigger, Commit(commit) if commit else None, time(ago_s), time(ago_s), ended)


def failure(ago_s: float, **reason: object) -> Happening:
    return Happening(f"evt-{ago_s}", "server_failed", time(ago_s), {"reason": reason})


LIVE = deploy("dep-2", "live", "b")
OLD = deploy("dep-1", "deactivated", "a", 2 * 86_400.0)
CRASHES = tuple(failure(ago_s, nonZeroExit=1) for ago_s in (90.0, 60.0, 30.0))


def test_a_service_whose_instances_run_is_well() -> None:
    assert judge(WEB, (LIVE, OLD), ONE, NOW) == Condition("well", signals={"instances": 1.0})


def test_a_deploy_that_failed_leaves_the_version_before_in_place() -> None:
    assert judge(WEB, (deploy("dep-3", "build_failed", "c", 300.0), LIVE), ONE, NOW).state == "well"


@pytest.mark.parametrize("status", sorted(IN_PROGRESS))
def test_a_deploy_in_progress_is_no_outage_whatever_runs_meanwhile(status: str) -> None:
    deploys = (deploy("dep-3", status, "c", 300.0), LIVE)
    assert judge(WEB, deploys, ONE, NOW).state == "well"
    nothing_runs = judge(WEB, deploys, (), NOW)
    assert (nothing_runs.state, nothing_runs.cause) == ("deploying", "")
    assert f"deploy dep-3 (commit c) is in progress ({status})" in nothing_runs.reason
    assert judge(WEB, deploys, ONE, NOW, CRASHES).state == "deploying"


def test_a_deploy_that_does_not_end_is_a_failure_of_its_own() -> None:
    found = judge(WEB, (deploy("dep-3", "build_in_progress", "c", STUCK_S + 60.0), LIVE), ONE, NOW)
    assert (found.state, found.cause) == ("failed", "deploy_stuck")
    assert "for 61 min" in found.reason


def test_where_nothing_runs_the_latest_deploy_says_why_if_none_was_ever_live() -> None:
    assert judge(WEB, (LIVE, OLD), (), NOW).cause == "unreachable"
    never = judge(WEB, (deploy("dep-1", "build_failed", "a", 600.0),), (), NOW)
    assert (never.state, never.cause) == ("failed", "bad_deploy")
    assert "ended as build_failed" in never.reason


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ({"nonZeroExit": 3}, "crashed"),
        ({"oomKilled": {"memoryLimit": "512Mi"}}, "out_of_memory"),
        ({"earlyExit": True}, "exited"),
        ({"unhealthy": "status 500"}, "hung"),
        ({}, "crashed"),
    ],
)
def test_what_fails_again_and_again_is_told_with_why(reason: dict[str, object], cause: str) -> None:
    failures = tuple(failure(ago_s, **reason) for ago_s in (30.0, 60.0, 90.0))
    found = judge(WEB, (LIVE,), ONE, NOW, failures)
    assert (found.state, found.cause) == ("failed", cause)
    assert found.reason.startswith("it failed 3 times since it was last started, at last ")


def test_failures_count_only_from_the_last_start_and_not_for_ever() -> None:
    assert judge(WEB, (LIVE,), ONE, NOW, CRASHES[1:]).state == "well"
    for kind in ("server_restarted", "deploy_ended", "service_resumed"):
        assert judge(WEB, (LIVE,), ONE, NOW, (*CRASHES, Happening("evt", kind, time(45.0)))).state == "well"
    long_ago = tuple(failure(ago_s, nonZeroExit=1) for ago_s in (700.0, 800.0, 900.0))
    assert judge(WEB, (LIVE,), ONE, NOW, long_ago).state == "well"


@pytest.mark.parametrize(
    ("suspenders", "state", "cause", "words"),
    [
        (("user",), "suspended", "", "suspended by a person"),
        (("admin", "billing"), "suspended", "", "suspended by a person"),
        (("stuck_crashlooping",), "failed", "crashed", "crashed again and again"),
        (("user", "stuck_crashlooping"), "failed", "crashed", "crashed again and again"),
        (("billing",), "failed", "suspended", "by Render (billing)"),
    ],
)
def test_who_has_suspended_it_decides_whose_trouble_that_is(
    suspenders: tuple[str, ...], state: str, cause: str, words: str
) -> None:
    found = judge(Service("srv-1", suspended="suspended", suspenders=suspenders), (LIVE,), (), NOW)
    assert (found.state, found.cause) == (state, cause)
    assert words in found.reason


def test_what_has_no_instances_needs_none() -> None:
    for kind in ("static_site", "cron_job"):
        assert judge(Service("srv-1", type=kind), (LIVE,), (), NOW) == Condition("well")


def test_a_store_is_as_its_status_says() -> None:
    assert judge_store(Store("dpg-1", status="available")).state == "well"
    assert judge_store(Store("dpg-1", status="unavailable")).cause == "unreachable"
    assert judge_store(Store("dpg-1", status="updating_instance")).state == "deploying"
    assert judge_store(Store("red-1", status="suspended")).state == "suspended"  # it has no word of suspenders
    assert (
        judge_store(Store("dpg-1", status="suspended", suspended="suspended", suspenders=("user",))).state
        == "suspended"
    )


# --- rolling back ---


def test_a_rollback_goes_to_the_last_deploy_that_was_live_and_something_else() -> None:
    same = deploy("dep-1b", "deactivated", "b", 90_000.0)
    failed = deploy("dep-1c", "build_failed", "c", 95_000.0)
    assert previous((LIVE, same, failed, OLD)) == (LIVE, OLD)
    # What failed after it was never in its place.
    assert previous((deploy("dep-3", "build_failed", "d", 60.0), LIVE, OLD)) == (LIVE, OLD)


@pytest.mark.parametrize(
    ("deploys", "why"),
    [
        ((), "no deploy of it is live"),
        ((LIVE,), "was ever live"),
        ((LIVE, deploy("dep-1", "build_failed", "a")), "was ever live"),
        ((deploy("dep-3", "queued", "c", 10.0), LIVE, OLD), "in progress"),
        (
            (deploy("dep-3", "live", "a", 10.0, "rollback"), deploy("dep-2", "deactivated", "b"), OLD),
            "a rollback already",
        ),
    ],
)
def test_where_there_is_nothing_to_go_back_to_that_is_said(deploys: tuple[Deploy, ...], why: str) -> None:
    found = previous(deploys)
    assert isinstance(found, str)
    assert why in found


# --- whatever comes ---

statuses = st.sampled_from(
    [*sorted(IN_PROGRESS), "live", "deactivated", "build_failed", "update_failed", "of tomorrow"]
)
some_deploys = st.lists(st.builds(deploy, st.just("dep-1"), statuses, st.text("ab", max_size=1), st.floats(0.0, 9e4)))
kinds = st.sampled_from(["server_failed", "server_available", "server_restarted", "deploy_ended", "of_tomorrow"])
some_events = st.lists(
    st.builds(lambda kind, ago: Happening("evt", kind, time(ago), {"reason": None}), kinds, st.floats(0.0, 900.0))
)
services = st.builds(
    Service,
    st.just("srv-1"),
    type=st.sampled_from(["web_service", "background_worker", "static_site", "cron_job", "of_tomorrow"]),
    suspended=st.sampled_from(["suspended", "not_suspended"]),
    suspenders=st.lists(st.sampled_from(["user", "billing", "stuck_crashlooping", "unknown"])).map(tuple),
)


@given(services, some_deploys, st.integers(0, 3), some_events)
def test_whatever_is_said_a_failure_has_a_reason_and_a_cause_that_is_known(
    service: Service, deploys: list[Deploy], running: int, events: list[Happening]
) -> None:
    found = judge(service, deploys, [Instance(f"i-{number}") for number in range(running)], NOW, events)
    assert bool(found.reason) is (found.state != "well")
    assert (found.cause in CAUSES) if found.state == "failed" else not found.cause


def test_what_is_added_to_an_answer_one_day_is_left_alone() -> None:
    text = b'{"id": "srv-1", "type": "web_service", "serviceDetails": {"url": "u", "new": [1]}, "more": {}}'
    assert msgspec.json.decode(text, type=Service) == Service("srv-1", type="web_service", service_details=Details("u"))
