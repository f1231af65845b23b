"""Are instances added and taken away, and several agents ordered about, with nobody else disturbed?"""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal.errors import FixFailed, RefusedByPolicy, UnknownName
from selfheal.events import AgentExited, AgentReady, AgentStarted, ScaleAsked, StartAsked, StopAsked
from selfheal.rehearse.machine import Program
from tests.sim.fleets import SHOP, SHOP_NAMES, agent, service, several
from tests.sim.rehearsal import Rehearsal, rehearse

WHO = "a person"


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_scale_touches_no_instance_that_stays_and_is_remembered(tmp_path: Path, how: str) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        before = r.pids()
        done = await r.daemon.control.scale("api", 4, WHO)
        assert (done.added, done.unchanged) == (("api:2", "api:3"), ("cache", "api:0", "api:1"))
        await r.all_healthy()
        assert before.items() <= r.pids().items()
        done = await r.daemon.control.scale("api", 1, WHO)
        assert (done.removed, r.pid("api:0")) == (("api:3", "api:2", "api:1"), before["api:0"])
        await (r.stop() if how == "stopped" else r.crash())
        await r.boot()
        await r.all_healthy()
        assert set(r.world.agents) == {"cache", "api:0"}

    rehearse(tmp_path, agent("cache") + several("api", 2, "cache"), story)


def test_those_who_depend_on_an_agent_depend_on_all_that_it_has_now(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        pid = r.pid("web")
        done = await r.daemon.control.scale("api", 3, WHO)
        assert (done.added, done.changed) == (("api:2",), ("web",))
        assert (r.agent("web").depends_on, r.pid("web")) == (("api:0", "api:1", "api:2"), pid)

    rehearse(tmp_path, several("api", 2) + agent("web", "api"), story)


def test_a_single_agent_keeps_its_name_and_its_process_when_others_join_it(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        pid = r.pid("api")
        await r.daemon.control.scale("api", 2, WHO)
        await r.all_healthy()
        assert (set(r.world.agents), r.pid("api")) == ({"api", "api:1"}, pid)
        await r.daemon.control.scale("api", 1, WHO)
        assert (set(r.world.agents), r.pid("api"), r.world.scales) == ({"api"}, pid, {})

    rehearse(tmp_path, agent("api"), story)


@pytest.mark.parametrize("when", ["running", "down"])
def test_the_file_overrules_a_person_only_where_it_says_another_number(tmp_path: Path, when: str) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.daemon.control.scale("api", 3, WHO)
        r.write(several("api", 2) + agent("new"))
        await r.daemon.control.reload(WHO)
        assert {"api:2", "new"} <= set(r.world.agents)
        r.write(several("api", 1))
        if when == "running":
            await r.daemon.control.reload(WHO)
        else:
            await r.stop()
            await r.boot()
        await r.all_healthy()
        assert (set(r.world.agents), r.world.scales) == ({"api"}, {})
        assert [said.by for said in r.seen(ScaleAsked)] == [WHO, "the file"]
        assert r.machine.alive("api:0") + r.machine.alive("api:1") + r.machine.alive("api:2") == 0

    rehearse(tmp_path, several("api", 2), story)


@pytest.mark.parametrize(
    ("name", "instances", "why"),
    [("api", 0, "selfheal stop api"), ("api", 1001, "1 to 1000"), ("site", 2, "service"), ("nobody", 2, "cannot find")],
)
def test_a_scale_that_cannot_be_meant_is_refused(tmp_path: Path, name: str, instances: int, why: str) -> None:
    async def story(r: Rehearsal) -> None:
        told = len(r.told)
        with pytest.raises(UnknownName if name == "nobody" else RefusedByPolicy, match=why):
            await r.daemon.control.scale(name, instances, WHO)
        assert not [event for event in r.told[told:] if isinstance(event, ScaleAsked)]

    rehearse(tmp_path, agent("api") + service("site"), story, {"site": Program(remote=True)})


def test_a_scale_does_not_take_what_else_was_written_into_the_file(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.write("nonsense")
        await r.daemon.control.scale("api", 2, WHO)
        assert set(r.world.agents) == {"api", "api:1"}

    rehearse(tmp_path, agent("api"), story)


# --- orders to several ---------------------------------------------------------------------------------------------


def test_several_are_stopped_in_reverse_and_started_in_order(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        told = len(r.told)
        assert await r.daemon.control.order("stop", ("*",), WHO) == SHOP_NAMES
        news = r.told[told:]
        assert all(isinstance(event, StopAsked) for event in news[:4]), "all are known to be unwanted before one ends"
        ends = [event.agent for event in news if isinstance(event, AgentExited)]
        assert (ends[-1], ends.index("web") < ends.index("api")) == ("cache", True)
        assert r.world.incidents == {}
        await r.daemon.control.order("start", ("web", "api", "cache"), WHO)
        news = r.told[told:]
        came = [event.agent for event in news if isinstance(event, AgentStarted | AgentReady)]
        assert came[:5] == ["cache", "cache", "api", "api", "web"]
        assert r.machine.alive("mailer") == 0

    rehearse(tmp_path, SHOP, story)


def test_a_rolling_restart_ends_at_the_first_that_does_not_come_up(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        before = r.pids()
        await r.daemon.control.restart("api", WHO)
        starts = [event for event in r.told if isinstance(event, AgentStarted | AgentReady)][-6:]
        assert [event.agent for event in starts] == [f"api:{index}" for index in (0, 0, 1, 1, 2, 2)]
        assert not set(r.pids().values()) & set(before.values())
        before = r.pids()
        r.machine.programs["api:1"] = Program(dies_after_s=0.05)
        told = len(r.told)
        with pytest.raises(FixFailed, match=r"api:1.*left as they are: api:2"):
            await r.daemon.control.restart("api:*", WHO)
        assert r.pid("api:0") != before["api:0"]
        assert r.pid("api:2") == before["api:2"]
        assert [event.agent for event in r.told[told:] if isinstance(event, StartAsked)] == ["api:0", "api:1"]

    rehearse(tmp_path, several("api", 3), story)


def test_a_start_leaves_those_alone_that_need_one_that_does_not_come_up(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.daemon.control.stop("*", WHO)
        r.machine.programs["cache"] = Program(missing=True)
        with pytest.raises(FixFailed, match=r"cache.*left as they are: api"):
            await r.daemon.control.order("start", ("cache", "api"), WHO)
        assert (r.machine.alive("api"), r.agent("api").wanted) == (0, False)

    rehearse(tmp_path, SHOP, story)
