"""Does a daemon end as it is told to, in time, whatever is under way?"""

from __future__ import annotations

import signal

from tests.real.daemon_process import CLOCK, House, Stream, house, until

# Deaf to TERM, and ill: its file is older than its check allows, so that a fix is at it again and again.
DEAF = """
[daemon]
stop_timeout = 3
[guard]
attempts_per_hour = 0
verify = "1s"

[agents.deaf]
command = [{python}, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(1000)"]
checks = [{ command = ["test", "-e", "well"], interval = 0.1, fall = 1 }]
stop = { timeout = 60 }

[agents.polite]
command = ["sleep", "1000"]
"""
WELL = "well"


def ill(place: House) -> None:
    """Let the check of the deaf agent fail, and wait until a fix is at work on it."""
    (place.folder / WELL).unlink()

    def at_work() -> bool:
        attempts = [attempt for incident in place.incidents("deaf") for attempt in incident.parts("attempts")]
        return any(not one.text("ended_at") and not one.flag("reflex") for one in attempts)

    until(at_work, what=lambda: place.log)


def booted(place: House) -> None:
    (place.folder / WELL).touch()
    place.boot(DEAF)
    place.until_state("healthy")


def test_a_stop_in_the_middle_of_a_recovery_is_quick_and_complete() -> None:
    with house() as place:
        booted(place)
        streams = [Stream(place.port) for _ in range(3)]
        assert all(stream.began.wait(5.0) for stream in streams)
        ill(place)
        began = CLOCK.monotonic()
        assert place.stop() == 0
        assert CLOCK.monotonic() - began < 5.0
        assert place.marked() == []
        for stream in streams:
            stream.join(1.0)
            assert stream.ended == "cleanly"
        assert place.logged("daemon.stopped")
        assert place.daemon.err.read_text() == ""
        booted(place)
        assert [one.text("outcome") for one in place.incidents("deaf")[0].parts("attempts")][:1] == ["interrupted"]


def test_a_second_signal_ends_it_at_once_and_its_agents_with_it() -> None:
    with house() as place:
        booted(place)
        place.daemon.signal(signal.SIGTERM)
        until(lambda: place.logged("stop.asked"))
        began = CLOCK.monotonic()
        place.daemon.signal(signal.SIGTERM)
        assert place.daemon.wait() == 1
        assert CLOCK.monotonic() - began < 1.0
        until(lambda: not place.marked(), 1.0)


def test_ctrl_c_is_a_stop_like_any_other() -> None:
    with house('[agents.polite]\ncommand = ["sleep", "1000"]') as place:
        place.daemon.signal(signal.SIGINT)
        assert place.daemon.wait() == 0
        assert place.marked() == []
        place.boot()
        assert place.agent("polite").text("state") == "starting", "it is nobody's wish that it stays away"
