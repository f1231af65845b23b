"""Do the programs of the demo work, and fail, as they say, and is their fleet a configuration that holds?"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event

import pytest

from selfheal.cli.config import load_config
from selfheal.clock import RealClock
from selfheal.config.models import process_of
from selfheal.demo import fleet
from selfheal.errors import SelfhealError

PROGRAMS = Path(fleet.__file__).with_name("programs")
CLOCK = RealClock()


def until(condition: Callable[[], bool], limit_s: float = 15.0) -> None:
    """Return as soon as the condition holds; fail where it does not within the limit."""
    end, pause = CLOCK.monotonic() + limit_s, Event()
    while not condition():
        assert CLOCK.monotonic() < end
        pause.wait(0.01)


@contextmanager
def running(name: str, *words: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-IS", str(PROGRAMS / f"{name}.py"), *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def health(port: int, path: str = "/health", timeout: float = 2) -> tuple[int, str]:
    """Status and body; status 0 where nobody answers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except (OSError, HTTPException) as why:
        return 0, str(why)
    finally:
        connection.close()


def says(port: int, body: str) -> bool:
    return health(port)[1] == body


def test_the_worker_gets_jobs_from_the_api_which_counts_them_in_the_cache(tmp_path: Path) -> None:
    port, beat = fleet.free_ports(), tmp_path / "beat"
    with running("api", port["api"], port["cache"]):
        until(lambda: health(port["api"]) == (503, '{"cache": "down"}'))
        with (
            running("cache", port["cache"]),
            running("worker", port["api"], SELFHEAL_HEARTBEAT_FILE=str(beat)) as worker,
        ):
            until(lambda: health(port["api"]) == (200, '{"cache": "up"}'))
            until(beat.exists)
            assert worker.stdout is not None
            assert any("is done" in line for line in worker.stdout)
            first = json.loads(health(port["api"], "/job")[1])["job"]
            assert json.loads(health(port["api"], "/job")[1])["job"] > first
            with socket.create_connection(("127.0.0.1", port["cache"])) as cache:
                cache.sendall(b"SET a b c\nGET a\nGET nothing\nNONSENSE\n")
                answers = cache.makefile()
                assert [answers.readline() for _ in range(3)] == ["OK\n", "b c\n", "\n"]
                assert answers.readline().startswith("ERROR")
        until(lambda: health(port["api"])[0] == 503)


def test_billing_crashes_for_one_reason_or_another_and_a_seed_repeats_it() -> None:
    outputs: dict[int, str] = {}
    for seed in (1, 3, 1):
        with running("billing", "--after", "0.01", "0.02", "--seed", seed) as process:
            said, _ = process.communicate(timeout=10)
            assert process.returncode in (1, 3)
            assert outputs.setdefault(seed, said) == said
    assert outputs[1] != outputs[3]
    assert "Traceback" in "".join(outputs.values())


def test_the_mailer_hangs_while_its_process_lives_and_its_port_takes_connections() -> None:
    port = fleet.free_ports()["mailer"]
    with running("mailer", port, "--hang-after", 0.5) as process:
        until(lambda: health(port) == (200, "ok\n"))
        until(lambda: health(port, timeout=0.2)[0] == 0)
        socket.create_connection(("127.0.0.1", port)).close()
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == -signal.SIGTERM


def test_reports_grows_by_what_it_was_told_to() -> None:
    port = fleet.free_ports()["reports"]
    with running("reports", port, "--mb-per-second", 40) as process:
        until(lambda: health(port) == (200, "ok\n"))
        before = rss(process.pid)
        until(lambda: rss(process.pid) > before + 20_000_000)


def test_two_reports_share_a_port_and_one_that_ends_answers_who_waits(tmp_path: Path) -> None:
    port = fleet.free_ports()["reports"]
    with running("reports", port) as one, running("reports", port) as other:
        for process in (one, other):
            assert process.stdout is not None
            assert "listening" in process.stdout.readline()
        held = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(8)]
        one.send_signal(signal.SIGTERM)
        for waiting in held:
            waiting.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert waiting.recv(64).startswith(b"HTTP/1.0 200")
            waiting.close()
        assert one.wait(timeout=5) == 0
        assert health(port) == (200, "ok\n")


def test_reports_stops_growing_before_it_fills_the_machine() -> None:
    port = fleet.free_ports()["reports"]
    with running("reports", port, "--mb-per-second", 40, "--most-mb", 20) as process:
        until(lambda: health(port) == (200, "ok\n"))
        until(lambda: rss(process.pid) > 30_000_000)
        threads = Path(f"/proc/{process.pid}/task")
        until(lambda: all(waits_for_good(thread) for thread in threads.iterdir() if thread.name != str(process.pid)))
        assert rss(process.pid) < 60_000_000
        assert health(port) == (200, "ok\n")


def waits_for_good(thread: Path) -> bool:
    """Whether a thread waits for something that is not the time."""
    return thread.joinpath("wchan").read_text().startswith("futex")


def rss(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_quotes_goes_away_and_comes_back_and_rates_with_it() -> None:
    port = fleet.free_ports()
    with (
        running("rates", port["rates"], port["quotes"]),
        running("quotes", port["quotes"], "--away-after", 0.5, "--away-for", 0.5) as quotes,
    ):
        for state in ("up", "down", "up"):
            until(partial(says, port["rates"], f'{{"quotes": "{state}"}}'))
        assert quotes.poll() is None


def test_the_fleet_is_a_configuration_that_holds(tmp_path: Path) -> None:
    path = fleet.write_config(tmp_path, fleet.free_ports())
    config = load_config(path, {}).config
    assert list(config.agents) == [
        "cache", "api", "worker", "billing", "mailer", "reports:0", "reports:1", "quotes", "rates",
    ]  # fmt: skip
    assert config.daemon.state_dir == tmp_path / "state"
    for agent in config.agents.values():
        process = process_of(agent)
        assert process is not None
        assert Path(process.command[0]).exists()
        assert Path(process.command[2]).is_file()
        assert agent.checks


def test_no_two_ports_are_equal() -> None:
    ports = fleet.free_ports(tuple(map(str, range(50))))
    assert len(set(ports.values())) == 50


def test_a_demo_empties_what_a_demo_left_and_nothing_else(tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    fleet.refuse_strangers(demo)
    demo.mkdir()
    fleet.refuse_strangers(demo)
    fleet.write_config(demo, fleet.free_ports())
    (demo / "journal").mkdir()
    (demo / "journal/1").touch()
    (demo / "away").symlink_to(tmp_path)
    (demo / "lock").touch()
    fleet.refuse_strangers(demo)
    fleet.empty(demo)
    assert [entry.name for entry in demo.iterdir()] == ["lock"]
    fleet.refuse_strangers(demo)
    (demo / "thesis.txt").touch()
    with pytest.raises(SelfhealError, match="it holds files that no demo left there"):
        fleet.refuse_strangers(demo)


def test_the_directory_is_the_users_own_or_a_temporary_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert fleet.usable_directory({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "selfheal-demo"
    assert fleet.usable_directory({"HOME": str(tmp_path)}) == tmp_path / ".local/state/selfheal-demo"
    (tmp_path / "file").touch()
    for nowhere in ({"XDG_STATE_HOME": str(tmp_path / "file")}, {}, {"XDG_STATE_HOME": "relative"}):
        assert fleet.usable_directory(nowhere) == tmp_path / f"selfheal-demo-{os.getuid()}"
