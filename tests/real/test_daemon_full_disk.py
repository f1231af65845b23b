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


def test_a_full_disk_is_said_once_and_stops_no_healing() -> None:
    with house() as place, small_disk(place.state_dir):
        place.boot(FLEET)
        place.until_state("healthy")
        heal(place, "one")
        fill(place.state_dir / "ballast")
        for name in ("one", "two", "one"):
            heal(place, name)
        assert "No space left" in until(lambda: trouble(place))
        assert place.say("health").code == 0
        assert "durable" in place.say("status").out
        assert place.say("stop", "two").code == 0, "a full disk keeps nobody from stopping a process"
        assert [one for one in place.log.splitlines() if "No space left" in one] != []
        print(*[one for one in place.log.splitlines() if "No space left" in one], sep="\n")
        known = {one.text("id"): one.raw for one in place.incidents()}

        (place.state_dir / "ballast").unlink()
        until(lambda: not trouble(place))
        saved = place.state_dir / "self_healing_state.json"
        until(lambda: json.loads(saved.read_text())["agents"]["by_state"]["stopped"] == 1)
        stream = Stream(place.port, 0)
        last = max(until(lambda: stream.told))
        place.daemon.kill()
        stream.join()
        place.boot()
        again = Stream(place.port, 0)
        until(lambda: max(again.told, default=0) >= last)
        assert {number: again.told.get(number) for number in stream.told} == stream.told
        assert list(stream.told) == list(range(1, len(stream.told) + 1))
        assert {one.text("id"): one.raw for one in place.incidents()} == known
        assert place.agent("two").text("state") == "stopped"
        assert place.get("summary").raw.get("trouble") is None
        place.clean()
