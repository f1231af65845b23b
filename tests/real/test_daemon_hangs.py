"""Is a process that hangs asked where, before it is replaced, and is that told?"""

from __future__ import annotations

from tests.real.daemon_process import house

# Deaf to TERM, in a loop without an end, and able to say where.
HANGS = """
[guard]
verify = "0.2s"
attempts_per_hour = 0

[agents.stuck]
command = [{python}, "-X", "faulthandler", "-u", "program.py"]
checks = [{ heartbeat = "0.2s", interval = 0.1, fall = 1, rise = 1 }]
ready = { file = "$ready" }
stop = { dump = "ABRT", timeout = 30 }
"""
PROGRAM = """
import os, pathlib, signal, time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
beat = pathlib.Path(os.environ["SELFHEAL_HEARTBEAT_FILE"])

def turn_for_ever():
    while True:
        pass

first = not pathlib.Path("was-here").exists()
pathlib.Path("was-here").touch()
pathlib.Path("is-ready").touch()
for _ in range(10 if first else 10_000):
    beat.touch()
    time.sleep(0.05)
turn_for_ever()
"""


def test_the_stack_of_a_hung_process_is_part_of_its_story() -> None:
    with house() as place:
        (place.folder / "program.py").write_text(PROGRAM)
        place.boot(HANGS.replace("$ready", "is-ready"))
        place.until_state("healthy", "stuck")
        healed = place.healed("stuck")
        assert healed.text("cause") == "hung"
        why = place.say("why", "stuck").out
        assert "turn_for_ever" in healed.parts("attempts")[0].text("output")
        assert "hung" in why
        assert place.agent("stuck").text("state") == "healthy"
