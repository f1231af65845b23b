"""Is everything that a run starts held in its group, and does that end with it?

What a plain folder can show is shown by one; the rest needs a cgroup v2 that we may write to, and is skipped elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from selfheal.supervise import proc
from selfheal.supervise.cgroups import Groups, Place, find_place
from selfheal.supervise.launcher import Launch, Process
from selfheal.supervise.posix import PosixLauncher
from selfheal.supervise.tree import end_strays, stop_group
from tests.real.daemon_process import house
from tests.real.daemon_process import until as wait_until
from tests.real.processes import CLOCK, ENVIRONMENT, Yard, in_a_yard, until

# A helper that nothing of ours is left on: no mark, no session, no parent. It comes after the move into the group: one
# that hides within milliseconds of the start is not in there.
HIDDEN = "sleep 0.4; (env -i setsid sleep 71 &); exec sleep 70"


def _launch(folder: Path, **more: object) -> Launch:
    plain = Launch("api", ("sh", "-c", HIDDEN), folder, ENVIRONMENT, folder / "api.log")
    return replace(plain, **more)  # type: ignore[arg-type]


# --- a plain folder in the place of the kernel's ---


def test_limits_are_written_before_the_process_is_moved(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        groups = Groups(asyncio.get_running_loop(), Place(tmp_path, frozenset({"memory", "cpu"})))
        group = tmp_path / "api.1"
        group.mkdir()
        files = ("memory.max", "memory.oom.group", "cpu.max", "cgroup.procs", "cgroup.kill")
        for name in files:
            (group / name).touch()
        process = place.spawn(place.launch("sleep", "60"))
        groups.enter(process.run, _launch(tmp_path, memory=200_000_000, cores=1.5))
        await until(lambda: bool((group / "cgroup.procs").read_text()))
        written = [(group / name).read_text() for name in files]
        assert written == ["200000000", "1", "150000 100000", str(process.run.pid), ""]
        groups.kill(process.run, "api")
        assert (group / "cgroup.kill").read_text() == "1"

    in_a_yard(tmp_path, story)


def test_a_run_that_goes_on_gets_other_limits_and_those_that_are_gone_are_lifted(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        groups = Groups(asyncio.get_running_loop(), Place(tmp_path, frozenset({"memory", "cpu"})))
        group = tmp_path / "api.1"
        group.mkdir()
        files = ("memory.max", "memory.oom.group", "cpu.max", "cgroup.procs")
        for name in files:
            (group / name).touch()
        process = place.spawn(place.launch("sleep", "60"))
        groups.enter(process.run, _launch(tmp_path))
        await until(lambda: bool((group / "cgroup.procs").read_text()))
        assert [(group / name).read_text() for name in files[:3]] == ["max", "0", "max 100000"]
        for name in files:
            (group / name).write_text("")  # what is written stays, in a plain file
        groups.enter(process.run, _launch(tmp_path, memory=300_000_000))
        await until(lambda: bool((group / "cgroup.procs").read_text()))
        assert [(group / name).read_text() for name in files[:3]] == ["300000000", "1", "max 100000"]

    in_a_yard(tmp_path, story)


def test_the_folder_of_the_groups_keeps_its_controllers_while_the_daemon_lives(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        folder = tmp_path / "selfheal-1"
        (folder / "api.1").mkdir(parents=True)
        os.utime(folder, (0.0, 0.0))
        groups = Groups(asyncio.get_running_loop(), Place(folder, frozenset({"memory"})))
        groups.tidy()
        await until(lambda: not (folder / "api.1").exists() and folder.stat().st_mtime > 0.0)
        assert folder.exists(), "one that is made anew has no controllers, and holds no limit"
        groups.close()
        assert not folder.exists()

    in_a_yard(tmp_path, story)


def test_without_a_place_or_a_controller_nothing_is_held_and_that_is_said(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        loop = asyncio.get_running_loop()
        groups = Groups(loop, None)
        process = place.spawn(place.launch("sleep", "60"))
        groups.enter(process.run, _launch(tmp_path, memory=1))
        groups.kill(process.run, "api")
        groups.tidy()
        groups.close()
        assert groups.members(process.run, "api") == []
        assert groups.enforced == {"trees": "marks", "memory": "watched", "cpu": "shown only"}
        assert Groups(loop, Place(tmp_path)).enforced["memory"] == "watched"
        assert process.group_alive()

    in_a_yard(tmp_path, story)


# --- the kernel's own ---


@pytest.fixture
def marker() -> Iterator[str]:
    name = uuid4().hex[:12]
    place = find_place(name, CLOCK.now())
    if place is None:
        pytest.skip("there is no cgroup v2 here that we may write to")
    yield name
    assert not place.folder.exists(), "nothing of it is left"


def in_groups(folder: Path, marker: str, story: Callable[[PosixLauncher, Place], Awaitable[None]]) -> None:
    async def lived() -> None:
        place = find_place(marker, CLOCK.now())
        assert place is not None
        launcher = PosixLauncher(asyncio.get_running_loop(), CLOCK, marker)
        try:
            await story(launcher, place)
        finally:
            for group in place.folder.iterdir():
                if group.is_dir():
                    (group / "cgroup.kill").write_text("1")
                    await until(lambda group=group: "populated 0" in (group / "cgroup.events").read_text())  # type: ignore[misc]
            launcher.close()

    asyncio.run(lived())


def hidden_of(process: Process) -> int:
    """The helper that carries no mark; 0 while it is not there, or still on its way out of the session."""
    return next((pid for pid in process.helpers() if _hides(pid)), 0)


def _hides(pid: int) -> bool:
    try:
        # Its last step, after `env -i` and `setsid`: until then a signal to the agent's group would end it.
        asleep = Path(f"/proc/{pid}/comm").read_text() == "sleep\n" and proc.stat(pid).session == pid
    except (FileNotFoundError, ProcessLookupError):
        return False
    return asleep and proc.environment(pid) == [b""]


def test_a_helper_without_any_mark_ends_with_its_agent(tmp_path: Path, marker: str) -> None:
    async def story(launcher: PosixLauncher, place: Place) -> None:
        process = launcher.spawn(_launch(tmp_path), 1, lambda process, end: None)
        group = place.folder / "api.1" / "cgroup.procs"
        await until(lambda: group.exists() and hidden_of(process) > 0)
        hidden = hidden_of(process)
        assert hidden != process.run.pid
        assert proc.environment(hidden) == [b""]
        await stop_group(process, signal=signal.SIGTERM, timeout_s=5.0, clock=CLOCK)
        assert proc.stat(hidden).alive
        await end_strays(process, signal=signal.SIGTERM, timeout_s=5.0, clock=CLOCK)
        await until(lambda: not Path(f"/proc/{hidden}").exists())

    in_groups(tmp_path, marker, story)


def test_what_an_adopted_run_hides_is_found_by_its_group(tmp_path: Path, marker: str) -> None:
    async def story(launcher: PosixLauncher, place: Place) -> None:
        first = launcher.spawn(_launch(tmp_path), 4, lambda process, end: None)
        await until(lambda: hidden_of(first) > 0)
        second = PosixLauncher(asyncio.get_running_loop(), CLOCK, marker)
        adopted = second.adopt(first.run, "api", lambda process, end: None)
        assert adopted is not None
        assert {run.pid for run in await adopted.find_strays()} == {first.run.pid, *first.helpers()}
        second.close()

    in_groups(tmp_path, marker, story)


def test_a_run_that_its_daemon_did_not_live_to_put_into_a_group_is_put_there_by_the_next(
    tmp_path: Path, marker: str
) -> None:
    async def story(launcher: PosixLauncher, place: Place) -> None:
        launch = _launch(tmp_path)
        first = PosixLauncher(asyncio.get_running_loop(), CLOCK, marker)
        run = first.spawn(launch, 4, lambda process, end: None).run
        first.close()  # at once, with all that was to be done in a moment
        group = place.folder / "api.4"
        assert not group.exists()
        adopted = launcher.adopt(run, "api", lambda process, end: None)
        assert adopted is not None
        launcher.limit(run, launch)
        await until(lambda: group.exists() and str(run.pid) in (group / "cgroup.procs").read_text().split())

    in_groups(tmp_path, marker, story)


def test_folders_of_daemons_that_are_no_more_are_taken_away_and_those_of_the_living_are_not(marker: str) -> None:
    base = _folder_of(marker).parent
    ages_s = {base / f"selfheal-{uuid4().hex[:12]}": age_s for age_s in (7200.0, 60.0)}
    for folder, age_s in ages_s.items():
        (folder / "api.1").mkdir(parents=True)
        os.utime(folder, (CLOCK.now() - age_s,) * 2)
    forsaken, living = ages_s
    try:
        find_place(marker, CLOCK.now())
        assert (forsaken.exists(), (living / "api.1").exists()) == (False, True)
    finally:
        for folder in (forsaken, living):
            for group in (folder / "api.1", folder):
                if group.exists():
                    group.rmdir()
        _folder_of(marker).rmdir()


def _folder_of(marker: str) -> Path:
    place = find_place(marker, CLOCK.now())
    assert place is not None
    return place.folder


def test_a_daemon_leaves_no_group_behind_and_says_what_it_holds() -> None:
    with house('[agents.api]\ncommand = ["sh", "-c", "sleep 0.4; (env -i setsid sleep 72 &); exec sleep 73"]') as place:
        (said,) = place.logged("limits")
        if said.text("trees") == "marks":
            pytest.skip("there is no cgroup v2 here that we may write to")
        pid = place.pid("api")
        group = Path("/proc") / str(pid) / "cgroup"
        wait_until(lambda: "/api." in group.read_text(), what=group.read_text)
        own = next(line for line in group.read_text().splitlines() if line.startswith("0::"))
        members: list[int] = []

        def grown() -> bool:
            members[:] = [one.pid for one in proc.processes() if own in _groups_of(one.pid)]
            return sum(not proc.environment(pid)[0] for pid in members if proc.environment(pid)) == 1

        wait_until(grown)
        assert place.stop() == 0
        assert [one for one in members if Path(f"/proc/{one}").exists() and proc.stat(one).alive] == []


def _groups_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return []
