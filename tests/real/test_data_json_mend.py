"""Is a torn last line cut, or ended, and nothing else?"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from selfheal.errors import DataFailed
from tests.real.json_data import LONG_AGO, add, asset, kept_aside, lines, quick, write

TEN = lines(10)
LAST = TEN.splitlines()[-1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "data" / "ledger.jsonl", TEN)


@pytest.mark.parametrize("cut", range(2, len(LAST) + 1))
def test_a_tail_torn_at_any_byte_is_cut_and_kept(path: Path, tmp_path: Path, cut: int) -> None:
    quick(asset(path), tmp_path / "memory")
    write(path, TEN[:-cut])
    said = asset(path).mend("truncate_tail")
    assert path.read_bytes() == TEN[: -len(LAST) - 1]
    (kept,) = kept_aside(path)
    assert kept.read_bytes() == LAST[: len(LAST) - cut + 1]
    assert said == f"ledger.jsonl: cut {len(LAST) + 1 - cut:,} bytes after the last whole line, kept as {kept.name!r}"
    assert quick(asset(path), tmp_path / "memory").reason == ""
    assert asset(path).mend("truncate_tail") == "there was nothing to mend"
    assert kept_aside(path) == [kept]


def test_a_last_line_that_only_lost_its_newline_gets_it_back(path: Path) -> None:
    write(path, TEN[:-1])
    assert asset(path).mend("truncate_tail") == "ledger.jsonl: ended the last line"
    assert (path.read_bytes(), kept_aside(path)) == (TEN, [])


def test_nuls_after_a_whole_line_cost_no_line(path: Path) -> None:
    write(path, TEN[:-1] + b"\0" * 3000)
    assert asset(path).mend("truncate_tail") == "ledger.jsonl: ended the last line, cut 3,000 NUL bytes"
    assert path.read_bytes() == TEN


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"garbage\n", b"{]\n", b"123", b"\xff\xfe"])
def test_what_is_no_record_is_cut(path: Path, tail: bytes) -> None:
    write(path, TEN + tail)
    asset(path).mend("truncate_tail")
    assert path.read_bytes() == TEN
    assert [kept.read_bytes() for kept in kept_aside(path)] == [tail]


@pytest.mark.parametrize("data", [b"{\n" + TEN + b"{", b"{\n" + TEN, TEN + b"{\n{\n", b"{\n" + TEN[:-1]])
def test_damage_elsewhere_is_not_for_a_mend(path: Path, data: bytes) -> None:
    write(path, data)
    with pytest.raises(DataFailed, match="cannot be read too; salvage all of it"):
        asset(path).mend("truncate_tail")
    assert (path.read_bytes(), kept_aside(path)) == (data, [])


def test_what_was_written_a_moment_ago_is_left_alone(path: Path) -> None:
    write(path, TEN + b"{", time.time())
    with pytest.raises(DataFailed, match="it was written to in the last 3 s"):
        asset(path).mend("truncate_tail")
    assert path.read_bytes() == TEN + b"{"


def test_a_mend_that_died_after_the_tail_was_kept_keeps_it_once(path: Path) -> None:
    write(path, TEN + b'{"id": 10')
    asset(path).mend("truncate_tail")
    write(path, TEN + b'{"id": 10')
    asset(path).mend("truncate_tail")
    assert len(kept_aside(path)) == 1
    os.utime(path, (LONG_AGO, LONG_AGO))
    add(path, b'{"id": 11')
    os.utime(path, (LONG_AGO, LONG_AGO))
    asset(path).mend("truncate_tail")
    assert [kept.read_bytes() for kept in kept_aside(path)] == [b'{"id": 10', b'{"id": 11']


def test_a_repair_that_there_is_not_is_refused(path: Path) -> None:
    with pytest.raises(DataFailed, match=r"cannot mend ledger by 'polish': there is only truncate_tail"):
        asset(path).mend("polish")


def test_documents_have_no_tail_to_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "state.json", b'{"a": 1')
    assert asset(path).mend("truncate_tail") == "there was nothing to mend"
