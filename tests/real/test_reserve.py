"""Is there room for the last words on a real disk that is full?"""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from selfheal.store.reserve import NAME, Reserve

SIZE, MARGIN = 256 * 1024, 256 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let us mount a small disk")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(path: Path) -> int:
    """Take all the room there is; returns how much that was."""
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return path.stat().st_size


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("allocates", [True, False])
def test_its_room_is_real_and_is_there_when_it_is_let_go(
    disk: Path, allocates: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(fd: int, begin: int, size: int) -> None:
        raise OSError(95, "Operation not supported")

    if not allocates:
        monkeypatch.setattr(os, "posix_fallocate", cannot)
    kept = Reserve(disk, SIZE, MARGIN)
    kept.make()
    assert kept.held
    assert (disk / NAME).stat().st_mode & 0o777 == 0o600
    fill(disk / "ballast")
    assert fill(disk / "more") == 0
    assert kept.release()
    assert (kept.held, kept.spent) == (False, True)
    assert fill(disk / "more") >= SIZE
    assert not kept.release(), "it gives room once"


def test_it_is_made_again_by_itself_and_not_on_a_disk_that_is_nearly_full(disk: Path) -> None:
    kept = Reserve(disk, SIZE, MARGIN)
    kept.make()
    fill(disk / "ballast")
    kept.release()
    kept.make()
    assert (kept.held, kept.spent) == (False, False), "there is room for as much, and the disk is nearly full"
    fill(disk / "ballast")
    kept.make()
    assert not kept.held
    (disk / "ballast").unlink()
    kept.make()
    assert kept.held


def test_one_of_an_earlier_daemon_is_its_own(disk: Path) -> None:
    Reserve(disk, SIZE, MARGIN).make()
    fill(disk / "ballast")
    assert Reserve(disk, SIZE, MARGIN).release()


def test_where_it_cannot_be_made_nobody_is_told(tmp_path: Path) -> None:
    gone = Reserve(tmp_path / "nowhere", SIZE, MARGIN)
    gone.make()
    assert (gone.held, gone.release(), gone.spent) == (False, False, False)
    kept = Reserve(tmp_path, SIZE, MARGIN)
    with largest_file(SIZE // 2):
        kept.make()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / NAME).mkdir()
    kept.make()
    assert not kept.release()
