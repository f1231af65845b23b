"""From the signals of a whole fleet to what a person sees: is one thing one anomaly, and what is expected none?"""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal.compose.alarms import Alarms
from selfheal.detect.suppression import SETTLE_S
from selfheal.errors import RefusedByPolicy, UnknownName
from selfheal.events import (
    AnomalyDismissed,
    AnomalyEased,
    AnomalyJoined,
    AnomalyOver,
    AnomalySeen,
    AnomalySuppressed,
    Diagnosed,
    LevelShifted,
)
from selfheal.rehearse.machine import Program
from selfheal.rehearse.virtual import EPOCH
from selfheal.serve.views.anomalies import anomalies
from selfheal.serve.views.fleet import summary
from tests.sim.fleets import agent
from tests.sim.rehearsal import Rehearsal, rehearse

SHOP = agent("db") + agent("api", "db") + agent("web", "api") + agent("cron")
PROGRAMS = {"api": Program(needs=("db",)), "web": Program(needs=("api",))}
# Fifty samples of a check each five seconds: what is normal is known by then.
WARM_S = 400.0
# A maintenance window that begins a minute or two after that.
WINDOW = "8 8 * * *"


def calm(r: Rehearsal) -> None:
    for name in r.world.agents:
        r.machine.own_s[name] = 0.02
        r.machine.cores[name] = 0.1


async def warm(r: Rehearsal) -> None:
    calm(r)
    await r.all_healthy()
    await r.wait(WARM_S)
    assert r.seen(AnomalySeen) == []


def slow_database(r: Rehearsal, by_s: float = 0.3) -> None:
    """Everybody waits for it, and works on what has piled up."""
    r.machine.own_s["db"] = by_s
    for name in ("db", "api", "web"):
        r.machine.cores[name] = 0.9


def test_a_dependency_that_slows_down_shows_in_six_signals_of_three_agents_and_is_one_anomaly(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await warm(r)
        began = r.clock.now()
        slow_database(r)
        await r.until(lambda: len(r.seen(AnomalyJoined)) == 5)
        (shown,) = anomalies(r.world, r.clock.now())
        assert shown.agents == ["db", "api", "web"]
        assert {(one.agent, one.signal) for one in shown.signals} == {
            (name, signal) for name in ("db", "api", "web") for signal in ("latency", "cpu")
        }
        assert all(one.direction == "up" for one in shown.signals)
        assert shown.level == "high"
        (seen,) = r.seen(AnomalySeen)
        assert seen.since is not None
        assert began <= seen.since <= began + 10.0 < seen.at + 10.0
        known = summary(r.world, r.clock.now(), loops={}, scorecard={}, ready=True, trouble=None).anomalies
        assert (known.open, known.last_hour) == (1, 1)
        calm(r)
        await r.until(lambda: bool(r.seen(AnomalyOver)))
        assert len(r.seen(AnomalyEased)) == 5
        assert r.world.anomalies.seen == 1
        assert r.world.incidents == {}

    rehearse(tmp_path, SHOP, story, PROGRAMS)


def test_a_person_is_told_of_what_matters_much_once_and_that_it_is_over(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await warm(r)
        r.machine.own_s["cron"] = 0.08  # matters too little
        await r.until(lambda: bool(r.seen(AnomalySeen)))
        await r.wait(60.0)
        assert r.inbox.alerts == []
        slow_database(r)
        await r.until(lambda: bool(r.inbox.alerts))
        (alert,) = r.inbox.alerts
        assert (alert.agent, alert.severity, alert.anomaly) == ("db", "info", "ano-2")
        assert "not as usual" in alert.title
        assert "db: latency 300 ms, usually 20" in alert.text
        calm(r)
        await r.until(lambda: len(r.inbox.alerts) == 2)
        assert r.inbox.alerts[1].resolved
        await r.wait(300.0)
        slow_database(r)  # within the hour: it is on the page, and wakes nobody again
        await r.until(lambda: len(r.seen(AnomalySeen)) == 3)
        await r.wait(120.0)
        assert len(r.inbox.alerts) == 2

    rehearse(tmp_path, SHOP, story, PROGRAMS)


def test_in_maintenance_nothing_is_raised_and_what_outlasts_it_is(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await warm(r)
        await r.until(lambda: r.agent("db").maintenance_until is not None)
        slow_database(r)
        await r.wait(120.0)
        assert r.seen(AnomalySeen) == []
        assert {one.reason for one in r.seen(AnomalySuppressed)} == {"maintenance"}
        assert r.world.anomalies.counted["maintenance"] == len(r.seen(AnomalySuppressed)) >= 5
        calm(r)
        r.machine.own_s["db"] = 0.3
        await r.until(lambda: bool(r.seen(AnomalySeen)), within_s=400.0)
        await r.wait(30.0)
        assert r.agent("db").maintenance_until is None
        (seen,) = r.seen(AnomalySeen)
        assert seen.after == "maintenance"
        assert seen.since is not None
        assert seen.at - seen.since > 120.0  # since it began, and not since the end of maintenance
        (shown,) = anomalies(r.world, r.clock.now())
        assert set(shown.agents) == {"db", "api", "web"}

    window = f'[[guard.maintenance]]\nagents = ["db"]\ncron = "{WINDOW}"\nminutes = 5\n'
    rehearse(tmp_path, SHOP + window, story, PROGRAMS)


def test_what_comes_of_our_own_restart_is_not_raised_and_what_stays_is_told_when_it_should_have_settled(
    tmp_path: Path,
) -> None:
    async def story(r: Rehearsal) -> None:
        await warm(r)
        restarted = r.clock.now()
        await r.daemon.control.restart("db", "ann")
        slow_database(r)  # its caches are empty
        await r.wait(60.0)
        calm(r)
        r.machine.cores["api"] = 0.9  # and this stays
        await r.wait(60.0)
        assert r.seen(AnomalySeen) == []
        assert {one.reason for one in r.seen(AnomalySuppressed)} == {"own_act"}
        assert all("db" in one.why for one in r.seen(AnomalySuppressed))
        await r.until(lambda: bool(r.seen(AnomalySeen)), within_s=SETTLE_S)
        (seen,) = r.seen(AnomalySeen)
        assert (seen.agent, seen.signal, seen.after) == ("api", "cpu", "own_act")
        assert seen.at >= restarted + SETTLE_S
        await r.wait(60.0)
        assert r.seen(AnomalyJoined) == []

    rehearse(tmp_path, SHOP, story, PROGRAMS)


@pytest.mark.parametrize("crashes", [False, True])
def test_what_is_kept_back_while_the_daemon_is_exchanged_is_raised_as_if_it_had_not_been(
    tmp_path: Path, crashes: bool
) -> None:
    async def story(r: Rehearsal) -> None:
        await warm(r)
        restarted = r.clock.now()
        await r.daemon.control.restart("db", "ann")
        await r.wait(10.0)
        r.machine.cores["api"] = 0.9
        await r.until(lambda: bool(r.seen(AnomalySuppressed)))
        (kept,) = r.seen(AnomalySuppressed)
        await (r.crash() if crashes else r.stop())
        await r.boot()
        await r.until(lambda: bool(r.seen(AnomalySeen)), within_s=SETTLE_S)
        (seen,) = r.seen(AnomalySeen)
        assert (seen.agent, seen.signal, seen.since, seen.after) == ("api", "cpu", kept.since, "own_act")
        assert seen.at >= restarted + SETTLE_S
        assert r.seen(AnomalySuppressed) == [kept]

    rehearse(tmp_path, SHOP + '[daemon]\non_stop = "leave"', story, PROGRAMS)


def test_who_was_restarted_may_have_another_level_and_that_is_told_and_is_no_anomaly(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await warm(r)
        restarted = r.clock.now()
        await r.daemon.control.restart("db", "ann")
        r.machine.cores["db"] = 0.9
        await r.until(lambda: bool(r.seen(LevelShifted)), within_s=900.0)
        (level,) = r.seen(LevelShifted)
        assert (level.agent, level.signal, level.why) == ("db", "cpu", "start")
        assert abs(level.since - restarted) < 5.0
        assert level.value > 4.0 * level.expected
        assert r.seen(AnomalySeen) == []
        assert r.world.anomalies.levels == {("db", "cpu"): level}

    rehearse(tmp_path, SHOP, story, PROGRAMS)


def test_the_dismissed_does_not_come_again_also_after_a_crash_and_a_larger_one_does(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await warm(r)
        r.machine.own_s["cron"] = 0.08
        await r.until(lambda: bool(r.seen(AnomalySeen)))
        await r.daemon.control.dismiss("ano-1", "ann")
        with pytest.raises(RefusedByPolicy, match="dismissed by ann"):
            await r.daemon.control.dismiss("ano-1", "ben")
        calm(r)
        await r.until(lambda: bool(r.seen(AnomalyOver)))
        await r.crash()
        await r.boot()
        await r.wait(WARM_S)
        r.machine.own_s["cron"] = 0.08  # the same again
        await r.until(lambda: bool(r.seen(AnomalySuppressed)))
        (kept,) = r.seen(AnomalySuppressed)
        assert (kept.reason, kept.why) == ("dismissed", "ano-1 was dismissed by ann")
        await r.wait(120.0)
        assert len(r.seen(AnomalySeen)) == 1
        r.machine.own_s["cron"] = 1.5  # and much further out, without a pause
        await r.until(lambda: len(r.seen(AnomalySeen)) == 2)
        assert r.seen(AnomalySeen)[1].after == "dismissed"
        calm(r)
        await r.until(lambda: len(r.seen(AnomalyOver)) == 2)

    rehearse(tmp_path, SHOP, story)


def test_what_is_dismissed_while_it_lasts_is_told_anew_only_where_it_goes_far_beyond(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await warm(r)
        r.machine.own_s["cron"] = 0.08
        await r.until(lambda: bool(r.seen(AnomalySeen)))
        await r.daemon.control.dismiss("ano-1", "ann")
        r.machine.own_s["cron"] = 0.1
        await r.wait(60.0)
        assert len(r.seen(AnomalySeen)) == 1
        r.machine.own_s["cron"] = 0.9
        await r.until(lambda: len(r.seen(AnomalySeen)) == 2)
        calm(r)
        await r.until(lambda: len(r.seen(AnomalyOver)) == 2)
        assert not any(one.lasts for one in r.world.anomalies.known.values())

    rehearse(tmp_path, SHOP, story)


def test_a_dismissal_that_is_taken_back_counts_no_more(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await warm(r)
        with pytest.raises(UnknownName):
            await r.daemon.control.dismiss("ano-1", "ann")
        r.machine.own_s["cron"] = 0.08
        await r.until(lambda: bool(r.seen(AnomalySeen)))
        with pytest.raises(RefusedByPolicy):
            await r.daemon.control.restore("ano-1", "ann")
        await r.daemon.control.dismiss("ano-1", "ann")
        calm(r)
        await r.until(lambda: bool(r.seen(AnomalyOver)))
        await r.daemon.control.restore("ano-1", "ann")
        await r.wait(300.0)
        r.machine.own_s["cron"] = 0.08
        await r.until(lambda: len(r.seen(AnomalySeen)) == 2)
        assert len(r.seen(AnomalyDismissed)) == 1

    rehearse(tmp_path, SHOP, story)


def test_anomalies_go_on_in_the_next_daemon_and_end_there_and_numbers_go_on(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await warm(r)
        r.machine.own_s["cron"] = 0.08
        await r.until(lambda: bool(r.seen(AnomalySeen)))
        await r.crash()
        await r.boot()
        await r.wait(60.0)
        assert r.seen(AnomalyOver) == []
        calm(r)
        await r.until(lambda: bool(r.seen(AnomalyOver)))
        assert [one.anomaly for one in r.seen(AnomalyOver)] == ["ano-1"]
        await r.wait(WARM_S)
        r.machine.own_s["cron"] = 0.08
        await r.until(lambda: len(r.seen(AnomalySeen)) == 2)
        assert r.seen(AnomalySeen)[1].anomaly == "ano-2"

    rehearse(tmp_path, SHOP, story)


def test_an_agent_that_leaves_is_part_of_nothing_any_more(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await warm(r)
        slow_database(r)
        await r.until(lambda: len(r.seen(AnomalyJoined)) == 5)
        r.write(agent("db") + agent("api", "db") + agent("cron"))
        await r.daemon.control.reload("ann")
        await r.until(lambda: len(r.seen(AnomalyEased)) == 2)
        assert {one.agent for one in r.seen(AnomalyEased)} == {"web"}
        assert isinstance(r.daemon.alarms, Alarms)

    rehearse(tmp_path, SHOP, story, PROGRAMS)


def test_a_quiet_fleet_has_none_for_hours(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await warm(r)
        await r.wait(4 * 3600.0)
        assert r.clock.now() > EPOCH + 4 * 3600.0
        assert (r.seen(AnomalySeen), r.seen(AnomalySuppressed)) == ([], [])

    rehearse(tmp_path, SHOP, story, PROGRAMS)


def test_what_was_out_of_line_before_an_incident_is_evidence_for_its_cause(tmp_path: Path) -> None:
    checked = 'checks = [{ sim = "it answers", interval = 5, timeout = 5, fall = 3, rise = 2, slower_than = 1.0 }]'
    fleet = agent("db") + agent("api", "db", checked=False, more=checked)

    async def story(r: Rehearsal) -> None:
        await warm(r)
        r.machine.own_s["db"] = 0.4
        await r.until(lambda: bool(r.seen(AnomalyJoined)))
        await r.wait(60.0)
        assert r.world.incidents == {}
        r.machine.own_s["db"] = 1.5
        await r.until(lambda: bool(r.seen(Diagnosed)))
        causes = r.seen(Diagnosed)[0].causes
        (below,) = (one for one in causes if (one.slug, one.agent) == ("slow_dependency", "db"))
        assert "anomaly" in below.channels
        assert any(text.startswith("db: latency went to") for text in below.evidence)

    rehearse(tmp_path, fleet, story, {"api": Program(needs=("db",))})
