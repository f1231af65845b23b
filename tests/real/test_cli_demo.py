"""Does the demo begin, tell, end and leave nothing behind, however it ends?"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from selfheal.cli import stage
from selfheal.clock import RealClock

CLOCK = RealClock()
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "NO_COLOR": "1"}


def until(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    """Return as soon as the condition holds; fail where it does not within the limit."""
    end, pause = CLOCK.monotonic() + limit_s, Event()
    while not condition():
        assert CLOCK.monotonic() < end
        pause.wait(0.02)


def selfheal(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "selfheal", *words]
    env = {**ENVIRONMENT, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=40, check=False, env=env)


@pytest.fixture
def state_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sh-") as folder:
        yield Path(folder) / "demo"
        for pid in alive(Path(folder) / "demo"):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def demo(state_dir: Path, out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A demo whose fleet is up. It is killed at the end where it has not ended by then."""
    command = [
        sys.executable,
        "-m",
        "selfheal",
        "demo",
        "--state-dir",
        str(state_dir),
        "--listen",
        f"127.0.0.1:{port()}",
    ]
    with out.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file, env=ENVIRONMENT) as process:
        try:
            until(lambda: out.read_text().count(" ready after ") == 9)
            yield process
        finally:
            process.kill()


def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


def alive(state_dir: Path) -> list[int]:
    """The processes of the fleet: all run in the folder of their configuration. The dead have no folder."""
    return [int(entry.name) for entry in Path("/proc").glob("[1-9]*") if _works_in(entry, state_dir)]


def _works_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink() == folder
    except OSError:
        return False


def test_a_demo_of_some_seconds_ends_by_itself_with_a_report(state_dir: Path) -> None:
    ended = selfheal("demo", "--seconds", "2", SELFHEAL_STATE_DIR=str(state_dir), SELFHEAL_LISTEN=f"127.0.0.1:{port()}")
    assert ended.returncode == 0
    assert ended.stderr == ""
    assert ended.stdout.startswith("9 small programs, most of which will fail. It ends after 2 s, with a report.\n")
    assert f"--state-dir {state_dir}" in ended.stdout
    assert "noticed, explained and healed" in ended.stdout
    assert "The fleet was up for" in ended.stdout
    assert (state_dir / "demo.log").stat().st_size > 0
    assert [entry.name for entry in state_dir.iterdir() if entry.is_file() and entry.stat().st_mode & 0o077] == []
    assert alive(state_dir) == []


def test_ctrl_c_ends_it_with_the_same_report(state_dir: Path, tmp_path: Path) -> None:
    with demo(state_dir, tmp_path / "out") as process:
        assert len(alive(state_dir)) == 9
        status = json.loads(selfheal("status", "--json", "--state-dir", str(state_dir)).stdout)
        assert status["agents"]["total"] == 9
        second = selfheal("demo", "--state-dir", str(state_dir))
        assert second.returncode == 1
        assert str(process.pid) in second.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=15) == 0
    assert "The fleet was up for" in (tmp_path / "out").read_text()
    assert alive(state_dir) == []


def test_a_demo_that_is_killed_leaves_nothing_behind(state_dir: Path, tmp_path: Path) -> None:
    with demo(state_dir, tmp_path / "out") as process:
        assert len(alive(state_dir)) == 9
        process.kill()
        until(lambda: alive(state_dir) == [], limit_s=5.0)


def test_what_an_earlier_demo_left_all_the_same_is_cleared_by_the_next(state_dir: Path, tmp_path: Path) -> None:
    marker = hashlib.blake2b(os.fsencode(state_dir.resolve()), digest_size=6).hexdigest()
    marked = {**ENVIRONMENT, "SELFHEAL_ID": f"{marker}/billing:1"}
    with subprocess.Popen(["sleep", "1000"], env=marked, start_new_session=True) as left:
        try:
            with demo(state_dir, tmp_path / "out") as process:
                assert left.wait(timeout=5) == -signal.SIGTERM
                process.send_signal(signal.SIGTERM)
                assert process.wait(timeout=15) == 0
        finally:
            left.kill()
    assert alive(state_dir) == []


def test_a_terminal_that_closes_ends_it_in_order(state_dir: Path) -> None:
    screen, keyboard = os.openpty()
    heeds = ["env", "--default-signal=HUP"]  # whoever runs the tests under nohup has it ignored
    command = [*heeds, sys.executable, "-m", "selfheal", "demo", "--state-dir", str(state_dir)]
    address = {"SELFHEAL_LISTEN": f"127.0.0.1:{port()}"}
    with subprocess.Popen(command, stdout=keyboard, stderr=keyboard, env={**ENVIRONMENT, **address}) as process:
        try:
            os.close(keyboard)
            said = b""
            while said.count(b" ready after ") < 9:
                said += os.read(screen, 4096)
            os.close(screen)
            process.send_signal(signal.SIGHUP)  # from the kernel,
            process.send_signal(signal.SIGHUP)  # and from the shell
            assert process.wait(timeout=15) == 0
        finally:
            process.kill()
    assert alive(state_dir) == []
    assert '"stop.asked"' in (state_dir / "demo.log").read_text()


def test_a_taken_address_that_was_asked_for_is_an_error_and_starts_nothing(state_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        ended = selfheal("demo", "--state-dir", str(state_dir), "--listen", taken)
    assert ended.returncode == 1
    assert taken in ended.stderr
    assert ended.stdout == "", "no page is announced that nobody serves"
    assert alive(state_dir) == []


def test_a_directory_that_is_not_a_demos_is_left_alone(state_dir: Path) -> None:
    state_dir.mkdir()
    (state_dir / "thesis.txt").write_text("years of work")
    ended = selfheal("demo", "--state-dir", str(state_dir))
    assert ended.returncode == 1
    assert "it holds files that no demo left there" in ended.stderr
    assert [entry.name for entry in state_dir.iterdir()] == ["thesis.txt"]


def test_it_names_itself_so_that_another_terminal_finds_it(tmp_path: Path) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "else where"
    for folder in (here, elsewhere):
        folder.mkdir()
        (folder / "selfheal").touch(mode=0o700)
    assert stage.program_of(str(here / "selfheal"), {"PATH": str(here)}) == "selfheal"
    assert stage.program_of(str(elsewhere / "selfheal"), {"PATH": str(here)}) == f"'{elsewhere}/selfheal'"
    assert stage.program_of(str(here / "selfheal"), {}) == f"{here}/selfheal"
    assert stage.program_of("/src/selfheal/__main__.py", {"PATH": str(here)}) == f"{sys.executable} -m selfheal"


def test_where_the_usual_port_is_taken_it_takes_another_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        monkeypatch.setattr(stage, "USUAL_PORT", taken)
        address = stage.usual_address()
    number = address.removeprefix("127.0.0.1:")
    assert number.isdecimal()
    assert int(number) != taken
    assert capsys.readouterr().err == f"Port {taken} is taken, so this demo listens on port {number}.\n"
