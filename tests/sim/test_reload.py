"""Does a running daemon take to another configuration by touching only what is different?"""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from selfheal.errors import ConfigInvalid
from selfheal.events import (
    AgentDeclared,
    AgentExited,
    AgentReady,
    AgentRemoved,
    AgentStarted,
    ConfigReloaded,
    HealthChanged,
)
from selfheal.rehearse.machine import Program
from tests.sim.fleets import CHECKED, SHOP, SHOP_NAMES, agent, service, several
from tests.sim.rehearsal import Rehearsal, rehearse

WHO = "a person"


def test_an_unchanged_file_touches_nothing(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        before, told = r.pids(), len(r.told)
        done = await r.daemon.control.reload(WHO)
        assert done.unchanged == SHOP_NAMES
        assert r.pids() == before
        (event,) = r.told[told:]
        assert isinstance(event, ConfigReloaded)
        assert (event.unchanged, event.added, event.restarted, event.settings) == (4, (), (), ())

    rehearse(tmp_path, SHOP, story)


def test_a_bad_file_changes_nothing_and_says_all_that_is_wrong(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        before, told = r.pids(), len(r.told)
        r.write(SHOP + '[agents.new]\ncommand = "new"\nnonsense = 1\ndepends_on = ["nobody"]')
        with pytest.raises(ConfigInvalid) as wrong:
            await r.daemon.control.reload(WHO)
        assert {problem.key for problem in wrong.value.problems} == {"agents.new.nonsense", "agents.new.depends_on[0]"}
        assert (r.pids(), r.told[told:]) == (before, [])
        r.write(SHOP)
        assert (await r.daemon.control.reload(WHO)).unchanged == SHOP_NAMES

    rehearse(tmp_path, SHOP, story)


def test_what_is_new_starts_in_order_and_what_is_gone_ends_in_reverse(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        before, told = r.pids(), len(r.told)
        r.write(agent("cache") + agent("mailer", "cache") + agent("front", "back") + agent("back", "cache"))
        done = await r.daemon.control.reload(WHO)
        assert (done.added, done.removed, done.unchanged) == (("front", "back"), ("web", "api"), ("cache", "mailer"))
        await r.all_healthy()
        news = r.told[told:]
        gone = [event.agent for event in news if isinstance(event, AgentExited | AgentRemoved)]
        assert gone == ["web", "web", "api", "api"]
        assert all(event.expected for event in news if isinstance(event, AgentExited))
        came = [event.agent for event in news if isinstance(event, AgentStarted | AgentReady)]
        assert came == ["back", "back", "front", "front"]
        assert [event.agent for event in news if isinstance(event, AgentDeclared)] == ["front", "back"]
        assert {name: r.pid(name) for name in ("cache", "mailer")} == {
            name: before[name] for name in ("cache", "mailer")
        }
        assert (r.machine.alive("web"), r.machine.alive("api"), r.world.incidents) == (0, 0, {})

    rehearse(tmp_path, SHOP, story)


def test_what_is_started_in_another_way_is_restarted_alone_and_waited_for(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        before = r.pids()
        r.write(SHOP.replace('command = "api"', 'command = "api --fast"'))
        done = await r.daemon.control.reload(WHO)
        assert (done.restarted, done.failed) == (("api",), {})
        assert r.agent("api").ready, "the answer comes when it is"
        assert [start.reason for start in r.seen(AgentStarted, "api")] == ["first", "reload"]
        assert {name for name, pid in r.pids().items() if pid != before[name]} == {"api"}
        assert r.agent("api").restarts == 0
        r.machine.kill("api")
        await r.healed("api")

    rehearse(tmp_path, SHOP, story)


def test_checks_are_replaced_without_touching_the_process(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        before = r.pids()
        checks = 'checks = [{ sim = "it answers", interval = 1, timeout = 0.5, fall = 1, rise = 1, name = "quick" }]'
        r.write(SHOP.replace(agent("mailer", "cache"), agent("mailer", "cache").replace(CHECKED, checks)))
        done = await r.daemon.control.reload(WHO)
        assert (done.changed, r.pids()) == (("mailer",), before)
        assert r.agent("mailer").checks == ("quick", "process")
        await r.wait(2.0)
        assert set(r.daemon.vitals.checks("mailer")) == {"quick", "process"}
        assert r.daemon.vitals.check("mailer", "quick").settled
        r.machine.hang("mailer")
        assert await r.until(lambda: bool(r.seen(HealthChanged, "mailer"))) < 2.5, "looked at each second now"

    rehearse(tmp_path, SHOP, story)


def test_a_restart_policy_and_the_guard_are_taken_as_they_are_asked_for(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        before = r.pids()
        never = agent("mailer", "cache", more='restart = "never"')
        r.write(
            SHOP.replace(agent("mailer", "cache"), never) + "[guard]\ndry_run = true\n[daemon]\nlisten = '127.0.0.1:1'"
        )
        done = await r.daemon.control.reload(WHO)
        assert (done.changed, done.settings, done.pending) == (("mailer",), ("guard.dry_run",), ("daemon.listen",))
        assert (r.pids(), r.world.dry_run) == (before, True)
        r.machine.kill("api")
        await r.wait(60.0)
        assert r.machine.alive("api") == 0, "it is only said what would be done"
        r.write(SHOP.replace(agent("mailer", "cache"), never))
        await r.daemon.control.reload(WHO)
        await r.until(lambda: r.agent("api").state == "healthy")
        r.machine.kill("mailer")
        await r.wait(60.0)
        assert r.machine.alive("mailer") == 0

    rehearse(tmp_path, SHOP, story)


def test_periods_of_the_daemon_follow(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.write(service("site") + "[daemon]\nself_healing_interval = 1")
        done = await r.daemon.control.reload(WHO)
        assert done.settings == ("daemon.self_healing_interval",)
        runs = r.daemon.runner.stats["sweep"].runs
        await r.wait(30.0)
        assert r.daemon.runner.stats["sweep"].runs - runs >= 28

    rehearse(tmp_path, service("site"), story, {"site": Program(remote=True)})


def test_who_waits_for_what_is_taken_away_waits_no_longer(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(5.0)
        assert r.agent("api").state == "starting"
        r.write(agent("api"))
        await r.daemon.control.reload(WHO)
        await r.all_healthy()
        assert set(r.world.agents) == {"api"}

    rehearse(tmp_path, agent("slow") + agent("api", "slow"), story, {"slow": Program(starts_in_s=1e6)})


def test_an_agent_that_a_person_has_stopped_stays_so_with_its_new_configuration(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.daemon.control.stop("api", WHO)
        r.write(SHOP.replace('command = "api"', 'command = "api --fast"'))
        done = await r.daemon.control.reload(WHO)
        assert (done.restarted, done.changed) == ((), ("api",))
        await r.wait(120.0)
        assert r.machine.alive("api") == 0

    rehearse(tmp_path, SHOP, story)


def test_a_configuration_that_was_mended_gets_another_chance_at_once(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: r.agent("api").state == "quarantined", within_s=600.0)
        r.machine.programs["api"] = Program()
        r.write(agent("api").replace('command = "api"', 'command = "api --right"'))
        assert (await r.daemon.control.reload(WHO)).restarted == ("api",)
        assert r.agent("api").breaker.state == "closed"
        await r.all_healthy()

    rehearse(tmp_path, agent("api"), story, {"api": Program(missing=True)})


def test_instances_are_restarted_one_after_the_other_and_the_rest_is_left_where_one_fails(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        before = r.pids()
        r.write(several("api", 3).replace('command = "api"', 'command = "api --fast"'))
        assert (await r.daemon.control.reload(WHO)).restarted == ("api:0", "api:1", "api:2")
        starts = [event for event in r.told if isinstance(event, AgentStarted | AgentReady)][-6:]
        assert [event.agent for event in starts] == [f"api:{index}" for index in (0, 0, 1, 1, 2, 2)]
        assert not set(r.pids().values()) & set(before.values())
        before = r.pids()
        r.machine.programs["api:1"] = Program(dies_after_s=0.05)
        r.write(several("api", 3))
        done = await r.daemon.control.reload(WHO)
        assert (done.restarted, list(done.failed), done.left) == (("api:0",), ["api:1"], ("api:2",))
        assert r.pid("api:2") == before["api:2"]

    rehearse(tmp_path, several("api", 3), story)


def test_two_reloads_at_a_time_take_turns(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.write(SHOP + agent("new"))
        first, second = await asyncio.gather(r.daemon.control.reload(WHO), r.daemon.control.reload(WHO))
        assert (first.added, second.added) == (("new",), ())
        await r.all_healthy()

    rehearse(tmp_path, SHOP, story)


def test_a_signal_reloads_and_a_bad_file_is_only_told(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.write("nonsense")
        r.daemon.reloader.soon()
        await r.wait(1.0)
        assert r.seen(ConfigReloaded) == []
        r.write(SHOP + agent("new"))
        r.daemon.reloader.soon()
        await r.until(lambda: "new" in r.world.agents)
        assert [event.by for event in r.seen(ConfigReloaded)] == ["SIGHUP"]

    rehearse(tmp_path, SHOP, story)


# --- whatever comes in between -------------------------------------------------------------------------------------


def test_a_stop_of_the_daemon_does_not_wait_for_a_reload_and_leaves_nothing_running(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.programs["api:0"] = Program(starts_in_s=1e6)
        r.write(several("api", 3).replace('command = "api"', 'command = "api --slow"') + agent("new"))
        r.daemon.reloader.soon()
        await r.wait(5.0)
        began = r.clock.monotonic()
        await r.stop()
        assert r.clock.monotonic() - began < 10.0
        assert [name for name in ("api:0", "api:1", "api:2", "new") if r.machine.alive(name)] == []

    rehearse(tmp_path, several("api", 3), story)


def test_a_number_of_instances_that_the_file_has_made_impossible_is_left_out_at_the_start(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.daemon.control.scale("api", 2, WHO)
        await r.stop()
        await r.boot(agent("api", more='log = { file = "one.log" }'))
        await r.all_healthy()
        assert set(r.world.agents) == {"api"}

    rehearse(tmp_path, agent("api"), story)


def test_an_agent_that_fails_as_it_is_taken_away_leaves_no_open_incident(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.hang("mailer")
        await r.until(lambda: bool(r.world.open_incidents()))
        r.write(SHOP.replace(agent("mailer", "cache"), ""))
        await r.daemon.control.reload(WHO)
        await r.wait(60.0)
        assert (r.machine.alive("mailer"), r.world.open_incidents()) == (0, ())
        assert "mailer" not in r.world.agents

    rehearse(tmp_path, SHOP, story, {"mailer": Program(ignores_term=True)})


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_written_in_a_row_the_fleet_is_what_the_file_says(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)

    def drawn() -> str:
        names = [name for name in ("a", "b", "c", "d", "e") if chance.random() < 0.7] or ["a"]
        tables = []
        for number, name in enumerate(names):
            needs = [need for need in names[:number] if chance.random() < 0.4]
            command = f'command = "{name} {chance.randrange(2)}"'
            count = f"instances = {chance.randint(1, 3)}"
            tables.append(agent(name, *needs, more=count).replace(f'command = "{name}"', command))
        return "\n".join(tables)

    async def story(r: Rehearsal) -> None:
        for _ in range(12):
            r.write(drawn())
            if chance.random() < 0.3:
                name = chance.choice(list(r.daemon.fleet.loaded.groups))
                await r.daemon.control.scale(name, chance.randint(1, 4), WHO)
            if chance.random() < 0.4:
                r.machine.kill(chance.choice(list(r.world.agents)))
            match chance.randrange(4):
                case 0:
                    await r.crash()
                    await r.boot()
                case 1:
                    await r.stop()
                    await r.boot()
                case _:
                    await r.daemon.control.reload(WHO)
            if chance.random() < 0.5:
                await r.wait(chance.random() * 2)
        await r.all_healthy(600.0)
        loaded = r.daemon.fleet.loaded
        assert set(r.world.agents) == set(loaded.config.agents)
        for name, count in loaded.declared.items():
            scale = r.world.scales.get(name)
            assert len(loaded.groups[name]) == (scale.instances if scale is not None else count)
        assert {name: r.machine.alive(name) for name in r.world.agents} == dict.fromkeys(r.world.agents, 1)
        every = [name if index is None else f"{name}:{index}" for name in "abcde" for index in (None, 0, 1, 2, 3)]
        assert sum(r.machine.alive(name) for name in every) == len(r.world.agents)

    rehearse(tmp_path, drawn(), story, seed=seed)
