"""Is each cause healed by the fix that is right for it, and by no restart where that is in vain?

Real programs that fail as programs do; what is read afterwards is what a person reads.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from selfheal.cli.client import Document
from tests.real.daemon_process import House, free_port, house, until

GUARD = """
[guard]
verify = 1
cooldown = 0
"""
SERVES = """
import socket, sys
door = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("serving", flush=True)
while True:
    door.accept()[0].close()
"""
LEAKS = """
import pathlib, time
held, been = [], pathlib.Path("been-here")
first = not been.exists()
been.touch()
time.sleep(0.5)
while first:
    held.append(b"x" * 4_000_000)
    time.sleep(0.05)
time.sleep(1000)
"""
ANSWERS = """
import http.server, pathlib
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        up = not pathlib.Path("db-is-down").exists()
        self.send_response(200 if up else 503)
        self.end_headers()
    def log_message(self, *words): pass
http.server.HTTPServer(("127.0.0.1", {port}), Handler).serve_forever()
"""


def tried(incident: Document) -> list[tuple[str, str]]:
    """What was done by reason, and how it went."""
    done = incident.parts("attempts")
    return [(one.text("fix"), one.text("outcome")) for one in done if not one.flag("reflex")]


def states(place: House, agent: str) -> list[str]:
    return [one.text("state") for one in place.incidents(agent)]


def test_a_process_that_crashes_is_back_by_reflex() -> None:
    with house(GUARD + '[agents.bot]\ncommand = ["sleep", "1000"]\n') as place:
        place.until_state("healthy", "bot")
        os.kill(place.pid("bot"), signal.SIGSEGV)
        healed = place.healed("bot")
        assert (healed.text("cause"), tried(healed)) == ("crashed", [])
        assert healed.parts("attempts")[0].flag("reflex")


def test_a_process_that_hangs_is_replaced_by_what_stands_by() -> None:
    fleet = """
[agents.bot]
command = [{python}, "bot.py"]
standby = "spare"
checks = [{ process = true, interval = 0.2, fall = 1, rise = 1 }]
"""
    with house() as place:
        (place.folder / "bot.py").write_text("import colorsys, time\ntime.sleep(1000)\n")
        place.boot(GUARD + fleet)
        place.until_state("healthy", "bot")
        until(lambda: place.agent("bot").part("standby").flag("ready"), what=lambda: place.agent("bot").raw)
        os.kill(place.pid("bot"), signal.SIGSTOP)
        healed = place.healed("bot")
        assert healed.text("cause") == "hung"
        assert tried(healed) == [("replace_by_spare", "succeeded")]
        assert "took over" in place.say("why", "bot").out


def test_a_leak_is_ended_before_the_machine_is_full() -> None:
    fleet = """
[agents.bot]
command = [{python}, "bot.py"]
limits = { memory = "60MB" }
checks = [{ process = true, interval = 0.2, fall = 2, rise = 1 }]
"""
    with house() as place:
        (place.folder / "bot.py").write_text(LEAKS)
        place.boot(GUARD + fleet)
        healed = place.healed("bot")
        assert healed.text("cause") == "out_of_memory"
        assert tried(healed) == [("restart", "succeeded")], "a process that has leaked is cured by a restart"
        assert "is over 60 MB" in place.say("why", "bot").out


def test_who_depends_on_what_is_down_is_left_alone_until_that_is_back() -> None:
    port = free_port()
    fleet = f"""
[agents.db]
command = [{{python}}, "db.py"]
checks = [{{ http = "http://127.0.0.1:{port}/", interval = 0.2, fall = 2, rise = 1 }}]
fixes = ["repair"]
modes = {{ restart = "off" }}   # what is as good as equal is drawn

[agents.shop]
command = ["sleep", "1000"]
depends_on = ["db"]
checks = [{{ http = "http://127.0.0.1:{port}/", interval = 0.2, fall = 2, rise = 1 }}]

[fixes.repair]
command = ["rm", "db-is-down"]
causes = ["wrong_answer"]
"""
    with house() as place:
        (place.folder / "db.py").write_text(ANSWERS.replace("{port}", str(port)))
        place.boot(GUARD + fleet)
        place.until_state("healthy", "db", "shop")
        pids = place.pid("db"), place.pid("shop")
        (place.folder / "db-is-down").touch()
        healed = place.healed("db")
        assert tried(healed) == [("repair", "succeeded")]
        place.until_state("healthy", "db", "shop")
        assert (place.pid("db"), place.pid("shop")) == pids, "nobody was restarted"
        assert place.incidents("shop") == [] or all(tried(one) == [] for one in place.incidents("shop"))


# --- a port that is taken ---


def taken(port: int, copies: str) -> str:
    return f"""
[agents.web]
command = ["{sys.executable}", "-IS", "web.py", "{port}"]
checks = [{{ tcp = "127.0.0.1:{port}", interval = 0.2, fall = 2, rise = 1 }}]

[agents.web.healing.free_port]
port = {port}
copies = {copies}
"""


@contextmanager
def squatter(place: House, *argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of nobody's that holds the port."""
    with subprocess.Popen(argv, cwd=place.folder, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"serving\n"
        try:
            yield process
        finally:
            process.kill()


def test_what_was_started_by_hand_and_holds_the_port_of_an_agent_is_ended_where_that_was_said() -> None:
    port = free_port()
    with house() as place:
        (place.folder / "web.py").write_text(SERVES)
        with squatter(place, sys.executable, "-IS", "web.py", str(port)) as process:
            place.boot(GUARD + taken(port, "true"))
            healed = place.healed("web")
            assert healed.text("cause") == "port_taken"
            assert tried(healed)[-1] == ("free_port", "succeeded")
            assert ("restart", "succeeded") not in tried(healed)
            assert process.wait(timeout=10) == -signal.SIGTERM
            assert f"port {port} is free: process {process.pid}" in place.say("why", "web").out
            place.until_state("healthy", "web")


def test_a_stranger_at_the_port_is_left_alone_and_named_to_a_person() -> None:
    port = free_port()
    with house() as place:
        (place.folder / "web.py").write_text(SERVES)
        (place.folder / "other.py").write_text(SERVES)
        with squatter(place, sys.executable, "-IS", "other.py", str(port)) as process:
            place.boot(GUARD + taken(port, "true"))
            until(lambda: "escalated" in states(place, "web"), what=lambda: place.say("why", "web").out)
            why = place.say("why", "web").out
            assert f"process {process.pid}" in why
            assert "which is no earlier run of web" in why
            assert process.poll() is None


# --- files ---

CAREFUL = """
import pathlib, sys, time
{check}
print("works", flush=True)
time.sleep(1000)
"""


def test_room_is_made_on_a_full_disk_of_what_was_listed_and_the_agent_goes_on() -> None:
    """Full is what the program says; the disk of this machine need not be."""
    fleet = """
[agents.bot]
command = [{python}, "bot.py"]
checks = [{ process = true, interval = 0.2, fall = 1, rise = 1 }]

[agents.bot.healing.free_disk]
paths = ["spool/*.tmp"]
until = 1.0
older_than = 0
"""
    full = 'if list(pathlib.Path("spool").glob("*.tmp")):\n    sys.exit("OSError: [Errno 28] No space left on device")'
    with house() as place:
        (place.folder / "bot.py").write_text(CAREFUL.replace("{check}", full))
        (place.folder / "spool").mkdir()
        for name in ("a.tmp", "b.tmp", "keep"):
            (place.folder / "spool" / name).write_text("x" * 1000)
        place.boot(GUARD + fleet)
        healed = place.healed("bot")
        assert healed.text("cause") == "disk_full"
        assert tried(healed) == [("free_disk", "succeeded")]
        assert [file.name for file in (place.folder / "spool").iterdir()] == ["keep"]
        assert "2 files with " in place.say("why", "bot").out


def test_a_configuration_that_was_broken_is_rolled_back_to_when_the_agent_was_last_well() -> None:
    fleet = """
[agents.bot]
command = [{python}, "bot.py"]
checks = [{ process = true, interval = 0.2, fall = 1, rise = 1 }]

[agents.bot.healing.roll_back]
files = ["bot.ini"]
after = 0.5
"""
    reads = 'if pathlib.Path("bot.ini").read_text() != "good":\n    sys.exit("cannot read what is written there")'
    with house() as place:
        config = place.folder / "bot.ini"
        (place.folder / "bot.py").write_text(CAREFUL.replace("{check}", reads))
        config.write_text("good")
        config.chmod(0o640)
        place.boot(GUARD + fleet)
        until(lambda: list((place.state_dir / "good").rglob("*-bot.ini")), what=lambda: place.log)
        config.write_text("bad")
        place.say("restart", "bot")
        healed = place.healed("bot")
        assert healed.text("cause") == "bad_configuration"
        assert tried(healed)[-1] == ("roll_back", "succeeded")
        assert (config.read_text(), config.stat().st_mode & 0o777) == ("good", 0o640)
        (kept,) = place.folder.glob("bot.ini.bad-*")
        assert kept.read_text() == "bad"
        assert "bot.ini changed since it was last well" in place.say("why", "bot").out


def test_an_agent_that_fails_over_what_it_has_kept_is_started_without_it() -> None:
    fleet = """
[agents.bot]
command = [{python}, "bot.py"]
checks = [{ process = true, interval = 0.2, fall = 1, rise = 1 }]

[agents.bot.healing.clean_restart]
caches = ["cache"]
"""
    reads = 'if pathlib.Path("cache/index").exists():\n    sys.exit("cannot go on")\npathlib.Path("cache").mkdir()'
    with house() as place:
        (place.folder / "bot.py").write_text(CAREFUL.replace("{check}", reads))
        (place.folder / "cache").mkdir()
        (place.folder / "cache" / "index").write_text("damaged")
        place.boot(GUARD + fleet)
        healed = place.healed("bot")
        assert tried(healed) == [("clean_restart", "succeeded")]
        until(lambda: not list(place.folder.glob(".cache.cleared-*")), what=lambda: list(place.folder.iterdir()))
        assert not (place.folder / "cache" / "index").exists()
