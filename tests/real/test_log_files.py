"""Is every line of an agent kept and shown, once and in order, while its log is rotated under it?"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.supervise import rotation
from selfheal.supervise.logs import page, tail
from selfheal.supervise.rotation import content, piece, rotate

BLOCK = 4096


@pytest.fixture(params=["collapse", "punch", "truncate"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way of cutting a file, as if the filesystem had none of the better ones."""
    fallocate = rotation._fallocate

    def poorer(fd: int, mode: int, offset: int, length: int) -> bool:
        able = {"collapse": True, "punch": mode != rotation._COLLAPSE_RANGE, "truncate": False}
        return able[str(request.param)] and fallocate(fd, mode, offset, length)

    monkeypatch.setattr(rotation, "_fallocate", poorer)
    return str(request.param)


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder on tmpfs, which can punch holes and cannot collapse."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


def numbered(count: int, first: int = 0) -> bytes:
    return b"".join(b"line %06d\n" % number for number in range(first, first + count))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def text_of(path: Path) -> bytes:
    """All pieces and the live file, joined."""
    pieces: list[bytes] = []
    number = 1
    while piece(path, number).exists():
        pieces.insert(0, piece(path, number).read_bytes())
        number += 1
    return b"".join(pieces) + live_part(path)


def live_part(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(content(file.fileno())[0])
        return file.read()


def test_a_log_within_its_size_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert not rotate(log, 100, 3)
    log.write_bytes(b"x" * 100)
    assert not rotate(log, 100, 3)
    log.write_bytes(b"x" * 101)
    assert not rotate(log, 100, 3)  # not one whole block
    assert names(tmp_path) == ["a.log"]


def test_what_outgrew_its_size_by_far_becomes_pieces_of_that_size(tmp_path: Path, way: str) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(numbered(3000))
    written = log.read_bytes()
    assert rotate(log, BLOCK, 100)
    assert text_of(log) == written
    sizes = [piece(log, number).stat().st_size for number in range(1, len(names(tmp_path)))]
    assert len(sizes) == len(written) // BLOCK
    assert max(sizes) == BLOCK


def test_of_too_many_pieces_the_oldest_are_left_out(tmp_path: Path, way: str) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(numbered(3000))
    written = log.read_bytes()
    assert rotate(log, BLOCK, 2)
    assert names(tmp_path) == ["a.log", "a.log.1", "a.log.2"]
    kept = text_of(log)
    assert written.endswith(kept)
    assert len(kept) < 3 * BLOCK


def test_a_rotated_log_is_the_same_text_in_two_files(tmp_path: Path, way: str) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(numbered(500))
    assert rotate(log, BLOCK, 3)
    assert text_of(log) == numbered(500)
    assert names(tmp_path) == ["a.log", "a.log.1"]
    assert 0 < len(live_part(log)) <= BLOCK
    assert piece(log, 1).stat().st_mode & 0o777 == 0o600
    assert not rotate(log, BLOCK, 3)


def test_a_log_of_exactly_whole_blocks_is_cut_too(tmp_path: Path, way: str) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * (2 * BLOCK))
    assert rotate(log, BLOCK, 3)
    assert (len(live_part(log)), piece(log, 1).stat().st_size) == (BLOCK, BLOCK)


def test_only_so_many_pieces_are_kept(tmp_path: Path, way: str) -> None:
    log = tmp_path / "a.log"
    for round_ in range(6):
        with log.open("ab") as file:
            file.write(numbered(1000, first=round_ * 1000))
        assert rotate(log, BLOCK, 2)
    assert names(tmp_path) == ["a.log", "a.log.1", "a.log.2"]
    assert numbered(6000).endswith(text_of(log))


def test_no_piece_at_all_may_be_kept(tmp_path: Path, way: str) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(numbered(1000))
    assert rotate(log, BLOCK, 0)
    assert names(tmp_path) == ["a.log"]
    assert numbered(1000).endswith(live_part(log))


WRITER = """
import sys
with open(sys.argv[1], "ab", buffering=0) as log:
    for number in range(20000):
        if number == 10000:
            sys.stdin.readline()
        log.write(b"line %06d\\n" % number)
"""


def rotated_while_written(log: Path) -> int:
    """Let a child write 20,000 lines, the second half after a rotation, and rotate all the while; returns how often."""
    log.touch()
    with subprocess.Popen([sys.executable, "-c", WRITER, str(log)], stdin=subprocess.PIPE) as writer:
        assert writer.stdin is not None
        rotations = 0
        while writer.poll() is None:
            rotations += rotate(log, 2 * BLOCK, 100)
            if rotations and not writer.stdin.closed:
                writer.stdin.close()
    assert writer.returncode == 0
    return rotations + rotate(log, 2 * BLOCK, 100)


def test_a_child_that_writes_on_loses_no_line_to_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert rotated_while_written(log) > 1
    assert text_of(log) == numbered(20_000)


def test_a_child_that_writes_on_loses_no_line_where_blocks_can_only_be_punched(memory: Path) -> None:
    log = memory / "a.log"
    assert rotated_while_written(log) > 1
    assert text_of(log) == numbered(20_000)
    assert log.stat().st_size == 20_000 * 12  # the hole counts …
    assert log.stat().st_blocks * 512 <= 4 * BLOCK  # … and holds nothing


def test_a_reader_is_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * 2 * BLOCK)
    with log.open("rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        assert not rotate(log, BLOCK, 3)
        with log.open("ab") as writer:
            writer.write(b"x")
        assert rotate(log, BLOCK, 3)


def test_a_failed_copy_leaves_the_log_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(numbered(1000))

    def full(*_: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "sendfile", full)
    with pytest.raises(OSError, match="No space"):
        rotate(log, BLOCK, 3)
    assert log.read_bytes() == numbered(1000)
    assert names(tmp_path) == ["a.log"]


# --- reading ---


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert tail(log, 5) == ()
    log.write_bytes(b"")
    assert tail(log, 5) == ()
    log.write_bytes(b"one\r\n\ntwo\xff\n  50%\r100%\nunfinish")
    assert tail(log, 9) == ("one", "", "two\ufffd", "  50%\r100%", "unfinish")
    assert tail(log, 2) == ("  50%\r100%", "unfinish")
    assert tail(log, 0) == ()
    assert tail(log, 9, max_bytes=12) == ("unfinish",)
    assert tail(log, 9, max_bytes=4) == ("nish",)


def test_the_tail_goes_on_into_the_older_pieces(tmp_path: Path, way: str) -> None:
    log = tmp_path / "a.log"
    with log.open("ab") as file:
        for round_ in range(4):
            file.write(numbered(1000, first=round_ * 1000))
            file.flush()
            rotate(log, BLOCK, 15)
    wanted = tuple(numbered(4000).decode().splitlines())
    assert tail(log, 3000) == wanted[-3000:]
    assert tail(log, 9999) == wanted  # 48 KB
    log.unlink()
    assert tail(log, 1) != ()


def read_on(log: Path, cursor: str, lines: int = 1000) -> tuple[list[str], str]:
    """Every page from a cursor on."""
    seen: list[str] = []
    while True:
        given, cursor = page(log, lines, cursor)
        if not given:
            return seen, cursor
        seen += given


def test_pages_begin_with_the_last_lines_and_go_on_where_the_cursor_is(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert page(log, 5, "")[0] == ()
    log.write_bytes(b"one\ntwo\nthr")
    given, cursor = page(log, 1, "")
    assert given == ("two",)
    assert page(log, 5, cursor) == ((), cursor)
    with log.open("ab") as file:
        file.write(b"ee\nfour\n")
    assert page(log, 1, cursor)[0] == ("three",)
    assert read_on(log, cursor, lines=1)[0] == ["three", "four"]
    assert page(log, 0, "")[0] == ()
    assert page(log, 9, "no-cursor")[0] == ("one", "two", "three", "four")


def test_a_reader_that_began_before_the_log_sees_it_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    _, cursor = page(log, 5, "")
    log.write_bytes(numbered(3))
    assert len(read_on(log, cursor)[0]) == 3
    _, cursor = read_on(log, cursor)
    log.write_bytes(b"truncated\n")
    assert read_on(log, cursor)[0] == ["truncated"]
    log.unlink()
    assert page(log, 5, cursor) == ((), cursor)


def test_a_line_without_an_end_is_shown_in_parts(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"")
    _, cursor = page(log, 5, "")
    log.write_bytes(b"x" * 200_000)
    seen, cursor = read_on(log, cursor)
    assert "".join(seen) == "x" * 200_000
    with log.open("ab") as file:
        file.write(b"yz\n")
    assert read_on(log, cursor)[0] == ["yz"]


Step = tuple[int, int]
"""How many lines are written, and what comes then: 0 a rotation, 1 a page, 2 neither."""


@given(steps=st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 2)), max_size=9), lines=st.integers(100, 2000))
def test_pages_give_every_line_once_whatever_happens_between_them(steps: list[Step], lines: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "a.log"
        log.touch()
        _, cursor = page(log, 0, "")
        seen: list[str] = []
        written = 0
        for count, then in steps:
            with log.open("ab") as file:
                file.write(numbered(count, first=written))
            written += count
            if then == 0:
                rotate(log, BLOCK, 100)
            elif then == 1:
                given_, cursor = page(log, lines, cursor)
                seen += given_
        seen += read_on(log, cursor, lines)[0]
        assert seen == numbered(written).decode().splitlines()
