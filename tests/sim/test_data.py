"""Are data put right while nobody writes them, and is nothing done twice that must not be?"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from selfheal.data.asset import Health
from selfheal.data.own import OWN
from selfheal.errors import FixFailed, RefusedByPolicy
from selfheal.events import (
    ActStarted,
    AgentExited,
    AgentHeld,
    AgentReleased,
    AgentStarted,
    BackupFailed,
    BackupMade,
    BackupVerified,
    DataAccepted,
    DataRestored,
    FixStarted,
)
from tests.sim.fleets import agent
from tests.sim.rehearsal import Rehearsal, rehearse

LEDGER = """
[agents.ledger]
kind = "sqlite"
path = "ledger.db"
interval = 5
"""
# A fleet that is hardly ever asked, for stories that last for days.
QUIET = LEDGER.replace("interval = 5", "interval = 300") + 'backup = { every = "1h" }\n'
SHOP = LEDGER + 'backup = { every = "1h" }\n' + agent("shop", "ledger") + agent("web", "shop") + agent("other")
THOROUGH = LEDGER.replace("interval = 5", 'interval = 30\nthorough = "1h"') + 'backup = { every = "7d" }\n'
DAMAGED = Health("page 7 is damaged", "corrupted")
DAY_S = 86_400.0


async def _backed_up(r: Rehearsal) -> None:
    await r.all_healthy()
    await r.until(lambda: bool(r.seen(BackupMade, "ledger")))


def test_the_writers_are_stopped_while_damaged_data_are_put_right_and_nobody_else(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await _backed_up(r)
        others = {name: r.pid(name) for name in ("web", "other")}
        r.machine.data.damage["ledger"] = DAMAGED
        await r.until(lambda: bool(r.seen(AgentHeld)))
        await r.until(lambda: r.pid("shop") is None)
        assert r.agent("shop").state == "recovering"
        incident = await r.healed("ledger")
        assert [one.fix for one in incident.attempts] == ["salvage_data"]
        await r.all_healthy()
        assert {name: r.pid(name) for name in others} == others
        assert [job for who, job in r.machine.data.done if job in ("prepare", "swap", "mend")] == ["prepare", "swap"]
        held, stopped, released = r.seen(AgentHeld)[0], r.seen(AgentExited, "shop")[0], r.seen(AgentReleased)[0]
        (restored,) = r.seen(DataRestored)
        assert held.at <= stopped.at <= restored.at <= released.at <= r.seen(AgentStarted, "shop")[-1].at
        assert (restored.source, restored.words) == ("salvage", "1 row")
        assert (restored.lost, restored.aside) == ({"rows": 1.0}, "ledger.damaged")
        assert not r.incidents("shop")

    rehearse(tmp_path, SHOP, story)


def test_where_nothing_can_be_salvaged_the_newest_backup_is_put_in_place(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await _backed_up(r)
        r.machine.data.no_salvage = "nothing can be read"
        r.machine.data.damage["ledger"] = DAMAGED
        incident = await r.healed("ledger")
        assert [(one.fix, one.outcome) for one in incident.attempts] == [
            ("salvage_data", "failed"),
            ("restore_backup", "succeeded"),
        ]
        (restored,) = r.seen(DataRestored)
        assert restored.source == r.machine.data.backups["ledger"][0].id
        assert restored.lost_s is not None
        await r.all_healthy()

    rehearse(tmp_path, SHOP, story)


@pytest.mark.parametrize("act", ["stop the writers", "salvage what can still be read", "put the sound data in place"])
@pytest.mark.parametrize("later_s", [0.0, 0.3, 1.9])
def test_a_crash_in_any_act_of_a_recovery_is_gone_on_with_and_no_writer_runs_meanwhile(
    tmp_path: Path, act: str, later_s: float
) -> None:
    async def story(r: Rehearsal) -> None:
        await _backed_up(r)
        r.machine.data.damage["ledger"] = DAMAGED
        await r.until(lambda: any(one.act == act for one in r.seen(ActStarted)))
        await r.wait(later_s)
        held = bool(r.agent("shop").held_for)
        await r.crash()
        swapped = "ledger" not in r.machine.data.damage
        await r.boot()
        if held and not swapped:
            assert r.pid("shop") is None or r.agent("shop").run is not None
            assert r.agent("shop").held_for == "ledger"
        incident = await r.healed("ledger")
        await r.all_healthy()
        assert "ledger" not in r.machine.data.damage
        assert r.machine.alive("shop") == 1
        assert not r.agent("shop").held_for
        swaps = [job for who, job in r.machine.data.done if job == "swap"]
        assert len(swaps) == 1, incident.attempts
        assert not [one for one in r.seen(FixStarted) if one.fix == "restart"]

    rehearse(tmp_path, SHOP, story)


def test_a_writer_that_is_held_is_not_started_by_anybody_before_the_data_are_put_right(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await _backed_up(r)
        r.machine.data.damage["ledger"] = DAMAGED
        await r.until(lambda: r.agent("shop").held_for == "ledger" and r.pid("shop") is None)
        with pytest.raises(FixFailed, match="it is stopped for the sake of ledger"):
            await r.daemon.control.start("shop", "ann")
        await r.healed("ledger")
        await r.all_healthy()

    rehearse(tmp_path, SHOP, story)


def test_a_writer_that_a_person_stops_meanwhile_stays_stopped(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await _backed_up(r)
        r.machine.data.damage["ledger"] = DAMAGED
        await r.until(lambda: r.agent("shop").held_for == "ledger")
        await r.daemon.control.stop("shop", "ann")
        await r.healed("ledger")
        await r.wait(60.0)
        assert r.agent("shop").state == "stopped"
        assert not r.agent("shop").held_for

    rehearse(tmp_path, SHOP, story)


def test_where_the_file_says_that_a_person_heals_nothing_is_done_and_he_is_told(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await _backed_up(r)
        r.machine.data.damage["ledger"] = DAMAGED
        await r.until(lambda: bool(r.incidents("ledger")) and r.incident("ledger").state == "escalated")
        await r.wait(600.0)
        assert not r.seen(AgentHeld)
        assert not r.incident("ledger").attempts
        assert len(r.inbox.alerts) == 1

    rehearse(tmp_path, SHOP.replace("interval = 5\n", "interval = 5\nheal = false\n"), story)


def test_nothing_is_done_to_data_while_healing_is_paused(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await _backed_up(r)
        await r.daemon.control.pause(None, "ann")
        r.machine.data.damage["ledger"] = DAMAGED
        await r.wait(300.0)
        assert not r.seen(AgentHeld)
        await r.daemon.control.resume(None, "ann")
        await r.healed("ledger")

    rehearse(tmp_path, SHOP, story)


def test_damage_that_no_fix_is_meant_for_is_a_persons_affair(tmp_path: Path) -> None:
    """A fix of data against another cause than its own would do harm."""

    async def story(r: Rehearsal) -> None:
        await _backed_up(r)
        r.machine.data.damage["ledger"] = Health("its rows are fewer than before", "replica_behind")
        await r.until(lambda: bool(r.incidents("ledger")) and r.incident("ledger").state == "escalated")
        assert not r.incident("ledger").attempts
        assert "it is no help against replica_behind" in r.incident("ledger").reason

    rehearse(tmp_path, SHOP, story)


def test_backups_are_made_in_time_and_an_old_one_is_proved_each_day(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(DAY_S * 1.5)
        made = [one.at for one in r.seen(BackupMade, "ledger")]
        assert len(made) == 36
        assert all(3590.0 < later - before < 3620.0 for before, later in pairwise(made))

    rehearse(tmp_path, QUIET, story)


def test_an_old_backup_is_proved_though_no_new_one_is_due(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(DAY_S * 2.5)
        assert len(r.seen(BackupMade, "ledger")) == 1
        assert len(r.seen(BackupVerified, "ledger")) == 2

    rehearse(tmp_path, QUIET.replace('"1h"', '"7d"'), story)


def test_backups_that_fail_are_one_alert_and_one_more_when_they_work_again(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.data.fails["backup"] = "the disk is full"
        await r.wait(3600.0 * 5)
        assert len(r.seen(BackupFailed)) > 10
        assert [alert.resolved for alert in r.inbox.alerts if alert.agent == "ledger"] == [False]
        del r.machine.data.fails["backup"]
        await r.wait(600.0)
        assert [alert.resolved for alert in r.inbox.alerts if alert.agent == "ledger"] == [False, True]

    rehearse(tmp_path, SHOP, story)


def test_damaged_data_are_not_backed_up(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await _backed_up(r)
        r.machine.data.damage["ledger"] = DAMAGED
        await r.until(lambda: bool(r.incidents("ledger")))
        with pytest.raises(RefusedByPolicy, match="its data are not sound: page 7 is damaged"):
            await r.daemon.data.custody.back_up("ledger")
        await r.wait(DAY_S)
        assert len(r.seen(BackupMade, "ledger")) == 1

    rehearse(tmp_path, QUIET.replace("interval = 300\n", "interval = 300\nheal = false\n"), story)


def test_a_person_restores_a_backup_and_the_writers_wait(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await _backed_up(r)
        before = r.pid("shop")
        (backup,) = r.machine.data.backups["ledger"]
        restored = await r.daemon.data.custody.restore("ledger", backup.id, "ann")
        assert (restored.by, restored.source) == ("ann", backup.id)
        await r.all_healthy()
        assert r.pid("shop") not in (None, before)
        await r.until(lambda: bool(r.inbox.alerts))
        assert [alert.title for alert in r.inbox.alerts] == [
            f"the data of ledger were restored from the backup {backup.id}"
        ]

    rehearse(tmp_path, SHOP, story)


def test_a_look_at_every_byte_takes_its_time_beside_the_check_and_what_it_finds_is_healed(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        r.machine.data.thorough_s = 600.0  # longer than any check may take
        await _backed_up(r)
        await r.wait(610.0)
        assert ("ledger", "looked through") in r.machine.data.done
        r.machine.data.hidden["ledger"] = DAMAGED
        await r.wait(3500.0)
        assert not r.incidents("ledger")
        await r.wait(1500.0)
        (attempt,) = r.incident("ledger").attempts
        assert (attempt.fix, attempt.outcome) == ("salvage_data", "succeeded")
        await r.wait(7200.0)
        assert r.incident("ledger").over

    rehearse(tmp_path, THOROUGH, story)


def test_what_a_person_accepts_is_damaged_no_more(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await _backed_up(r)
        r.machine.data.hidden["ledger"] = DAMAGED
        await r.wait(4000.0)
        assert r.agent("ledger").state == "unhealthy"
        assert await r.daemon.data.custody.accept("ledger", "ann") == "accepted"
        await r.wait(100.0)
        assert r.agent("ledger").state == "healthy"
        assert [one.by for one in r.seen(DataAccepted)] == ["ann"]

    rehearse(tmp_path, THOROUGH + "heal = false\n", story)


def test_our_own_state_is_backed_up_once_a_day_and_never_put_back_under_our_feet(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(DAY_S * 2.1)
        made = r.seen(BackupMade, OWN)
        assert len(made) == 3
        with pytest.raises(RefusedByPolicy, match="--to DIR"):
            await r.daemon.data.custody.restore(OWN, made[0].backup, "ann")

    rehearse(tmp_path, agent("other", checked=False), story)


def test_our_own_state_is_not_backed_up_where_the_file_says_so(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(DAY_S * 2.1)
        assert not r.seen(BackupMade)

    rehearse(tmp_path, "[backup]\nown_state = false\n" + agent("other", checked=False), story)
