"""Is a program that stood by the same as one that was started anew?"""

from __future__ import annotations

import json
import os
import signal
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from selfheal.supervise import proc
from selfheal.supervise.launcher import Exit, Standby
from selfheal.vitals import Standing
from selfheal.vocabulary import StandbyKind, StartWay
from tests.real.processes import CLOCK, Yard, in_a_yard, until
from tests.real.standbys import KINDS, python, standing, told_by, write

# Only root may start as somebody else.
OTHER = "nobody" if os.geteuid() == 0 else None

# What a program can see of how it was started. Numbers of processes and of files differ from run to run.
LOOKS = """
import json, os, sys, signal, threading, atexit
import colorsys
with open("/proc/self/status") as status:
    masks = [line.split() for line in status if line.startswith(("SigB", "SigI", "SigC", "Threads"))]
with open("/proc/self/environ", "rb") as file:
    shown = sorted(word.decode() for word in file.read().split(b"\\0") if word)
main = sys.modules["__main__"]
facts = dict(
    name=__name__, file=__file__, argv=sys.argv, orig_argv=sys.orig_argv, path=sys.path, flags=str(sys.flags),
    spec=__spec__ and __spec__.name, package=__package__, names=sorted(n for n in globals() if n.startswith("__")),
    itself=main.__dict__ is globals(), loader=type(__loader__).__name__, builtins=str(__builtins__),
    environment=dict(sorted(os.environ.items())), shown=shown, cwd=os.getcwd(), masks=masks,
    umask=os.umask(0o22), stdin=sys.stdin.read(), files=len(os.listdir("/proc/self/fd")),
    leads=os.getsid(0) == os.getpid() == os.getpgid(0), thread=threading.current_thread() is threading.main_thread(),
    handler=str(signal.getsignal(signal.SIGINT)), child_of_daemon=os.getppid(), warnings=sys.warnoptions,
    interpreter=sys.executable, buffered=sys.stdout.line_buffering, path_hook=sys.path[0],
)
atexit.register(print, "after", flush=True)
if __name__ == "__main__":
    print(json.dumps(facts, sort_keys=True), flush=True)
    print("to stderr", file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize("way", KINDS)
@pytest.mark.parametrize(
    "words",
    [
        ("looks.py", "a", "-b", "--", "c d"),
        ("./looks.py",),
        ("{folder}/looks.py",),
        ("linked.py", "x"),
        ("python3", "-u", "-W", "ignore", "-Xutf8", "looks.py"),
        ("python3", "-I", "{folder}/looks.py"),
        ("-m", "shop.api", "--port", "1"),
        ("-m", "shop"),
        ("folder",),
    ],
)
def test_a_program_sees_no_difference(tmp_path: Path, way: StandbyKind, words: tuple[str, ...]) -> None:
    for name in ("looks.py", "shop/__init__.py", "shop/api.py", "shop/__main__.py", "folder/__main__.py"):
        write(tmp_path, name, LOOKS)
    (tmp_path / "linked.py").symlink_to("shop/api.py")
    words = tuple(word.format(folder=tmp_path) for word in words)
    cold, cold_end = told_by(tmp_path, "cold", *words)
    warm, warm_end = told_by(tmp_path, way, *words)
    assert warm_end == cold_end == Exit(0, None)
    assert [line for line in cold.splitlines() if not line.startswith("{")] == [
        "to stderr",
        *["after"] * cold.count("after"),
    ]
    assert facts(warm) == facts(cold)
    assert warm.splitlines()[1:] == cold.splitlines()[1:]


def facts(log: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(log.splitlines()[0])
    return found


@pytest.mark.parametrize("way", KINDS)
@pytest.mark.parametrize(
    "ending",
    [
        "sys.exit(7)",
        "raise SystemExit('some words')",
        "raise ValueError('as it was written')",
        "def f():\n    return 1 / 0\nf()",
        "os.kill(os.getpid(), 9)",
        "os.kill(os.getpid(), signal.SIGINT)",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "os._exit(3)",
        "import not_there",
        "sys.excepthook = lambda *what: print('hooked', what[0].__name__)\nraise KeyError(1)",
        "threading.Thread(target=lambda: (gone.wait(0.1), print(json.dumps(3)))).start()",
        "print(pickle.loads(pickle.dumps(Thing())).__class__.__module__)",
        "print(multiprocessing.get_context('spawn').Pool(1).map(abs, [-4])) if __name__ == '__main__' else None",
    ],
)
@pytest.mark.parametrize("words", [("ends.py",), ("-m", "ends")])
def test_a_program_ends_in_the_same_way(tmp_path: Path, way: StandbyKind, ending: str, words: tuple[str, ...]) -> None:
    begin = "import json, multiprocessing, os, pickle, signal, sys, threading\ngone = threading.Event()\n"
    write(tmp_path, "ends.py", f"{begin}class Thing: pass\n{ending}\n")
    assert told_by(tmp_path, way, *words) == told_by(tmp_path, "cold", *words)


@pytest.mark.parametrize("way", KINDS)
def test_a_program_that_cannot_be_read_says_so_as_always(tmp_path: Path, way: StandbyKind) -> None:
    write(tmp_path, "wrong.py", "def f(:\n")
    assert told_by(tmp_path, way, "wrong.py") == told_by(tmp_path, "cold", "wrong.py")


@pytest.mark.parametrize("way", KINDS)
def test_what_stood_by_has_done_its_imports_and_nothing_of_its_own_work(tmp_path: Path, way: StandbyKind) -> None:
    write(tmp_path, "beside.py", "import fractions\nprint('beside was imported', flush=True)\n")
    write(tmp_path, "work.py", "import beside, colorsys\nprint('works', flush=True)\nimport time; time.sleep(60)\n")

    async def story(place: Yard) -> None:
        launch = python(place, "work.py", standby=Standby(way))
        seen = await standing(place, launch)
        assert launch.log.read_text() == ""  # what lies beside the program is part of it
        assert seen.last is not None
        assert seen.last.pid is not None
        assert f"SELFHEAL_ID=-{place.folder}/api:0".encode() in b" ".join(proc.environment(seen.last.pid))
        process = place.spawn(launch, 8)
        assert process.run.pid == seen.last.pid
        await place.said("works")
        assert launch.log.read_text() == "beside was imported\nworks\n"
        ((one,),) = ([marked for marked in place.marked() if marked.run.pid == process.run.pid],)
        assert (one.agent, one.run.generation, one.leads, one.waits) == ("api", 8, True, False)
        assert place.launcher.owner(process.run.pid) == ("api", 8)
        os.kill(process.run.pid, signal.SIGKILL)
        assert await place.exit_of(process) == Exit(None, signal.SIGKILL)

    in_a_yard(tmp_path, story)


@pytest.mark.parametrize("way", KINDS)
def test_what_comes_from_elsewhere_is_imported_before_however_deep_the_program_hides_it(
    tmp_path: Path, way: StandbyKind
) -> None:
    for name in ("one", "two", "three", "four/__init__", "four/part", "not_this", "nor_this", "broken"):
        write(tmp_path, f"elsewhere/{name}.py", f"print({name!r}, flush=True)\n")
    write(tmp_path, "elsewhere/broken.py", "raise OSError('no such device')\n")
    write(tmp_path, "shop/__init__.py", "from __future__ import annotations\nimport one\nfrom . import deep\n")
    write(tmp_path, "shop/deep/__init__.py", "from ..side import x\n")
    write(tmp_path, "shop/side.py", "x = 1\ntry:\n    import two, gone_away, broken\nexcept ImportError:\n    pass\n")
    late = "if TYPE_CHECKING:\n    import not_this\ndef f():\n    import nor_this\n"
    write(tmp_path, "work.py", f"TYPE_CHECKING = 0\nimport shop, three\nfrom four import part\n{late}")

    async def story(place: Yard) -> None:
        launch = python(place, "work.py", standby=Standby(way))
        elsewhere = {**launch.environment, "PYTHONPATH": str(tmp_path / "elsewhere")}
        await standing(place, replace(launch, environment=elsewhere))
        assert sorted(launch.log.read_text().split()) == ["four/__init__", "four/part", "one", "three", "two"]

    in_a_yard(tmp_path, story)


def test_not_all_do_their_imports_at_once_and_all_have_their_turn(tmp_path: Path) -> None:
    write(tmp_path, "work.py", "import asyncio\n")

    async def story(place: Yard) -> None:
        launches = [replace(python(place, "work.py", standby=Standby("spare")), agent=f"api{n}") for n in range(5)]
        told: list[Standing] = []
        for launch in launches:
            place.launcher.stand_by(launch, told.append)
            place.launcher.stand_by(launch, told.append)
        most = 0
        while len(ready := [standing for standing in told if standing.ready]) < len(launches):
            most = max(most, len([one for one in place.marked() if one.waits and one.leads]) - len(ready))
            await CLOCK.sleep(0.001)
        assert len(told) == 2 * len(launches)  # on its way, and ready
        assert most <= 2

    in_a_yard(tmp_path, story)


@pytest.mark.parametrize("way", KINDS)
def test_named_modules_are_imported_before_also_the_programs_own(tmp_path: Path, way: StandbyKind) -> None:
    write(tmp_path, "shop/__init__.py", "")
    write(tmp_path, "shop/heavy.py", "print('heavy', flush=True)\n")
    write(tmp_path, "shop/api.py", "import shop.heavy, sys\nprint(__name__, 'shop.api' in sys.modules, flush=True)\n")

    async def story(place: Yard) -> None:
        launch = python(place, "-m", "shop.api", standby=Standby(way, ("shop.heavy", "shop.api")))
        await standing(place, launch)
        assert launch.log.read_text() == "heavy\nshop.api True\n"
        await place.exit_of(place.spawn(launch))
        assert launch.log.read_text() == "heavy\nshop.api True\n__main__ False\n"

    in_a_yard(tmp_path, story)


def test_a_zygote_forks_again_and_again(tmp_path: Path) -> None:
    write(tmp_path, "work.py", "import random, sys\nprint(random.random(), flush=True)\nsys.exit(5)\n")

    async def story(place: Yard) -> None:
        launch = python(place, "work.py", standby=Standby("zygote", ("random",)))
        pids = set()
        for generation in range(5):
            await standing(place, launch)
            process = place.spawn(launch, generation + 1)
            assert process.how == "zygote"
            assert await place.exit_of(process) == Exit(5, None)
            pids.add(process.run.pid)
        assert len(pids) == 5
        assert len(set(launch.log.read_text().split())) == 5  # and no two throw the same dice
        place.launcher.stand_down("api")
        await until(lambda: place.marked() == [])

    in_a_yard(tmp_path, story)


@pytest.mark.parametrize("way", KINDS)
def test_it_has_the_limits_the_priority_the_umask_and_the_user_of_its_agent(way: StandbyKind) -> None:
    shown = "os.getuid(), os.getgid(), os.getgroups(), os.umask(0), os.nice(0), resource.getrlimit(7), os.getcwd()"
    ways: list[StartWay] = ["cold", way]
    said: dict[StartWay, str] = {}
    with tempfile.TemporaryDirectory(prefix="sh-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # another user reads the program
        write(folder, "work.py", f"import os, resource\nprint({shown})\n")

        async def story(place: Yard) -> None:
            for one in ways:
                launch = replace(
                    place.launch("/usr/bin/python3", "work.py", agent=one, user=OTHER, max_fds=300),
                    umask="037",
                    nice=5,
                    standby=Standby(way) if one == way else None,
                )
                if one == way:
                    assert (seen := await standing(place, launch)).ready, (seen.last, launch.log.read_text())
                process = place.spawn(launch)
                assert process.how == one
                assert await place.exit_of(process) == Exit(0, None)
                said[one] = launch.log.read_text()

        in_a_yard(folder, story)
    assert said[way] == said["cold"]
    assert " 31 5 (300, 300) " in said[way]
