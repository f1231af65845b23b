"""Is what was done while the disk was full still known to the next daemon, however the disk came to refuse?"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from selfheal.store.reserve import NAME
from tests.real.daemon_process import House, house, until
from tests.real.test_daemon_full_disk import fill, heal, trouble

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


@contextmanager
def house_on_a_small_disk() -> Iterator[House]:
    """A daemon whose state directory is a disk of 12 megabytes, with its reserve made."""
    with house() as place:
        place.state_dir.mkdir(mode=0o700)
        mount = ["mount", "-t", "tmpfs", "-o", "size=12m,mode=700", "tmpfs", str(place.state_dir)]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("this machine does not let us mount a small disk")
        try:
            place.boot(FLEET)
            place.until_state("healthy")
            until((place.state_dir / NAME).exists)
            yield place
        finally:
            place.clean()  # while there is still a disk
            subprocess.run(["umount", "--lazy", str(place.state_dir)], check=True)


def fill_until_told(place: House, word: str = "No space left") -> None:
    fill(place.state_dir / "ballast")
    place.say("stop", "two")
    until(lambda: word in trouble(place))
    fill(place.state_dir / "ballast")


def alerts_of_saving(place: House) -> list[bool]:
    """Of each alert about saving, oldest first, whether it tells of the end."""
    told = [one for one in place.get("summary").parts("alerts") if one.text("key") == "unsaved"]
    return [one.flag("resolved") for one in reversed(told)]


def test_what_was_done_on_a_full_disk_is_saved_by_an_orderly_stop_and_known_to_the_next_daemon() -> None:
    with house_on_a_small_disk() as place:
        fill_until_told(place)
        summary = place.get("summary")
        assert (summary.text("status"), alerts_of_saving(place)) == ("degraded", [False])
        for _ in range(3):
            heal(place, "one")  # the last block of the journal may have room yet
        said = place.say("pause")
        assert (said.code, "not saved" in said.err) == (1, True)
        assert alerts_of_saving(place) == [False]
        last = place.client.get("/observability/incidents").body.raw
        assert place.stop() == 0
        assert not (place.state_dir / NAME).exists(), "its room was needed"
        place.boot()  # the disk is as full as before, but for what was let go
        assert place.get("summary").flag("paused")
        assert place.agent("two").text("state") == "stopped"
        assert place.client.get("/observability/incidents").body.raw == last


def test_a_daemon_starts_and_heals_on_a_full_disk_and_is_well_by_itself_when_there_is_room() -> None:
    with house_on_a_small_disk() as place:
        fill_until_told(place)
        place.daemon.kill()
        (place.state_dir / NAME).unlink()
        fill(place.state_dir / "ballast")
        place.boot()
        before = place.pid("one")
        os.kill(before, signal.SIGKILL)
        until(lambda: place.pid("one") not in (0, before))
        place.healed("one")
        until(lambda: trouble(place))
        (place.state_dir / "ballast").unlink()
        until(lambda: not trouble(place))
        assert place.get("summary").text("status") == "ok"
        until(lambda: alerts_of_saving(place)[-2:] == [False, True])
        assert alerts_of_saving(place) == [False, True], "told once, and that it is over once"
        until((place.state_dir / NAME).exists)


def test_a_file_that_may_not_grow_is_a_disk_that_is_full() -> None:
    with house(FLEET) as place:
        place.until_state("healthy")
        newest = max((place.state_dir / "journal").glob("*.log"))
        _, most = resource.prlimit(place.daemon.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(place.daemon.pid, resource.RLIMIT_FSIZE, (newest.stat().st_size, most))
        assert place.say("pause").err.startswith("done, but not saved: File too large; ")
        until(lambda: alerts_of_saving(place) == [False])
        assert place.get("summary").text("status") == "degraded"
        resource.prlimit(place.daemon.pid, resource.RLIMIT_FSIZE, (most, most))
        until(lambda: alerts_of_saving(place) == [False, True])
        place.daemon.kill()
        place.boot()
        assert place.get("summary").flag("paused")
        assert alerts_of_saving(place) == [False, True]
