"""Is what was changed on purpose kept, with who did it and when, and nothing else?"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from selfheal.events import (
    AgentDeclared,
    ConfigReloaded,
    Event,
    FilesChanged,
    FixStarted,
    HealthChanged,
    IncidentOpened,
    ScaleAsked,
    StartAsked,
    StopAsked,
)
from selfheal.ledger import replay
from selfheal.world.changes import CHANGES_KEPT, Changed
from tests.pure.histories import histories

API = AgentDeclared(1.0, "api", "process", "application", (), ("http",), True, version="1.0")


def changes(*events: Event) -> tuple[Changed, ...]:
    return replay((API, *events)).changes


def test_another_version_is_a_deploy_and_the_first_one_is_none() -> None:
    assert changes(replace(API, at=2.0)) == ()
    assert changes(replace(API, at=2.0, version="1.1")) == (Changed(2.0, "api", "deploy", "version 1.0 became 1.1"),)


def test_a_reload_changes_each_agent_that_it_touches() -> None:
    reload = ConfigReloaded(3.0, "ada", False, added=("new",), restarted=("api",), changed=("cache",), removed=("old",))
    told = changes(reload)
    assert [(one.agent, one.kind, one.by) for one in told] == [
        ("new", "configuration", "ada"),
        ("api", "configuration", "ada"),
        ("cache", "configuration", "ada"),
    ]


def test_what_a_person_orders_and_what_is_edited_is_kept() -> None:
    told = changes(
        ScaleAsked(2.0, "api", 3, 1, "ada"),
        StopAsked(3.0, "api", "bob"),
        StartAsked(4.0, "api", "bob"),
        FilesChanged(5.0, "api", ("/srv/api/app.toml",)),
        FilesChanged(6.0, "api", ()),
    )
    assert [(one.at, one.kind, one.by) for one in told] == [
        (2.0, "scale", "ada"),
        (3.0, "stop", "bob"),
        (4.0, "restart", "bob"),
        (5.0, "configuration", ""),
    ]
    assert told[-1].title == "edited: app.toml"


def test_a_fix_is_a_change_and_a_reflex_is_none() -> None:
    began = FixStarted(3.0, "i1", 1, "clear_cache", "application", "api", "slow")
    told = changes(IncidentOpened(2.0, "i1", "api", "check", "slow", 2.0), began, replace(began, reflex=True))
    assert told == (Changed(3.0, "api", "fix", "fix clear_cache", "selfheal"),)


def test_the_oldest_are_forgotten() -> None:
    told = changes(*(ScaleAsked(float(n), "api", n, 1, "ada") for n in range(CHANGES_KEPT + 5)))
    assert len(told) == CHANGES_KEPT
    assert told[0].at == 5.0


@given(histories())
def test_what_happens_by_itself_is_no_change(events: list[Event]) -> None:
    kept = replay(event for event in events if isinstance(event, AgentDeclared | HealthChanged)).changes
    assert all(one.kind == "deploy" for one in kept)
