"""Is a process healed by what its user has written down for it, and is what was raised kept, ended and taken back?"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from selfheal.errors import FixFailed
from selfheal.events import (
    AgentExited,
    AgentStarted,
    FixEnded,
    FixStarted,
    LimitLowered,
    LimitRaised,
    UndoEnded,
    UndoStarted,
)
from selfheal.vitals import Standing
from tests.sim.fleets import agent
from tests.sim.rehearsal import Rehearsal, rehearse

RELOADS = agent("api", more="[agents.api.healing.reload]\nsignal = 'USR1'")
SPARE = agent("api", more='standby = "spare"').replace('"api"\n', '"python3 api.py"\n')
RAISES = agent(
    "api",
    more='limits = { memory = "100MB", fds = 100 }\n[agents.api.healing.raise_limit]\nmemory = "300MB"\nfds = 120',
)


def ended(r: Rehearsal, fix: str) -> list[FixEnded]:
    """How each attempt with a fix ended."""
    begun = {(one.incident, one.attempt) for one in r.seen(FixStarted) if one.fix == fix}
    return [one for one in r.seen(FixEnded) if (one.incident, one.attempt) in begun]


def starts(r: Rehearsal) -> int:
    return len(r.seen(AgentStarted, "api"))


# --- reload ---


def test_what_gives_a_wrong_answer_is_told_to_reload_before_it_is_restarted(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.outages["api"] = "an old certificate"
        program = r.machine.program("api")
        program.handlers = {signal.SIGUSR1: lambda: r.machine.outages.pop("api", None)}
        incident = await r.healed("api")
        assert [(one.fix, one.outcome) for one in incident.attempts] == [("reload", "succeeded")]
        (told,) = ended(r, "reload")
        assert told.output == f"SIGUSR1 was sent to process {r.pid('api')} of api, to reload"
        assert starts(r) == 1

    rehearse(tmp_path, RELOADS, story)


def test_a_signal_that_would_end_the_process_is_not_sent_and_the_next_fix_is_tried(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.outages["api"] = "an old certificate"
        await r.until(lambda: bool(ended(r, "reload")))
        assert ended(r, "reload")[0].outcome == "failed"
        assert "does not catch SIGUSR1, which would end it" in ended(r, "reload")[0].output
        del r.machine.outages["api"]
        incident = await r.healed("api")
        assert [one.fix for one in incident.attempts] == ["reload", "restart"]
        assert all(one.expected for one in r.seen(AgentExited, "api")), (
            "it has ended by no other's hand than the restart's"
        )

    rehearse(tmp_path, RELOADS, story)


# --- what stands by ---


def test_what_hangs_is_replaced_by_what_stands_by(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: "api" in r.machine.standbys)
        r.machine.standbys["api"](Standing("spare", True, r.machine.spawned + 2**22 + 1, 20_000_000))
        r.machine.hang("api")
        incident = await r.healed("api")
        assert [(one.fix, one.outcome) for one in incident.attempts] == [("replace_by_spare", "succeeded")]
        (told,) = ended(r, "replace_by_spare")
        assert told.output == f"api was replaced: process {r.pid('api')}, which stood by, took over"

    rehearse(tmp_path, SPARE, story)


def test_where_nothing_is_ready_to_take_over_nothing_is_killed_for_it(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: "api" in r.machine.standbys)
        before = r.pid("api")
        with pytest.raises(FixFailed, match="cannot replace api by what stands by for it: it is not ready yet"):
            await r.daemon.hands.replace("api")
        r.machine.standbys["api"](Standing("spare", why="there is no memory"))
        with pytest.raises(FixFailed, match="there is no memory"):
            await r.daemon.hands.replace("api")
        assert r.pid("api") == before

    rehearse(tmp_path, SPARE, story)


# --- limits ---


async def outgrown(r: Rehearsal) -> None:
    """Let the process use 120 MB from now on."""
    await r.all_healthy()
    process = r.machine.process_of("api")
    assert process is not None
    process.program.rss_bytes = 120e6


def test_what_needs_more_memory_than_it_may_have_is_given_half_more_as_it_runs(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await outgrown(r)
        incident = await r.healed("api")
        assert [(one.fix, one.outcome) for one in incident.attempts] == [("raise_limit", "succeeded")]
        assert ended(r, "raise_limit")[0].output == ("api: memory was raised from 100 MB to 150 MB, without a restart")
        assert starts(r) == 1
        run = r.agent("api").run
        assert run is not None
        assert r.machine.limits[run.pid][0] == 150_000_000
        assert r.agent("api").memory_limit == 150_000_000
        r.machine.kill("api")
        await r.wait(30.0)
        launch = r.daemon.supervisor.launch_of("api")
        assert launch is not None
        assert launch.memory == 150_000_000

    rehearse(tmp_path, RAISES, story)


def test_a_limit_is_raised_again_with_the_next_incident_and_never_over_the_most(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        for incident, value in (("one", 150), ("two", 225), ("three", 300)):
            await r.daemon.hands.raise_limit("api", "memory", 300_000_000, incident)
            assert r.agent("api").memory_limit == value * 1_000_000
        with pytest.raises(FixFailed, match="300 MB is the most that it may be raised to"):
            await r.daemon.hands.raise_limit("api", "memory", 300_000_000, "four")
        assert r.agent("api").memory_limit == 300_000_000

    rehearse(tmp_path, RAISES, story)


def test_what_was_raised_outlives_a_crash_of_the_daemon_and_is_not_raised_twice_by_the_next_one(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        before = r.pid("api")
        await r.daemon.hands.raise_limit("api", "fds", 120, "inc")
        await r.crash()
        await r.boot()
        await r.all_healthy()
        assert r.pid("api") == before
        assert r.agent("api").fds_limit == 120
        launch = r.daemon.supervisor.launch_of("api")
        assert launch is not None
        assert launch.max_fds == 120
        told = await r.daemon.hands.raise_limit("api", "fds", 120, "inc")
        assert told == "fds was raised from 100 to 120, without a restart"
        assert len(r.seen(LimitRaised)) == 1

    rehearse(tmp_path, RAISES, story)


def test_a_daemon_that_dies_with_the_limit_written_down_and_nothing_done_leaves_the_rest_to_the_next(
    tmp_path: Path,
) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        now = r.clock.now()
        r.daemon.ledger.record(LimitRaised(now, "api", "memory", 150_000_000, 100_000_000, "inc"))
        await r.crash()
        await r.boot()
        process = r.machine.process_of("api")
        assert process is not None
        process.program.rss_bytes = 120e6
        await r.wait(60.0)
        assert r.incidents("api") == []
        assert await r.daemon.hands.lower_limits("api", "inc") == "memory is 100 MB again"

    rehearse(tmp_path, RAISES, story)


def test_a_crash_in_the_midst_of_raising_is_gone_on_with(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await outgrown(r)
        raised = asyncio.Event()
        r.watchers.append(lambda world, event: raised.set() if isinstance(event, LimitRaised) else None)
        await raised.wait()
        await r.crash()
        await r.boot()
        incident = await r.healed("api")
        assert incident.state == "resolved"
        assert r.agent("api").memory_limit == 150_000_000
        assert len(r.seen(LimitRaised)) == 1
        assert starts(r) == 2, "once, and once adopted"

    rehearse(tmp_path, RAISES, story)


def test_another_limit_in_the_file_ends_what_was_raised_and_any_other_change_does_not(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.daemon.hands.raise_limit("api", "memory", 300_000_000, "inc")
        r.write(RAISES + "[guard]\nverify = 10\n")
        await r.daemon.reloader.reload("the test")
        assert r.agent("api").memory_limit == 150_000_000
        assert starts(r) == 1
        r.write(RAISES.replace("100MB", "110MB"))
        await r.daemon.reloader.reload("the test")
        assert r.agent("api").memory_limit == 110_000_000
        assert r.agent("api").raised == {}
        assert [one.undone for one in r.seen(LimitLowered)] == [False]
        assert await r.daemon.hands.lower_limits("api", "inc") == "nothing of it is in force any more"
        assert r.agent("api").memory_limit == 110_000_000

    rehearse(tmp_path, RAISES, story)


def test_a_file_that_was_changed_while_no_daemon_ran_ends_it_too(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.daemon.hands.raise_limit("api", "fds", 120, "inc")
        await r.daemon.hands.raise_limit("api", "memory", 300_000_000, "inc")
        await r.stop()
        await r.boot(RAISES.replace("fds = 100", "fds = 90"))
        await r.all_healthy()
        assert (r.agent("api").fds_limit, r.agent("api").memory_limit) == (90, 150_000_000)
        assert set(r.agent("api").raised) == {"memory"}

    rehearse(tmp_path, RAISES, story)


def test_what_did_not_help_is_taken_back_once_and_the_next_attempt_goes_further(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.daemon.hands.raise_limit("api", "memory", 300_000_000, "inc")
        assert await r.daemon.hands.lower_limits("api", "inc") == "memory is 100 MB again"
        assert await r.daemon.hands.lower_limits("api", "inc") == "nothing of it is in force any more"
        assert await r.daemon.hands.lower_limits("api", "another") == "nothing of it is in force any more"
        run = r.agent("api").run
        assert run is not None
        assert r.machine.limits[run.pid][0] == 100_000_000
        assert r.agent("api").memory_limit == 100_000_000
        told = await r.daemon.hands.raise_limit("api", "memory", 300_000_000, "inc")
        assert told == "memory was raised from 100 MB to 225 MB, without a restart"
        await r.daemon.hands.lower_limits("api", "inc")
        assert r.agent("api").memory_limit == 100_000_000
        assert starts(r) == 1

    rehearse(tmp_path, RAISES, story)


def test_a_raise_that_does_not_help_is_taken_back_also_by_the_daemon_after_a_crash(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        process = r.machine.process_of("api")
        assert process is not None
        process.program.rss_bytes = 200e6
        undoing = asyncio.Event()
        r.watchers.append(lambda world, event: undoing.set() if isinstance(event, UndoStarted) else None)
        await undoing.wait()
        await r.crash()
        await r.boot()
        await r.until(lambda: bool(r.seen(UndoEnded)))
        assert [(one.done, one.output) for one in r.seen(UndoEnded)] == [(True, "api: memory is 100 MB again")]
        assert r.agent("api").memory_limit == 100_000_000
        r.machine.program("api").rss_bytes = 20e6
        await r.healed("api")

    rehearse(tmp_path, RAISES, story)


def test_where_only_another_process_may_open_more_files_it_is_restarted_with_that(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.program("api").most_files = (100, 1000)
        told = await r.daemon.hands.raise_limit("api", "fds", 120, "inc")
        assert told == "fds was raised from 100 to 120; it was restarted with that, and was given 100"
        assert (starts(r), r.agent("api").fds_limit) == (2, 120)

    rehearse(tmp_path, RAISES, story)


def test_where_the_machine_lets_nobody_open_more_nothing_is_restarted_for_it_and_nothing_raised(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.program("api").most_files = (100, 100)
        with pytest.raises(FixFailed, match="this machine lets us give no more than 100; raise the hard limit"):
            await r.daemon.hands.raise_limit("api", "fds", 120, "inc")
        assert (starts(r), r.agent("api").fds_limit) == (1, 100)
        launch = r.daemon.supervisor.launch_of("api")
        assert launch is not None
        assert launch.max_fds == 100
        r.machine.program("api").most_files = (1000, 1000)
        told = await r.daemon.hands.raise_limit("api", "fds", 1000, "another")
        assert told == "fds was raised from 100 to 150, without a restart", "what was refused was not in vain"

    rehearse(tmp_path, RAISES, story)


def test_what_does_not_start_with_more_either_is_given_no_more(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.program("api").most_files = (100, 1000)
        r.machine.program("api").missing = True
        with pytest.raises(FixFailed, match="no such program"):
            await r.daemon.hands.raise_limit("api", "fds", 120, "inc")
        assert r.agent("api").fds_limit == 100

    rehearse(tmp_path, RAISES, story)


def test_an_agent_that_has_no_limit_any_more_is_not_given_one(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.write(agent("api"))
        await r.daemon.reloader.reload("the test")
        with pytest.raises(FixFailed, match="no such limit is configured any more"):
            await r.daemon.hands.raise_limit("api", "fds", 120, "inc")
        assert await r.daemon.hands.lower_limits("gone", "inc") == "nothing of it is in force any more"

    rehearse(tmp_path, RAISES, story)
