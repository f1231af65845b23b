"""Does a daemon under a keeper come back whatever kills it, and does everything end when a person says so?"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from functools import cache
from pathlib import Path

import pytest

from selfheal.supervise.proc import children
from tests.real.daemon_process import CLOCK, LOOPBACK, House, until
from tests.real.keepers import Kept, kept, status

NAMES = ("calm", "helped", "steady")
# `helped` starts a helper and forgets it: an orphan, which becomes the child of the next reaper above it.
FLEET = """
[agents.calm]
command = ["sleep", "1000"]
[agents.steady]
command = ["sleep", "1000"]
[agents.helped]
command = ["sh", "-c", "(sleep 1000 & echo $! > orphan); exec sleep 1000"]
"""
DEAF = """
[daemon]
stop_timeout = 10
[agents.deaf]
command = [{python}, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(1000)"]
stop = { timeout = 60 }
"""


def pids(place: House) -> dict[str, int]:
    return {name: agent.count("pid") for name, agent in place.agents().items()}


def undisturbed(place: House, living: dict[str, int]) -> None:
    """The agents run on in the same processes, each in one, and nothing has happened to them."""
    assert pids(place) == living
    assert sorted(one.run.pid for one in place.marked() if one.leads) == sorted(living.values())
    assert place.incidents() == []


def begun(keeper: Kept) -> dict[str, int]:
    keeper.until_ready()
    keeper.place.until_state("healthy")
    return pids(keeper.place)


def test_a_killed_daemon_is_there_again_its_agents_notice_nothing_and_orphans_are_buried() -> None:
    with kept(FLEET) as keeper:
        place, living = keeper.place, begun(keeper)
        killed = keeper.kill_daemon()
        keeper.until_ready(after=killed)
        place.until_state("healthy")
        undisturbed(place, living)
        (line,) = keeper.lines()
        assert line.startswith("selfheal: the daemon was killed by SIGKILL after ")
        assert line.endswith(" s; started again")

        orphan = int((place.folder / "orphan").read_text())
        assert {orphan, *living.values()} <= set(children(keeper.pid)), "they have lost their parent"
        os.kill(orphan, signal.SIGKILL)
        os.kill(living["calm"], signal.SIGKILL)
        until(lambda: not Path(f"/proc/{orphan}").exists() and not Path(f"/proc/{living['calm']}").exists())
        until(lambda: place.pid("calm") not in (0, living["calm"]))

        os.kill(keeper.pid, signal.SIGTERM)
        assert keeper.ended() == 0
        assert place.marked() == []


def test_ten_kills_in_a_row_at_work_and_at_the_start_disturb_no_agent() -> None:
    with kept(FLEET, patient=False) as keeper:
        place, living = keeper.place, begun(keeper)
        for number in range(10):
            killed = keeper.kill_daemon()
            if number % 3 == 0:  # the others die while they start
                keeper.until_ready(after=killed)
                undisturbed(place, living)
        keeper.until_ready()
        place.until_state("healthy")
        undisturbed(place, living)
        assert len(keeper.lines()) == 10
        os.kill(keeper.pid, signal.SIGTERM)
        assert keeper.ended() == 0
        assert place.marked() == []


def test_a_stop_while_no_daemon_lives_still_ends_the_agents_in_order() -> None:
    with kept(FLEET) as keeper:
        begun(keeper)
        keeper.kill_daemon()
        keeper.kill_daemon()
        until(lambda: len(keeper.lines()) == 2)
        assert keeper.lines()[-1].endswith("started again in 0.5 s")
        os.kill(keeper.pid, signal.SIGTERM)
        assert keeper.ended() == 0
        assert keeper.place.marked() == []
        assert '"stop.asked"' in keeper.out.read_text()


def test_what_keeps_a_later_daemon_from_its_start_is_waited_for() -> None:
    with kept(FLEET) as keeper:
        place, living = keeper.place, begun(keeper)
        keeper.kill_daemon()
        keeper.kill_daemon()
        with socket.create_server((LOOPBACK, place.port)):
            until(lambda: any("the daemon could not start" in line for line in keeper.lines()), what=keeper.said)
        keeper.until_ready()
        place.until_state("healthy")
        undisturbed(place, living)


def test_ctrl_c_is_told_once_and_a_second_one_ends_it_at_once() -> None:
    with kept(DEAF) as keeper:
        begun(keeper)
        os.killpg(keeper.pid, signal.SIGINT)
        until(lambda: "stop.asked" in keeper.out.read_text())
        assert keeper.alive
        assert "stop.now" not in keeper.out.read_text()
        os.killpg(keeper.pid, signal.SIGINT)
        assert keeper.ended() == 1
        assert keeper.out.read_text().count('"stop.asked"') == 1
        until(lambda: not keeper.place.marked(), 1.0)
        assert keeper.lines() == []


def test_a_daemon_that_is_killed_while_it_stops_is_not_started_again() -> None:
    with kept(DEAF) as keeper:
        begun(keeper)
        os.kill(keeper.pid, signal.SIGTERM)
        until(lambda: "stop.asked" in keeper.out.read_text())
        os.kill(keeper.daemon, signal.SIGKILL)
        assert keeper.ended() == 128 + signal.SIGKILL
        assert keeper.lines() == []


def test_a_bad_configuration_ends_it_with_2() -> None:
    with kept("[agents.calm]\ncommnd = 'sleep'") as keeper:
        assert keeper.ended() == 2
        assert "commnd" in keeper.err.read_text()
        assert keeper.lines() == []


def test_without_its_keeper_all_goes_on_and_a_second_one_says_who_holds_the_directory() -> None:
    with kept(FLEET) as keeper:
        place, living = keeper.place, begun(keeper)
        daemon = keeper.daemon
        os.kill(keeper.pid, signal.SIGKILL)
        keeper.ended()
        try:
            second = Kept(place)
            assert second.ended() == 1
            assert f"process {daemon} holds it" in second.err.read_text()
            assert second.lines() == []
            undisturbed(place, living)
            os.kill(daemon, signal.SIGTERM)
            until(lambda: not place.marked())
        finally:
            end(daemon)


def test_an_idle_keeper_is_small_and_never_wakes() -> None:
    with kept(FLEET) as keeper:
        begun(keeper)
        before = status(keeper.pid, "voluntary_ctxt_switches")
        later = CLOCK.monotonic() + 1.5
        until(lambda: CLOCK.monotonic() > later)
        assert status(keeper.pid, "voluntary_ctxt_switches") == before
        assert status(keeper.pid, "Threads") == "1"
        mine, daemons = (int(status(pid, "VmRSS").split()[0]) for pid in (keeper.pid, keeper.daemon))
        assert mine < daemons / 4
        os.kill(keeper.pid, signal.SIGHUP)
        until(lambda: "config.reloaded" in keeper.out.read_text(), what=keeper.said)


def test_the_service_manager_of_the_keeper_hears_the_daemon() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0selfheal-test-{os.getpid()}")
        manager.settimeout(15.0)
        with kept(FLEET, NOTIFY_SOCKET=f"@selfheal-test-{os.getpid()}") as keeper:
            assert manager.recv(100) == b"READY=1"
            keeper.kill_daemon()
            assert manager.recv(100) == b"READY=1"
            os.kill(keeper.pid, signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"
            assert keeper.ended() == 0


# --- process 1 ---

NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc")


@cache
def namespaces() -> bool:
    try:
        return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False, timeout=10).returncode == 0
    except FileNotFoundError:
        return False


def test_as_process_1_it_buries_orphans_heeds_term_and_leaves_nothing() -> None:
    if not namespaces():
        pytest.skip("this machine does not let us make a process namespace: that takes root and unshare")
    with kept(FLEET, *NAMESPACE) as shell:  # it waits for process 1, and ends as that does
        place = shell.place
        until(lambda: children(shell.pid))
        (first,) = children(shell.pid)
        until(lambda: place.ready or not shell.alive, what=shell.said)
        place.until_state("healthy")
        assert status(first, "NSpid").split()[-1] == "1"

        (daemon,) = children(first)
        os.kill(daemon, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{daemon}").exists())
        until(lambda: place.ready, what=shell.said)
        inside = int((place.folder / "orphan").read_text())
        (orphan,) = (pid for pid in children(first) if status(pid, "NSpid").split()[-1] == str(inside))
        os.kill(orphan, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{orphan}").exists())

        os.kill(first, signal.SIGTERM)
        assert shell.ended() == 0
        assert place.marked() == []
        assert shell.out.read_text().count('"agent.exited"') == len(NAMES)


def end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
