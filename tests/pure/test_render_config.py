"""Is what is written of a service at Render refused where it cannot be, and does it get the fixes that fit it?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from selfheal.agents import AGENT_KINDS
from selfheal.compose.fleet import AgentPlan, Fleet
from selfheal.config.load import Overrides, load
from selfheal.errors import ConfigInvalid, Problem
from selfheal.observe import CHECKS
from selfheal.observe.render import RenderCheckConfig
from selfheal.recover import FIXES

WITH_KEY = {"RENDER_API_KEY": "rnd_key"}
DEPLOYED = ["cancel_deploy", "roll_back_deploy", "redeploy", "redeploy_clear_cache"]


def written(service: str, more: str = "") -> str:
    return f'[agents.web]\nkind = "render"\nservice = "{service}"\n{more}\n'


def planned(folder: Path, text: str, environment: Mapping[str, str] = WITH_KEY) -> AgentPlan:
    file = folder / "selfheal.toml"
    file.write_text(text)
    agents, checks = ({kind.name: kind.model for kind in kinds} for kinds in (AGENT_KINDS, CHECKS))
    models = {fix.name: fix.settings for fix in FIXES}
    found = load(file, environment, Overrides(), agents, checks, fix_models=models)  # type: ignore[arg-type]
    return Fleet(found, AGENT_KINDS, CHECKS, FIXES, environment, lambda name: {}).plans["web"]


def problem(folder: Path, text: str, environment: Mapping[str, str] = WITH_KEY) -> Problem:
    with pytest.raises(ConfigInvalid) as refused:
        planned(folder, text, environment)
    (found,) = refused.value.problems
    return found


def test_without_a_key_nothing_is_started(tmp_path: Path) -> None:
    for environment in ({}, {"RENDER_API_KEY": "  "}):
        found = problem(tmp_path, written("srv-1"), environment)
        assert (found.line, found.key) == (2, "agents.web.kind")
        assert "needs RENDER_API_KEY, which is not set" in found.wrong
        assert "set RENDER_API_KEY in the daemon's environment" in found.right


@pytest.mark.parametrize(
    ("variable", "value", "wrong"),
    [
        ("RENDER_API_KEY", "rnd_two words", "no header can carry"),
        ("RENDER_API_KEY", "rnd_naïve", "no header can carry"),
        ("RENDER_API_URL", "api.render.com/v1", "may go"),
        ("RENDER_API_URL", "http://api.render.com/v1", "may go"),
        ("RENDER_API_URL", "https://me:hunter2@api.render.com/v1", "may go"),
        ("RENDER_API_URL", "http://[::1/v1", "may go"),
    ],
)
def test_the_key_goes_nowhere_in_clear(tmp_path: Path, variable: str, value: str, wrong: str) -> None:
    found = problem(tmp_path, written("srv-1"), {**WITH_KEY, variable: value})
    assert (found.key, wrong in found.wrong) == ("agents.web.kind", True)
    assert value not in str(found)


@pytest.mark.parametrize("url", ["", "https://api.render.com/v1", "http://127.0.0.1:4010/v1", "http://[::1]:1/v1"])
def test_the_api_may_be_elsewhere(tmp_path: Path, url: str) -> None:
    assert planned(tmp_path, written("srv-1"), {**WITH_KEY, "RENDER_API_URL": url}).name == "web"


def test_nobody_heals_the_service_that_the_daemon_is_itself(tmp_path: Path) -> None:
    found = problem(tmp_path, written("srv-1"), {**WITH_KEY, "RENDER_SERVICE_ID": "srv-1"})
    assert (found.line, found.key) == (3, "agents.web.service")
    assert "'srv-1' is the service that this daemon is itself (RENDER_SERVICE_ID)" in found.wrong
    assert planned(tmp_path, written("srv-1"), {**WITH_KEY, "RENDER_SERVICE_ID": "srv-2"}).name == "web"


@pytest.mark.parametrize("service", ["", "web", "srv_1", "srv-", "dep-1", "srv-1/restart", "srv-1?x", "https://srv-1"])
def test_what_is_no_id_of_renders_is_refused(tmp_path: Path, service: str) -> None:
    found = problem(tmp_path, written(service))
    assert found.key == "agents.web.service"
    assert "is no id of Render's" in found.wrong
    assert "'srv-…'" in found.right


@pytest.mark.parametrize(
    ("service", "fixes"),
    [
        ("srv-1", ["restart_service", *DEPLOYED, "resume_service"]),
        ("crn-1", [*DEPLOYED, "resume_service"]),
        ("dpg-1", ["resume_service", "restart_database", "failover_database"]),
        ("red-1", ["resume_service"]),
    ],
)
def test_each_of_renders_kinds_has_the_fixes_that_can_be_done_to_it(
    tmp_path: Path, service: str, fixes: list[str]
) -> None:
    plan = planned(tmp_path, written(service))
    assert [fix.name for fix in plan.fixes] == fixes
    assert plan.kind.layer == "infrastructure"
    assert plan.launch is None


def test_more_instances_are_for_a_service_that_is_told_how_many(tmp_path: Path) -> None:
    scaling = "healing.scale_service = { most = 4 }"
    assert planned(tmp_path, written("srv-1", scaling)).fixes[-1].name == "scale_service"
    found = problem(tmp_path, written("dpg-1", scaling))
    assert found.key == "agents.web.healing.scale_service"
    assert "only a service at Render" in found.wrong


def test_what_a_person_may_have_meant_is_changed_after_a_yes_alone() -> None:
    modes = {fix.name: fix.mode for fix in FIXES if fix.layer == "infrastructure"}
    asking = {name for name, mode in modes.items() if mode == "ask"}
    assert asking == {"resume_service", "scale_service", "failover_database"}


def test_the_check_is_there_whether_or_not_it_is_written(tmp_path: Path) -> None:
    (check,) = planned(tmp_path, written("srv-1", 'interval = "2m"')).checks
    assert isinstance(check, RenderCheckConfig)
    assert (check.name, check.interval, check.timeout, check.fall) == ("render", 120.0, 30.0, 2)
    own = 'checks = [{ http = "https://web.example.org/up" }, { render = true, interval = 30 }]'
    assert [one.name for one in planned(tmp_path, written("srv-1", own)).checks] == ["http", "render"]
