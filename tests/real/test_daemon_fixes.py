"""Does the whole daemon heal real processes by reloading, replacing and giving them more, and call what it is told to?

One fleet for all tests in here: each has an agent of its own.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from selfheal.cli.client import Document
from tests.real.daemon_process import House, house, until

SECRET = "hunter2-of-the-hook"

# Well while its file says so; on SIGUSR1 it writes that itself.
RELOADS = """
import pathlib, signal, time
good = pathlib.Path("reloads.good")
signal.signal(signal.SIGUSR1, lambda *_: good.write_text("well"))
while True:
    time.sleep(0.05)
"""
# Opens files until it may open no more, and says so.
OPENS = """
import pathlib, time
held = []
while True:
    try:
        while len(held) < 100:
            held.append(open("/dev/null"))
        pathlib.Path("opens.new").write_text("well")
        pathlib.Path("opens.new").replace("opens.good")  # never seen empty meanwhile
    except OSError:
        print("OSError: [Errno 24] Too many open files", flush=True)
    time.sleep(0.1)
"""
GROWS = """
import time
time.sleep(1.5)  # first it is well: what never was is given time to start
held = b"x" * 60_000_000
time.sleep(1000)
"""
SPARED = """
import colorsys, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(1000)
"""
WATCHED = 'checks = [{{ command = ["test", "-s", "{0}.good"], interval = 0.2, fall = 2, rise = 1, start_grace = 0 }}]'

FLEET = """
[guard]
verify = 0.5
cooldown = 0
storm = 1
acts_per_agent = 0

[agents.reloads]
command = [{python}, "reloads.py"]
WATCHED(reloads)
fixes = ["wrong"]
[agents.reloads.healing.reload]
signal = "USR1"
[agents.deaf]
command = ["sleep", "1000"]
WATCHED(deaf)
[agents.deaf.healing]
reload = {}

[agents.spared]
command = [{python}, "spared.py"]
standby = "spare"
stop = { timeout = 60 }
checks = [{ process = true, interval = 0.2, fall = 2, rise = 1 }]

[agents.opens]
command = [{python}, "opens.py"]
limits = { fds = 80 }
WATCHED(opens)
[agents.opens.healing.raise_limit]
fds = 300

[agents.grows]
command = [{python}, "grows.py"]
limits = { memory = "50MB" }
checks = [{ process = true, interval = 0.2, fall = 2, rise = 1 }]
[agents.grows.healing.raise_limit]
memory = "100MB"

[agents.site]
kind = "service"
WATCHED(site)
fixes = ["hook"]
[agents.gone]
kind = "service"
WATCHED(gone)
fixes = ["refused"]

[agents.loud]
kind = "service"
WATCHED(loud)
fixes = ["tells"]

[fixes.tells]
command = ["sh", "-c", "printf 'token=hunter2hunter2\\n%01990d' 0; exit 1"]
[fixes.wrong]
command = ["false"]
cost = "1h"
[fixes.hook]
http = "http://127.0.0.1:PORT/mend/{agent}?why={cause}"
method = "PUT"
headers = { X-Hook = "SECRET" }
body = '{"incident": "{incident}", "agent": "{agent}"}'
[fixes.refused]
http = "http://127.0.0.1:PORT/refuse"
headers = { X-Hook = "SECRET" }
"""


class Hooks:
    """Somebody's API: it mends what is named in the path, and refuses all else with what it was sent."""

    def __init__(self, folder: Path) -> None:
        self.heard: list[tuple[str, str, str, str]] = []
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                self._answer(204, "")
                name = self.path.partition("?")[0].rpartition("/")[2]
                (folder / f"{name}.good").write_text("well")

            def do_POST(self) -> None:
                self._answer(409, f"not with {self.headers['X-Hook']}, " + "no " * 1000)

            def _answer(self, status: int, text: str) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                hooks.heard.append((self.command, self.path, self.headers["X-Hook"], body))
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.port = self._server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[House, Hooks]]:
    with house() as home:
        hooks = Hooks(home.folder)
        try:
            for name, text in (("reloads", RELOADS), ("opens", OPENS), ("grows", GROWS), ("spared", SPARED)):
                (home.folder / f"{name}.py").write_text(text)
            for name in ("reloads", "deaf", "opens", "site", "gone", "loud"):
                (home.folder / f"{name}.good").write_text("well")
            text = FLEET.replace("PORT", str(hooks.port)).replace("SECRET", SECRET)
            for name in ("reloads", "deaf", "opens", "site", "gone", "loud"):
                text = text.replace(f"WATCHED({name})", WATCHED.format(name))
            home.boot(text)
            home.until_state("healthy", "reloads", "deaf", "opens", "site", "gone", "loud", "spared")
            yield home, hooks
        finally:
            hooks.close()


def attempts(place: House, agent: str) -> list[Document]:
    """All that was tried on an agent, oldest first."""
    return [one for incident in reversed(place.incidents(agent)) for one in incident.parts("attempts")]


def tried(place: House, agent: str, fix: str) -> Document:
    """The first attempt with a fix, once it has ended."""

    def found() -> Document | None:
        return next((one for one in attempts(place, agent) if one.text("fix") == fix and one.text("outcome")), None)

    attempt = until(found, what=lambda: [one.raw for one in place.incidents(agent)])
    assert attempt is not None
    return attempt


def test_a_process_reloads_at_the_signal_that_it_catches(place: tuple[House, Hooks]) -> None:
    home, _ = place
    before = home.pid("reloads")
    (home.folder / "reloads.good").write_text("")
    home.healed("reloads")
    attempt = tried(home, "reloads", "reload")
    assert attempt.text("outcome") == "succeeded"
    assert attempt.text("output") == f"SIGUSR1 was sent to process {before} of reloads, to reload"
    assert home.pid("reloads") == before


def test_a_process_that_takes_no_such_signal_is_not_sent_it(place: tuple[House, Hooks]) -> None:
    home, _ = place
    (home.folder / "deaf.good").write_text("")
    attempt = tried(home, "deaf", "reload")
    assert attempt.text("outcome") == "failed"
    assert attempt.text("output") == "cannot send SIGHUP to deaf: it does not catch SIGHUP, which would end it"
    (home.folder / "deaf.good").write_text("well")
    home.healed("deaf")


def test_a_spare_takes_over_from_what_hangs_however_patient_its_stop_is(place: tuple[House, Hooks]) -> None:
    home, _ = place
    until(lambda: home.agent("spared").part("standby").flag("ready"))
    coming = home.agent("spared").part("standby").count("pid")
    os.kill(home.pid("spared"), signal.SIGSTOP)
    attempt = tried(home, "spared", "replace_by_spare")
    assert attempt.text("outcome") == "succeeded"
    assert home.pid("spared") == coming


def test_a_process_that_may_open_no_more_files_is_given_half_more_as_it_runs(place: tuple[House, Hooks]) -> None:
    home, _ = place
    before = home.pid("opens")
    (home.folder / "opens.good").write_text("")
    home.healed("opens")
    attempt = tried(home, "opens", "raise_limit")
    assert attempt.text("output") == "opens: fds was raised from 80 to 120, without a restart"
    assert home.pid("opens") == before
    assert resource.prlimit(before, resource.RLIMIT_NOFILE) == (120, 300)
    assert home.agent("opens").count("fds_limit") == 120
    home.daemon.kill()
    home.boot()
    assert home.pid("opens") == before
    assert home.agent("opens").count("fds_limit") == 120
    os.kill(before, signal.SIGKILL)
    again = until(lambda: home.pid("opens") not in (0, before) and home.pid("opens"))
    until(lambda: resource.prlimit(again, resource.RLIMIT_NOFILE) == (120, 300))
    toml = (home.folder / "selfheal.toml").read_text()
    home.configure(toml.replace("fds = 80", "fds = 70"))
    assert home.say("reload").code == 0
    assert home.agent("opens").count("fds_limit") == 70
    assert resource.prlimit(home.pid("opens"), resource.RLIMIT_NOFILE) == (70, 300)
    home.configure(toml)


def test_a_process_that_needs_more_memory_is_given_half_more_as_it_runs(place: tuple[House, Hooks]) -> None:
    home, _ = place
    home.healed("grows")
    attempt = tried(home, "grows", "raise_limit")
    assert attempt.text("output") == "grows: memory was raised from 50 MB to 75 MB, without a restart"
    agent = home.agent("grows")
    assert (agent.count("memory_limit"), agent.count("restarts")) == (75_000_000, 0)


def test_a_url_is_called_and_what_it_answers_is_shown_without_our_secret(place: tuple[House, Hooks]) -> None:
    home, hooks = place
    (home.folder / "site.good").write_text("")
    incident = home.healed("site")
    assert tried(home, "site", "hook").text("output") == "answered with status 204"
    sent = {"incident": incident.text("id"), "agent": "site"}
    assert hooks.heard == [("PUT", "/mend/site?why=wrong_answer", SECRET, json.dumps(sent))]
    (home.folder / "gone.good").write_text("")
    attempt = tried(home, "gone", "refused")
    assert attempt.text("outcome") == "failed"
    said = attempt.text("output").removeprefix("answered with status 409: ")
    assert said.startswith("not with ***, no no")
    assert len(said) == 500
    assert SECRET not in home.log + home.say("why", "gone").out + home.say("config", "show").out
    (home.folder / "gone.good").write_text("well")


def test_half_a_secret_at_the_edge_of_what_is_kept_of_a_commands_output_is_masked_too(
    place: tuple[House, Hooks],
) -> None:
    home, _ = place
    (home.folder / "loud.good").write_text("")
    attempt = tried(home, "loud", "tells")
    (home.folder / "loud.good").write_text("well")
    assert attempt.text("output") == f"sh ended with 1: token=***\n{'0' * 1990}"
