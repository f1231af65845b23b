"""Something will fail: is the right thing chosen, asked for, held back, done, judged and given up?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from selfheal.decide.ahead import choose_ahead, next_act
from selfheal.decide.guard import Rules
from selfheal.decide.incident import Healing
from selfheal.events import (
    AgentDeclared,
    ApprovalAnswered,
    ApprovalAsked,
    BackupMade,
    Event,
    FailurePredicted,
    FixEnded,
    FixStarted,
    HealingPaused,
    HealthChanged,
    IncidentOpened,
    MaintenanceBegan,
    StopAsked,
    UndoEnded,
    UndoStarted,
    Verified,
    WorkDone,
    WorkPlanned,
)
from selfheal.kinds import Act, Fix, Hands, Target
from selfheal.plans import Ask, Close, Hold, Judge, Plan, Rest, Step, Suggest, Undo
from selfheal.recover.free_disk import FREE_DISK
from selfheal.recover.restart import RESTART
from selfheal.recover.scale_up import SCALE_UP
from selfheal.recover.spare import REPLACE_BY_SPARE
from selfheal.vocabulary import FailureMode, Mode, Outcome
from selfheal.world import World
from selfheal.world.cases import case_of
from tests.pure.situations import NOW, after, died, failed, fleet, opened, ready, started, vitals
from tests.pure.steps import RULES, healing

DUE, UNTIL = NOW + 600.0, NOW + 1000.0


async def _nothing(hands: Hands, target: Target) -> str:
    return ""


GROW = Fix(
    "grow", "application", frozenset({"memory_leak"}), 1.0, 0.0, 60.0, (Act("grow", _nothing),), tier=2,
    undo=Act("shrink", _nothing),
)  # fmt: skip


def _foreseen(mode: FailureMode = "out_of_memory", low_s: float = 1060.0) -> FailurePredicted:
    return FailurePredicted(NOW, "api", mode, "rss", 0.9, low_s * 1.1, low_s, low_s * 1.2, 3e8, 4e8, 1e5)


def _planned(
    action: str = "restart", agent: str = "api", work: str = "work-1", cause: str = "memory_leak",
    backups: tuple[str, ...] = (), asks: bool = False,
) -> WorkPlanned:  # fmt: skip
    return WorkPlanned(
        NOW, work, agent, action, DUE, "rss grows", "out_of_memory", cause, 0.9, UNTIL, backups=backups, asks=asks
    )


def _world(*events: Event, plan: WorkPlanned | None = None) -> World:
    return after(fleet(), _foreseen(), plan or _planned(), *events)


def _step(
    world: World, now: float = DUE, *fixes: Fix, rules: Rules = RULES, work: str = "work-1",
    seen_at: float | None = None,
) -> Step:  # fmt: skip
    how = healing(*fixes, rules=rules)
    seen = vitals(world, now - 1.0 if seen_at is None else seen_at)
    return next_act(world, seen, world.foresight.work[work], world.cases[work], how, now)


def _tried(
    fix: str = "restart", outcome: Outcome = "succeeded", at: float = DUE, number: int = 1, agent: str = "api",
    work: str = "work-1",
) -> tuple[Event, Event]:  # fmt: skip
    return (
        FixStarted(at, work, number, fix, "application", agent, "memory_leak"),
        FixEnded(at + 1.0, work, number, outcome, f"{fix} {outcome}"),
    )


# --- what is chosen ---


def _chosen(world: World, cause: str, *fixes: Fix, how: Healing | None = None) -> tuple[str, bool, tuple[str, ...]]:
    found = choose_ahead(world, case_of(_planned("", cause=cause)), world.agents["api"], how or healing(*fixes), NOW)
    return (found.fix.name, found.asks, found.backups) if found is not None else ("", False, ())


def test_what_helps_against_the_cause_is_done_and_what_stands_by_is_preferred() -> None:
    assert _chosen(fleet(), "memory_leak", RESTART) == ("restart", False, ())
    assert _chosen(fleet(), "memory_leak", RESTART, REPLACE_BY_SPARE)[0] == "replace_by_spare"
    assert _chosen(fleet(), "disk_full", RESTART, FREE_DISK)[0] == "free_disk"


def test_where_nothing_helps_nothing_is_planned() -> None:
    assert _chosen(fleet(), "disk_full", RESTART) == ("", False, ())
    off = replace(RULES, mode=lambda agent, fix: "off")
    assert _chosen(fleet(), "memory_leak", how=healing(RESTART, rules=off)) == ("", False, ())


def test_what_may_break_more_than_a_restart_is_asked_for_whatever_its_mode() -> None:
    assert _chosen(fleet(), "queue_backlog", SCALE_UP) == ("scale_up", True, ())
    ask = replace(RULES, mode=lambda agent, fix: "ask")
    assert _chosen(fleet(), "memory_leak", how=healing(RESTART, rules=ask)) == ("restart", True, ())


def test_data_that_are_at_risk_are_backed_up_before_where_they_have_backups() -> None:
    data = AgentDeclared(NOW, "db", "sqlite", "data", (), ("data",), False)
    needs = AgentDeclared(NOW, "cache", "process", "application", ("db",), ("http", "process"), True)
    world = after(fleet(), data, needs)
    assert _chosen(world, "disk_full", FREE_DISK)[2] == ()
    backed_up = after(world, BackupMade(NOW, "db", "b1", NOW, 10, 10, 1.0, False))
    assert _chosen(backed_up, "disk_full", FREE_DISK)[2] == ("db",)  # api needs cache, and cache needs db
    assert _chosen(backed_up, "memory_leak", RESTART)[2] == ()


# --- when it is done, and what holds it ---


def test_it_waits_for_its_time_and_is_done_then() -> None:
    assert _step(_world(), DUE - 1.0) == Rest(DUE)
    plan = _step(_world())
    assert isinstance(plan, Plan)
    assert (plan.fix, plan.agent, plan.cause) == ("restart", "api", "memory_leak")


@pytest.mark.parametrize(
    ("events", "code"),
    [
        pytest.param([HealingPaused(NOW, None, "cli")], "paused", id="all are paused"),
        pytest.param([HealingPaused(NOW, "api", "cli")], "paused", id="it is paused"),
        pytest.param([MaintenanceBegan(NOW, "api", NOW + 9e5)], "maintenance", id="in a window"),
        pytest.param([IncidentOpened(NOW, "inc-1", "api", "check", "slow", NOW)], "duplicate", id="it is being healed"),
        pytest.param([died("cache", NOW + 1.0)], "dependency", id="what it needs is down"),
        pytest.param(
            [IncidentOpened(NOW, "inc-1", "site", "check", "slow", NOW),
             FixStarted(NOW, "inc-1", 1, "restart", "application", "site", "slow")],
            "concurrency", id="as much is done as may be",
        ),
        pytest.param([StopAsked(NOW, "api", "cli")], "precondition", id="it is stopped"),
    ],
)  # fmt: skip
def test_what_holds_a_fix_holds_it_and_once_it_is_too_late_it_is_given_up(events: list[Event], code: str) -> None:
    world = _world(*events)
    hold = _step(world)
    assert isinstance(hold, Hold)
    assert (hold.code, hold.fix) == (code, "restart")
    given_up = _step(world, UNTIL)
    assert isinstance(given_up, Close)
    assert (given_up.outcome, given_up.state) == ("rejected", "skipped")
    assert hold.reason in given_up.reason


def test_on_a_dry_run_it_is_only_said_what_would_be_done() -> None:
    hold = _step(_world(), rules=replace(RULES, dry_run=True))
    assert isinstance(hold, Hold)
    assert hold.reason == "dry run: restart would be applied to api"


def test_the_budgets_of_fixes_are_those_of_work_too() -> None:
    recent: list[Event] = [IncidentOpened(NOW, "inc-9", "api", "check", "slow", NOW)]
    for number in range(3):
        recent += [
            FixStarted(NOW + 10.0 + number, "inc-9", number, "reload", "application", "api", "slow"),
            FixEnded(NOW + 10.5 + number, "inc-9", number, "succeeded", ""),
        ]
    quiet = replace(_world(*recent), incidents={})
    hold = _step(quiet, DUE + 5.0)
    assert isinstance(hold, Hold)
    assert hold.code == "agent_budget"


def test_a_forecast_that_moved_moves_the_end_of_what_is_waited_for() -> None:
    held = _world(HealingPaused(NOW, None, "cli"))
    later = after(held, replace(_foreseen(low_s=5000.0), at=NOW + 10.0))
    assert isinstance(_step(later, UNTIL + 60.0), Hold)
    sooner = after(_world(), replace(_foreseen(low_s=100.0), at=NOW + 10.0))
    assert isinstance(_step(sooner, NOW + 105.0), Plan)  # it was due in ten minutes, and has not so long any more


def test_late_work_that_nothing_holds_is_done_all_the_same() -> None:
    assert isinstance(_step(_world(), UNTIL + 5.0), Plan)


# --- a person is asked ---

ASK = replace(RULES, mode=lambda agent, fix: "ask")


def test_a_person_is_asked_as_soon_as_it_is_planned_and_has_all_the_time_there_is() -> None:
    asked = _step(_world(), NOW + 1.0, rules=ASK)
    assert isinstance(asked, Ask)
    assert asked.until == pytest.approx(NOW + 1000.0)
    waiting = _world(ApprovalAsked(NOW + 1.0, "work-1", "restart", "api", NOW + 1000.0))
    assert _step(waiting, DUE + 1.0, rules=ASK) == Rest(NOW + 1000.0)


def test_a_yes_lets_it_be_done_at_its_time_and_a_no_gives_it_up() -> None:
    asked = _world(ApprovalAsked(NOW + 1.0, "work-1", "restart", "api", NOW + 1000.0))
    allowed = after(asked, ApprovalAnswered(NOW + 2.0, "work-1", True, "ann"))
    assert _step(allowed, NOW + 3.0, rules=ASK) == Rest(DUE)
    assert isinstance(_step(allowed, DUE, rules=ASK), Plan)
    refused = after(asked, ApprovalAnswered(NOW + 2.0, "work-1", False, "ann"))
    assert _step(refused, NOW + 3.0, rules=ASK) == Close("rejected", "skipped", "restart was rejected by ann")


def test_a_yes_holds_after_the_backup_that_was_made_before() -> None:
    world = _world(
        ApprovalAsked(NOW + 1.0, "work-1", "restart", "api", NOW + 1000.0),
        ApprovalAnswered(NOW + 2.0, "work-1", True, "ann"),
        *_tried("back_up", agent="cache"),
        Verified(DUE + 2.0, "work-1", 1, "succeeded", ""),
        plan=_planned(backups=("cache",), asks=True),
    )
    plan = _step(world, DUE + 3.0, rules=ASK)
    assert isinstance(plan, Plan)
    assert (plan.fix, plan.agent) == ("restart", "api")


def test_what_is_only_suggested_is_said_once_and_given_up() -> None:
    suggest: Mode = "suggest"
    rules = replace(RULES, mode=lambda agent, fix: suggest)
    assert isinstance(_step(_world(), rules=rules), Suggest)


# --- one after the other ---

INSTANCES: tuple[Event, ...] = tuple(
    event
    for number in range(2)
    for event in (
        AgentDeclared(NOW - 900.0, f"pool:{number}", "process", "application", (), ("http",), True),
        started(f"pool:{number}", NOW - 900.0, 1, "first"),
        ready(f"pool:{number}", NOW - 900.0, 1),
    )
)
BOTH: tuple[Event, ...] = (*INSTANCES, _planned(agent="pool:0"), _planned(agent="pool:1", work="work-2"))


def _pool(*events: Event) -> Step:
    world = after(fleet(), *BOTH, *events)
    how = replace(healing(), fixes={"pool:0": (RESTART,), "pool:1": (RESTART,)})
    seen = vitals(world, DUE + 2.0)
    return next_act(world, seen, world.foresight.work["work-2"], world.cases["work-2"], how, DUE + 3.0)


def test_the_next_instance_waits_until_the_last_is_done_and_well() -> None:
    assert isinstance(_pool(), Plan)
    begun = FixStarted(DUE, "work-1", 1, "restart", "application", "pool:0", "memory_leak")
    ended = FixEnded(DUE + 1.0, "work-1", 1, "succeeded", "done")
    for events in ([begun], [begun, ended], [died("pool:0", DUE)]):
        hold = _pool(*events)
        assert isinstance(hold, Hold)
        assert hold.code == "rolling"
    assert isinstance(_pool(begun, ended, WorkDone(DUE + 2.0, "work-1", "succeeded", "done", "done")), Plan)


# --- what becomes of it ---


def test_it_is_done_once_the_agent_is_well_after_it() -> None:
    world = _world(*_tried(), started("api", DUE + 0.5, 2, "maintenance"), ready("api", DUE + 0.7, 2))
    assert isinstance(_step(world, DUE + 2.0), Rest)
    judged = _step(world, DUE + 20.0, seen_at=DUE + 2.0)
    assert isinstance(judged, Judge)
    assert judged.verdict.outcome == "succeeded"
    assert _step(after(world, judged.verdict), DUE + 21.0) == Close("succeeded", "done", "restart succeeded")


def test_an_act_that_failed_is_taken_back_where_it_can_be_and_ends_it() -> None:
    failed = _world(*_tried("grow", "failed"), plan=_planned("grow"))
    judged = _step(failed, DUE + 2.0, GROW)
    assert isinstance(judged, Judge)
    world = after(failed, judged.verdict)
    assert _step(world, DUE + 3.0, GROW) == Undo(1)
    held = _step(after(world, HealingPaused(DUE + 2.5, None, "cli")), DUE + 3.0, GROW)
    assert isinstance(held, Hold)
    assert held.code == "paused"  # nothing is begun then, not even to take something back
    undoing = after(world, UndoStarted(DUE + 3.0, "work-1", 1))
    assert _step(undoing, DUE + 4.0, GROW) == Undo(1)
    undone = after(undoing, UndoEnded(DUE + 4.0, "work-1", 1, True, "shrunk"))
    assert _step(undone, DUE + 5.0, GROW) == Close("undone", "failed", "grow failed")
    assert undone.agents["api"].fixing is False


def test_without_a_backup_what_is_harmless_is_done_and_what_is_asked_for_is_not() -> None:
    failed = (
        *_tried("back_up", "failed", agent="cache"),
        Verified(DUE + 2.0, "work-1", 1, "failed", "no room"),
    )
    plan = _step(_world(*failed, plan=_planned(backups=("cache",))), DUE + 3.0)
    assert isinstance(plan, Plan)
    assert plan.fix == "restart"
    ended = _step(_world(*failed, plan=_planned(backups=("cache",), asks=True)), DUE + 3.0)
    assert isinstance(ended, Close)
    assert ended.state == "failed"


def test_the_backup_comes_first() -> None:
    plan = _step(_world(plan=_planned(backups=("cache",))))
    assert isinstance(plan, Plan)
    assert (plan.fix, plan.agent) == ("back_up", "cache")


def test_what_a_daemon_left_in_its_midst_is_done_again_or_judged_by_the_run_that_followed() -> None:
    interrupted = _world(*_tried(outcome="interrupted"))
    assert isinstance(_step(interrupted, DUE + 20.0), Plan)
    began_anew = after(interrupted, started("api", DUE + 2.0, 2, "first"), ready("api", DUE + 2.2, 2))
    judged = _step(began_anew, DUE + 20.0, seen_at=DUE + 3.0)
    assert isinstance(judged, Judge)
    assert judged.verdict.outcome == "succeeded"


def test_what_is_over_or_in_hand_is_left() -> None:
    begun = FixStarted(DUE, "work-1", 1, "restart", "application", "api", "memory_leak")
    assert _step(_world(begun), DUE + 1.0) == Rest()
    assert _step(_world(WorkDone(DUE, "work-1", "succeeded", "", "done")), DUE + 1.0) == Rest()


def test_work_on_what_the_configuration_no_longer_knows_is_given_up() -> None:
    ended = _step(_world(plan=_planned("purge")))
    assert ended == Close("rejected", "skipped", "purge of api is no longer in the configuration")


def test_in_a_window_nobody_says_how_an_agent_is_and_that_is_no_failure() -> None:
    restarted = (*_tried(), started("api", DUE + 0.5, 2, "maintenance"), ready("api", DUE + 0.7, 2))
    world = _world(*restarted, MaintenanceBegan(DUE + 3.0, "api", DUE + 900.0))
    assert _step(world, DUE + 300.0) == Rest(DUE + 900.0)


def test_planned_work_waits_while_much_fails_at_once_and_no_longer() -> None:
    names = ("a", "b", "c")
    declared: list[Event] = []
    for name in names:
        declared += [
            AgentDeclared(NOW - 900.0, name, "service", "application", (), ("http",), False),
            ready(name, NOW - 900.0, 0),
        ]
    storm: list[Event] = []
    for number, name in enumerate(names):
        storm += [failed(name, DUE - 5.0), opened(name, DUE - 5.0, number)]
    world = after(fleet(), *declared, _foreseen(), _planned(), *storm)
    how = replace(healing(), fixes={"api": (RESTART,)})
    work, case = world.foresight.work["work-1"], world.cases["work-1"]
    hold = next_act(world, vitals(world, DUE - 1.0, a="http", b="http", c="http"), work, case, how, DUE)
    assert isinstance(hold, Hold)
    assert hold.code == "storm"
    well = after(world, *(HealthChanged(DUE + 1.0, name, "http", True, "ok", "", DUE + 1.0) for name in names))
    assert isinstance(next_act(well, vitals(well, DUE + 2.0), work, case, how, DUE + 3.0), Plan)
