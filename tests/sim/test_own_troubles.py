"""Does trouble of selfheal's own stay its own, and is it told?"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from selfheal.errors import NotSaved
from selfheal.events import AgentReady, AgentStarted, AlertFailed, CheckBroke, HealthChanged, LoopFailed
from selfheal.rehearse.machine import Program
from selfheal.serve.times import read_rfc3339
from selfheal.store.journal import Journal
from tests.sim.fleets import SHOP, SHOP_NAMES, agent, service
from tests.sim.rehearsal import Rehearsal, rehearse


def test_a_check_that_raises_is_no_failure_of_its_agent_and_disturbs_no_other(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.raising.add("api")
        await r.wait(120.0)
        r.machine.kill("mailer")
        incident = await r.healed("mailer")
        assert incident.state == "resolved"
        assert r.seen(HealthChanged, "api") == []
        assert len(r.seen(AgentStarted, "api")) == 1
        seen = r.daemon.vitals.check("api", "sim").last
        assert seen is not None
        assert (seen.result, seen.reason) == ("error", "ZeroDivisionError: the check itself is broken")
        assert [broke.reason for broke in r.seen(CheckBroke)] == [seen.reason]
        assert r.agent("api").state == "degraded"
        assert [alert.title for alert in r.inbox.alerts] == ["api is not watched by its check sim"]
        r.machine.raising.clear()
        await r.until(lambda: [alert.resolved for alert in r.inbox.alerts] == [False, True])
        await r.all_healthy()

    rehearse(tmp_path, SHOP, story, views=True)


def test_an_agent_whose_check_cannot_run_is_started_and_healed_all_the_same(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        r.machine.raising.add("cache")
        await r.crash()
        r.machine.kill("cache")
        r.machine.kill("api")
        await r.boot()
        await r.until(lambda: r.agent("cache").ready and r.agent("api").state == "healthy")
        assert r.agent("cache").state == "degraded"
        r.machine.hang("cache")
        assert (await r.healed("cache")).state == "resolved"

    rehearse(tmp_path, SHOP, story)


def test_a_service_is_starting_until_it_was_asked_and_one_that_cannot_be_asked_is_degraded(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        assert len(r.seen(AgentReady, "site")) == 1
        r.machine.raising.add("site")
        await r.crash()
        await r.boot()
        assert r.agent("site").state == "starting"
        await r.until(lambda: bool(r.agent("site").broken))
        assert (r.agent("site").state, r.agent("site").ready, r.agent("site").well) == ("degraded", True, True)
        r.machine.raising.clear()
        await r.all_healthy()
        assert r.incidents("site") == []

    rehearse(tmp_path, service("site"), story, {"site": Program(remote=True)})


def test_a_loop_that_fails_is_tried_again_named_and_told_once(tmp_path: Path) -> None:
    def broken() -> float:
        raise OSError("no such device")

    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        assert r.daemon.runner.down == ()
        r.disk = broken
        await r.until(lambda: r.daemon.runner.down == ("disk",), within_s=300.0)
        failures = r.seen(LoopFailed)
        assert {failure.loop for failure in failures} == {"disk"}
        assert failures[0].error == "OSError: no such device"
        r.machine.kill("api")
        assert (await r.healed("api")).state == "resolved"
        await r.wait(600.0)
        assert [alert.title for alert in r.inbox.alerts] == ["selfheal's loop disk is down"]
        r.disk = lambda: 0.5
        await r.until(lambda: r.daemon.runner.down == ())

    rehearse(tmp_path, SHOP, story, views=True)


def test_the_files_of_a_quiet_fleet_tell_how_it_is_and_are_written_no_more_often_than_it_is_swept(
    tmp_path: Path,
) -> None:
    def status(r: Rehearsal) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((r.state_dir / "agent_status.json").read_text())
        return document

    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.wait(10.0)
        assert {check["ok"] for agent in status(r)["agents"].values() for check in agent["checks"]} == {True}
        seen: list[str] = []
        for _ in range(300):
            seen += [at for at in [status(r)["updated_at"]] if at not in seen[-1:]]
            await r.wait(1.0)
        assert 5 <= len(seen) <= 6, "once a sweep, each 60 s"
        shown = status(r)
        (check, *_) = shown["agents"]["api"]["checks"]
        assert read_rfc3339(check["last_run"]) > r.clock.now() - 70.0
        assert read_rfc3339(shown["updated_at"]) > r.clock.now() - 62.0
        others = [json.loads(file.read_text())["updated_at"] for file in r.state_dir.glob("*.json")]
        assert set(others) == {shown["updated_at"]}

    rehearse(tmp_path, SHOP, story, views=True)


@contextmanager
def full_disk(journal: Journal) -> Iterator[None]:
    """Let the kernel refuse what the journal writes, as it does where no space is left."""
    fd = journal._open[-1].fileno()
    kept, full = os.dup(fd), os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, fd)
    try:
        yield
    finally:
        os.dup2(kept, fd)
        os.close(kept)
        os.close(full)


def test_a_full_disk_keeps_nobody_from_being_healed_and_nothing_is_lost(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        with full_disk(r.daemon.journal):
            r.machine.kill("api")
            r.machine.hang("mailer")
            assert (await r.healed("api")).state == "resolved"
            assert r.daemon.ledger.trouble is not None
            await r.all_healthy()
            assert (await r.daemon.ledger.shown()).incidents.keys() == r.world.incidents.keys()
        await r.until(lambda: r.daemon.ledger.trouble is None)
        await r.daemon.ledger.durable()
        await r.crash()
        await r.boot()
        await r.all_healthy()
        assert [one.state for one in r.world.incidents.values()] == ["resolved", "resolved"]

    rehearse(tmp_path, SHOP, story, views=True)


def test_a_person_can_stop_an_agent_while_the_disk_is_full(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        with full_disk(r.daemon.journal):
            with pytest.raises(NotSaved, match=r"done, but not saved: .*; it is lost if"):
                await r.daemon.control.stop("api", "a person")
            assert r.machine.alive("api") == 0

    rehearse(tmp_path, SHOP, story, views=True)


def test_every_order_that_cannot_be_saved_is_obeyed_and_says_so_until_there_is_room(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        control = r.daemon.control
        with full_disk(r.daemon.journal):
            for order in (
                control.pause(None, "a person"),
                control.resume(None, "a person"),
                control.pause("api", "a person"),
                control.restart("mailer", "a person"),
                control.external_failure("web", "a sign"),
                control.external_failure("web", "the same again"),
            ):
                with pytest.raises(NotSaved):
                    await order
            assert r.agent("api").paused
        await r.until(lambda: r.daemon.ledger.trouble is None)
        await control.stop("api", "a person")
        await r.crash()
        await r.boot()
        assert (r.agent("api").paused, r.agent("api").wanted) == (True, False)

    rehearse(tmp_path, SHOP, story, views=True)


def test_views_that_cannot_be_written_are_a_trouble_that_is_shown_though_the_journal_is_well(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        assert r.daemon.trouble is None
        in_the_way = r.state_dir / "agent_status.json.previous"
        in_the_way.unlink(missing_ok=True)
        (in_the_way / "mine").mkdir(parents=True)
        await r.daemon.control.pause("api", "a person")
        await r.until(lambda: r.daemon.trouble is not None)
        assert "agent_status.json" in str(r.daemon.trouble)
        assert r.daemon.ledger.trouble is None
        (in_the_way / "mine").rmdir()
        in_the_way.rmdir()
        await r.until(lambda: r.daemon.trouble is None)

    rehearse(tmp_path, SHOP, story, views=True)


def test_a_command_that_cannot_be_undone_is_not_run_while_nothing_can_be_written_down(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        with full_disk(r.daemon.journal):
            r.machine.outages["api"] = "nonsense"
            await r.wait(60.0)
            assert r.machine.commands_run == []
        r.machine.outages.clear()
        await r.all_healthy(within_s=300.0)

    own = agent("api", more='fixes = ["flush"]') + '[fixes.flush]\ncommand = "flush"\ncauses = ["wrong_answer"]\n'
    rehearse(tmp_path, own, story)


def test_what_was_raised_and_not_delivered_is_delivered_by_the_next_daemon(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.inbox.down = True
        r.machine.programs["api"] = Program(missing=True)
        r.machine.kill("api")
        await r.wait(120.0)
        assert r.world.undelivered
        assert [event.why for event in r.seen(AlertFailed)] == ["cannot reach the inbox: it is down"]
        await r.crash()
        await r.boot()
        r.inbox.down = False
        await r.until(lambda: not r.world.undelivered, within_s=400.0)
        assert [alert.title for alert in r.inbox.alerts] == ["api needs a person: the program to run does not exist"]

    rehearse(tmp_path, agent("api"), story)


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_the_views_are_there_after_every_end(tmp_path: Path, how: str) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.wait(3.0)
        await (r.stop() if how == "stopped" else r.crash())
        assert (r.state_dir / "agent_status.json").stat().st_size > 0
        assert all(name in (r.state_dir / "agent_status.json").read_text() for name in SHOP_NAMES)

    rehearse(tmp_path, SHOP, story, views=True)


def test_a_log_that_cannot_be_rotated_is_told_once_and_disturbs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotated: list[str] = []

    def rotate(path: Path, max_size: int, keep: int) -> bool:
        if path.stem == SHOP_NAMES[0]:
            raise OSError(28, "No space left on device")
        rotated.append(path.stem)
        return False

    monkeypatch.setattr("selfheal.compose.upkeep.rotate", rotate)

    async def story(r: Rehearsal) -> None:
        await r.wait(300.0)
        told = [failure.error for failure in r.seen(LoopFailed)]
        assert len(told) == 1
        assert told[0].startswith("cannot rotate the log")
        assert set(rotated) == set(SHOP_NAMES[1:])
        assert r.daemon.runner.down == ()

    rehearse(tmp_path, SHOP, story, views=True)
