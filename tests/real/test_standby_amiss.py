"""Does a standby that is of no use any more, or never gets ready, cost nothing but a cold start?"""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from selfheal.supervise import proc
from selfheal.supervise.launcher import Exit, Standby
from selfheal.vitals import Standing
from selfheal.vocabulary import StandbyKind
from tests.real.processes import Yard, in_a_yard, until
from tests.real.standbys import KINDS, Seen, begun, python, standing, write, zygote_of


@pytest.mark.parametrize("edited", ["library.py", "work.py"])
@pytest.mark.parametrize("way", KINDS)
def test_a_deployment_since_is_noticed_and_the_new_version_runs(tmp_path: Path, way: StandbyKind, edited: str) -> None:
    texts = {
        "library.py": "version = 1\n",
        "work.py": "import library, os, sys\nprint(library.version + 0, os.environ['SELFHEAL_ID'], sys.argv)\n",
    }
    for name, text in texts.items():
        write(tmp_path, name, text)

    async def story(place: Yard) -> None:
        launch = python(place, "work.py", "a", standby=Standby(way, ("library",)))
        await standing(place, launch)
        write(tmp_path, edited, texts[edited].replace("version = 1", "version = 12").replace("+ 0", "+ 11"))
        process = place.spawn(launch, 5)
        assert await place.exit_of(process) == Exit(0, None)
        assert launch.log.read_text() == f"12 {place.folder}/api:5 ['work.py', 'a']\n"

    in_a_yard(tmp_path, story)


@pytest.mark.parametrize("way", KINDS)
def test_what_stands_by_for_something_else_by_now_is_not_used(tmp_path: Path, way: StandbyKind) -> None:
    write(tmp_path, "one/work.py", "print('works', flush=True)\n")
    (tmp_path / "now").symlink_to("one")

    async def story(place: Yard) -> None:
        launch = python(place, "work.py", standby=Standby(way), directory=tmp_path / "now")
        for change in ("command", "directory", "log"):
            await standing(place, launch)
            wanted = launch
            if change == "command":
                wanted = replace(launch, argv=(*launch.argv, "more"))
            elif change == "directory":
                write(tmp_path, "two/work.py", "print('works', flush=True)\n")
                (tmp_path / "now").unlink()
                (tmp_path / "now").symlink_to("two")
            else:
                launch.log.unlink()
            process = place.spawn(wanted)
            assert process.how == "cold"
            assert await place.exit_of(process) == Exit(0, None)
            await until(lambda: place.marked() == [])

    in_a_yard(tmp_path, story)


@pytest.mark.parametrize("way", KINDS)
def test_what_cannot_be_imported_is_told_and_it_starts_anew(tmp_path: Path, way: StandbyKind) -> None:
    write(tmp_path, "work.py", "print('works')\n")

    async def story(place: Yard) -> None:
        launch = python(place, "work.py", standby=Standby(way, ("not_there",)))
        seen = await standing(place, launch)
        why = "ModuleNotFoundError: No module named 'not_there'"
        assert seen.told == [Standing(way), Standing(way, why=why)]
        process = place.spawn(launch)
        assert process.how == "cold"
        assert await place.exit_of(process) == Exit(0, None)
        await until(lambda: place.marked() == [])

    in_a_yard(tmp_path, story)


@pytest.mark.parametrize("way", KINDS)
def test_one_that_dies_is_told_and_buried(tmp_path: Path, way: StandbyKind) -> None:
    write(tmp_path, "work.py", "print('works')\n")

    async def story(place: Yard) -> None:
        launch = python(place, "work.py", standby=Standby(way))
        seen = await standing(place, launch)
        assert seen.last is not None
        assert seen.last.pid is not None
        os.kill(seen.last.pid, signal.SIGKILL)
        while proc.stat(seen.last.pid).alive:
            pass  # a turn of the loop would tell us
        assert place.spawn(launch).how == "cold"  # although nobody has told us yet
        await until(lambda: not seen.ready)
        assert seen.last == Standing(way, why="killed by SIGKILL while it waited")
        await until(lambda: place.marked() == [])

    in_a_yard(tmp_path, story)


def test_a_zygote_with_threads_is_refused(tmp_path: Path) -> None:
    write(
        tmp_path, "busy.py", "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    write(tmp_path, "work.py", "import busy\n")

    async def story(place: Yard) -> None:
        seen = await standing(place, python(place, "work.py", standby=Standby("zygote", ("busy",))))
        assert seen.last == Standing("zygote", why="an import has started 1 threads, which a fork would lose")
        await until(lambda: place.marked() == [])

    in_a_yard(tmp_path, story)


@pytest.mark.parametrize("way", KINDS)
def test_closing_the_launcher_ends_what_waits_and_nothing_else(tmp_path: Path, way: StandbyKind) -> None:
    write(tmp_path, "work.py", "import time\nprint('works', flush=True)\ntime.sleep(60)\n")

    async def story(place: Yard) -> None:
        process = await begun(place, way, "work.py")
        await standing(place, python(place, "work.py", standby=Standby(way)))
        assert len([one for one in place.marked() if one.waits]) == (1 if way == "spare" else 2)
        assert [run.pid for _, run in await place.launcher.strays()] == [process.run.pid]
        assert [run.pid for _, run in place.launcher.leftovers()] == [process.run.pid]
        place.launcher.close()
        await until(lambda: [one.run.pid for one in place.marked()] == [process.run.pid])

    in_a_yard(tmp_path, story)


@pytest.mark.parametrize("way", KINDS)
def test_one_that_hangs_in_an_import_is_given_up_and_it_starts_anew(tmp_path: Path, way: StandbyKind) -> None:
    write(tmp_path, "stuck.py", "import os, time\nif os.environ['SELFHEAL_ID'][0] == '-': time.sleep(1000)\n")
    write(tmp_path, "work.py", "print('works')\n")

    async def story(place: Yard) -> None:
        launch = python(place, "work.py", standby=Standby(way, ("stuck",)))
        seen = Seen()
        place.launcher.stand_by(launch, seen.told.append)
        await until(lambda: any(one.waits for one in place.marked()))
        assert place.spawn(launch).how == "cold"  # nobody waits for it
        await until(lambda: seen.last is not None and bool(seen.last.why))
        assert seen.last == Standing(way, why="its imports are not done after 1 s")
        await until(lambda: place.marked() == [])

    in_a_yard(tmp_path, story, standby_limit_s=1.0)


def test_a_zygote_that_is_stuck_is_given_up_and_it_starts_anew(tmp_path: Path) -> None:
    write(tmp_path, "work.py", "print('works')\n")

    async def story(place: Yard) -> None:
        launch = python(place, "work.py", standby=Standby("zygote"))
        seen = await standing(place, launch)
        zygote = zygote_of(place, seen)
        os.kill(zygote, signal.SIGSTOP)
        assert place.spawn(launch).how == "zygote"  # this one was there
        place.launcher.stand_by(launch, seen.told.append)
        assert place.spawn(launch, 2).how == "cold"
        await until(lambda: seen.last is not None and bool(seen.last.why))
        assert seen.last == Standing("zygote", why="its zygote has forked none after 3 s")
        await until(lambda: place.marked() == [])

    in_a_yard(tmp_path, story, standby_limit_s=3.0)


def test_a_zygote_that_dies_takes_the_one_that_waits_with_it(tmp_path: Path) -> None:
    write(tmp_path, "work.py", "print('works')\n")

    async def story(place: Yard) -> None:
        launch = python(place, "work.py", standby=Standby("zygote"))
        seen = await standing(place, launch)
        zygote = zygote_of(place, seen)
        os.kill(zygote, signal.SIGKILL)
        await until(lambda: not seen.ready)
        assert seen.last == Standing("zygote", why="killed by SIGKILL while it waited")
        assert place.spawn(launch).how == "cold"
        await until(lambda: place.marked() == [])

    in_a_yard(tmp_path, story)


@pytest.mark.parametrize("way", KINDS)
def test_another_memory_limit_changes_nothing_about_what_waits(tmp_path: Path, way: StandbyKind) -> None:
    write(tmp_path, "work.py", "print('works')\n")

    async def story(place: Yard) -> None:
        launch = replace(python(place, "work.py", standby=Standby(way)), memory=100_000_000)
        seen = await standing(place, launch)
        roomier = replace(launch, memory=200_000_000, cores=0.5)
        place.launcher.stand_by(roomier, seen.told.append)
        process = place.spawn(roomier)
        assert seen.last is not None
        assert (process.how, process.run.pid) == (way, seen.last.pid)
        assert await place.exit_of(process) == Exit(0, None)

    in_a_yard(tmp_path, story)


# --- a deployment ---


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def test_a_zygote_of_the_version_before_is_replaced_and_its_next_runs_are_forked_again(tmp_path: Path) -> None:
    write(tmp_path, "library.py", "version = 1\n")
    write(tmp_path, "work.py", "import library, time\nprint(library.version, flush=True)\ntime.sleep(60)\n")

    async def story(place: Yard) -> None:
        launch = python(place, "work.py", standby=Standby("zygote", ("library",)))
        seen = await standing(place, launch)
        old = zygote_of(place, seen)
        write(tmp_path, "library.py", "version = 12\n")
        place.spawn(launch, 1)
        await place.said("12\n")
        assert (await standing(place, launch)).ready
        await until(lambda: old not in [one.run.pid for one in place.marked()])
        process = place.spawn(launch, 2)
        await place.said("12\n12\n")
        assert process.how == "zygote"
        assert "standby_runner.py" in command_line(process.run.pid)  # it was not started anew inside

    in_a_yard(tmp_path, story)


@pytest.mark.parametrize("way", KINDS)
def test_what_is_replaced_in_the_middle_of_the_imports_is_imported_again(tmp_path: Path, way: StandbyKind) -> None:
    write(tmp_path, "library.py", "version = 1\n")
    write(
        tmp_path,
        "slow.py",
        "import os, time\nopen('begun', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.01)\n",
    )
    write(tmp_path, "work.py", "import library\nprint(library.version, flush=True)\n")

    async def story(place: Yard) -> None:
        launch = python(place, "work.py", standby=Standby(way, ("library", "slow")))
        seen = Seen()
        place.launcher.stand_by(launch, seen.told.append)
        await until((tmp_path / "begun").exists)
        write(tmp_path, "library.py", "version = 12\n")
        write(tmp_path, "go", "")
        await until(lambda: seen.ready)
        process = place.spawn(launch)
        assert process.how == way
        assert await place.exit_of(process) == Exit(0, None)
        assert launch.log.read_text() == "12\n"

    in_a_yard(tmp_path, story)


@pytest.mark.parametrize("way", KINDS)
def test_another_interpreter_under_the_same_name_is_noticed(tmp_path: Path, way: StandbyKind) -> None:
    write(tmp_path, "work.py", "import sys\nprint('works', flush=True)\n")
    named = tmp_path / "python3"
    named.symlink_to("/usr/bin/python3")
    other = write(tmp_path, "other", "#!/bin/sh\necho another interpreter\n")
    other.chmod(0o755)

    async def story(place: Yard) -> None:
        launch = replace(place.launch(str(named), "work.py"), standby=Standby(way))
        assert (await standing(place, launch)).ready
        named.unlink()
        named.symlink_to("other")
        await place.exit_of(place.spawn(launch))
        assert launch.log.read_text() == "another interpreter\n"

    in_a_yard(tmp_path, story)


def test_a_clock_that_was_set_back_since_its_files_were_put_there_keeps_none_from_waiting(tmp_path: Path) -> None:
    write(
        tmp_path, "early/sitecustomize.py", "import time\nnow = time.time_ns\ntime.time_ns = lambda: now() - 10**13\n"
    )
    write(tmp_path, "library.py", "import time\nprint(time.time_ns() < time.time() * 1e9 - 10**12, flush=True)\n")
    write(tmp_path, "work.py", "print('works')\n")

    async def story(place: Yard) -> None:
        launch = python(place, "work.py", standby=Standby("spare", ("library",)))
        early = {**launch.environment, "PYTHONPATH": str(tmp_path / "early")}
        assert (await standing(place, replace(launch, environment=early))).ready
        assert launch.log.read_text() == "True\n"  # one turn, with the time of before

    in_a_yard(tmp_path, story)


# --- its tree ---


@pytest.mark.parametrize("way", KINDS)
def test_what_a_run_that_stood_by_starts_is_of_its_generation_and_ends_with_it(
    tmp_path: Path, way: StandbyKind
) -> None:
    helper = "subprocess.Popen(['sleep', '60'], start_new_session=True)"
    write(tmp_path, "work.py", f"import subprocess, time\n{helper}\nprint('works', flush=True)\ntime.sleep(60)\n")

    async def story(place: Yard) -> None:
        process = await begun(place, way, "work.py", generation=9)
        await place.said("works")
        await until(lambda: len([one for one in place.marked() if one.run.generation == 9]) == 2)
        place.launcher.stand_down("api")
        process.signal_group(signal.SIGKILL)
        await until(lambda: process.signal_strays(signal.SIGKILL))  # in the midst of its death it has no children
        await until(lambda: place.marked() == [])

    in_a_yard(tmp_path, story)
