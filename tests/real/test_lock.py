"""Does one daemon at most work on a state directory, and can the next one always begin?"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from selfheal.errors import SelfhealError, StateDirHeld
from selfheal.store.lock import StateLock

HOLDER = """
import subprocess, sys, pathlib
from selfheal.store.lock import StateLock
lock = StateLock.acquire(pathlib.Path(sys.argv[1]))
agent = subprocess.Popen(["sleep", "60"], close_fds=False)
print(agent.pid, flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(directory: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A daemon that holds the directory, and the pid of an agent that it started."""
    argv = [sys.executable, "-c", HOLDER, str(directory)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        agent = int(process.stdout.readline())
        try:
            yield process, agent
        finally:
            process.kill()
            os.kill(agent, 9)


def test_the_directory_is_made_and_private(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "state"
    with StateLock.acquire(directory) as lock:
        assert lock.directory == directory
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert stat.S_IMODE((directory / "lock").stat().st_mode) == 0o600
        assert (directory / "lock").read_text() == f"{os.getpid()}\n"


def test_a_second_daemon_is_told_who_holds_it(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, _):
        with pytest.raises(StateDirHeld, match=f"process {process.pid} holds it; stop that daemon first") as caught:
            StateLock.acquire(tmp_path)
        assert (caught.value.path, caught.value.pid) == (tmp_path, process.pid)


def test_a_holder_without_a_name_holds_it_all_the_same(tmp_path: Path) -> None:
    with holder(tmp_path):
        os.truncate(tmp_path / "lock", 0)
        with pytest.raises(StateDirHeld, match="another process holds it"):
            StateLock.acquire(tmp_path)


def test_a_daemon_that_was_killed_holds_nothing_though_its_agents_live(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, agent):
        process.kill()
        process.wait(10)
        os.kill(agent, 0)
        with StateLock.acquire(tmp_path):
            assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_what_was_released_can_be_taken_again(tmp_path: Path) -> None:
    lock = StateLock.acquire(tmp_path)
    with pytest.raises(StateDirHeld):
        StateLock.acquire(tmp_path)
    lock.release()
    lock.release()
    StateLock.acquire(tmp_path).release()


def test_a_directory_that_others_could_read_is_closed_and_a_foreign_one_left_alone(tmp_path: Path) -> None:
    ours, foreign = tmp_path / "ours", tmp_path / "foreign"
    for directory in (ours, foreign):
        directory.mkdir()
        directory.chmod(0o755)
    (foreign / "letter.txt").write_text("mine")
    StateLock.acquire(ours).release()
    for _ in range(2):
        StateLock.acquire(foreign).release()
    assert stat.S_IMODE(ours.stat().st_mode) == 0o700
    assert stat.S_IMODE(foreign.stat().st_mode) == 0o755


def test_a_directory_that_a_daemon_used_is_closed_whatever_opened_it(tmp_path: Path) -> None:
    names = (
        "key", "schema", ".reserve", "fix_history.json", "fix_history.json.previous", ".checksums",
        "key.damaged-20260102T120000Z-2",
    )  # fmt: skip
    for name in names:
        (tmp_path / name).touch()
    for name in ("journal", "history", "data", "backups", "logs", "run", "lost+found"):
        (tmp_path / name).mkdir()
    tmp_path.chmod(0o755)
    with StateLock.acquire(tmp_path) as lock:
        assert lock.shared == ""
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_why_a_directory_stays_open_is_said(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()
    tmp_path.chmod(0o755)
    with StateLock.acquire(tmp_path) as lock:
        assert "letter.txt" in lock.shared
    tmp_path.chmod(0o700)
    with StateLock.acquire(tmp_path) as lock:
        assert lock.shared == ""


def test_a_mode_that_is_not_ours_to_change_is_said_and_lived_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    tmp_path.chmod(0o755)
    monkeypatch.setattr(Path, "chmod", refused)
    with StateLock.acquire(tmp_path) as lock:
        assert "cannot be changed" in lock.shared


def test_a_directory_that_cannot_be_used_is_said_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    wanted = tmp_path / "file" / "state"
    said = f"cannot use state directory {str(wanted)!r}: Not a directory; make it writable"
    with pytest.raises(SelfhealError, match=re.escape(said)):
        StateLock.acquire(wanted)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_is_read_only_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SelfhealError, match="Permission denied"):
        StateLock.acquire(tmp_path)
