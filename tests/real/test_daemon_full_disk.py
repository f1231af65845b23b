"""Does a daemon go on healing while its disk is full, say so, and lose nothing by it?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.real.daemon_process import House, Stream, house, until

FLEET = """
[guard]
attempts_per_hour = 0
verify = "0.5s"
[agents.one]
command = ["sleep", "1000"]
checks = [{ process = true, interval = 0.2 }]
[agents.two]
command = ["sleep", "1000"]
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")


@contextmanager
def small_disk(path: Path) -> Iterator[None]:
    """A disk of two megabytes."""
    path.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let root mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(ballast: Path) -> None:
    """Take all the room there is."""
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            for size in (4096, 1):
                with suppress(OSError):
                    file.write(b"x" * size)
                    break
            else:
                return


def trouble(place: House) -> str:
    return place.get("summary").text("trouble")


def heal(place: House, name: str) -> None:
    """Kill an agent, and see it back and its incident through."""
    before, count = place.pid(name), len(place.incidents(name))
    os.kill(before, signal.SIGKILL)
    until(lambda: place.pid(name) not in (0, before))
    place.healed(name, count)


def test_a_full_disk_is_told_once_stops_no_healing_and_costs_no_event() -> None:
    with house() as place, small_disk(place.state_dir):
        try:
            place.boot(FLEET)
            place.until_state("healthy")
            fill(place.state_dir / "ballast")
            lives_on_a_full_disk(place)
            incidents = {one.text("id"): one.raw for one in place.incidents()}
            (place.state_dir / "ballast").unlink()
            until(lambda: not trouble(place))
            views_are_right(place)
            loses_nothing_in_a_restart(place)
            assert {one.text("id"): one.raw for one in place.incidents()} == incidents
            assert place.agent("two").text("state") == "stopped"
        finally:
            place.clean()  # while there is still a disk


def lives_on_a_full_disk(place: House) -> None:
    assert place.say("stop", "two").code in (0, 1), "its last block may have room yet"
    assert place.pid("two") == 0, "a full disk keeps nobody from stopping a process"
    for _ in range(3):
        heal(place, "one")
    until(lambda: "No space left" in trouble(place))
    for words in (("stop", "two"), ("pause", "two"), ("resume", "two")):
        said = place.say(*words)
        assert (said.code, said.out) == (1, ""), said
        assert said.err.startswith("done, but not saved: No space left on device; "), "it may be forgotten"
    assert place.say("health").code == 0
    for option in ((), ("--json",)):
        assert "cannot save what happens: No space left on device; " in place.say("status", *option).err
    (told,) = [line for line in place.log.splitlines() if "No space left" in line]
    assert '"level": "error"' in told


def views_are_right(place: House) -> None:
    """The files catch up with the world."""

    def caught_up() -> bool:
        state = json.loads((place.state_dir / "self_healing_state.json").read_text())
        agents = json.loads((place.state_dir / "agent_status.json").read_text())["agents"]
        now = place.agents()
        return state["agents"]["by_state"]["stopped"] == 1 and all(
            (agents[name]["pid"], agents[name]["restarts"]) == (one.raw["pid"], one.raw["restarts"])
            for name, one in now.items()
        )

    until(caught_up)
    until(lambda: "selfheal saves its state again" in place.log)


def loses_nothing_in_a_restart(place: House) -> None:
    before = Stream(place.port, 0)
    until(lambda: any("saves its state again" in told for told in before.told.values()))
    place.daemon.kill()
    before.join()
    place.boot()
    after = Stream(place.port, 0)
    until(lambda: max(after.told, default=0) >= max(before.told))
    assert {number: after.told.get(number) for number in before.told} == before.told
    assert sorted(before.told) == list(range(1, len(before.told) + 1))
