"""Is damage to a file of JSON lines found, and is what was only added no damage?"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from selfheal.errors import DataFailed
from tests.real.json_data import LONG_AGO, add, asset, damage, lines, quick, thorough, write

TEN = lines(10)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "data" / "ledger.jsonl", TEN)


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory"


def test_sound_lines_are_counted_and_measured(path: Path, memory: Path) -> None:
    health = quick(asset(path), memory)
    assert (health.reason, health.cause, health.counts) == ("", "", {"files": 1, "lines": 10})
    assert health.signals["bytes"] == len(TEN)
    assert health.signals["age"] > 1e6


def test_what_is_added_is_all_that_a_quick_look_reads(tmp_path: Path, memory: Path) -> None:
    path = write(tmp_path / "big.jsonl", lines(40_000))
    assert quick(asset(path), memory).counts["lines"] == 40_000
    damage(path, 100, b"\0")
    add(path, lines(5))
    health = quick(asset(path), memory)
    assert (health.reason, health.counts["lines"]) == ("", 40_005)
    health = thorough(asset(path), memory)
    assert health.cause == "corrupted"
    assert "bytes 0 to 16,384 are not what they were" in health.reason
    assert quick(asset(path), memory).reason.startswith("big.jsonl: bytes 0 to 16,384 are not what they were")


@pytest.mark.parametrize("look", [quick, thorough])
def test_a_digit_that_changed_is_found_though_the_line_is_sound(path: Path, memory: Path, look: object) -> None:
    assert quick(asset(path), memory).reason == ""
    at = TEN.index(b'"id": 4') + 6
    damage(path, at, b"7")
    assert callable(look)
    for _ in range(2):
        health = look(asset(path), memory)
        assert (health.cause, "it only grows" in health.reason) == ("corrupted", True)
    assert quick(asset(path, append_only=False), memory).reason == ""


def test_all_of_a_large_file_is_read_again_by_quick_looks_in_turn(tmp_path: Path, memory: Path) -> None:
    data = lines(80_000)
    path = write(tmp_path / "big.jsonl", data)
    for at in (10, len(data) // 3, len(data) // 2):
        quick(asset(path), memory)
        damage(path, at, b"7")
        assert any(quick(asset(path), memory).cause == "corrupted" for _ in range(len(data) >> 20))
        damage(path, at, data[at : at + 1])
        assert quick(asset(path), memory).reason == ""


def test_every_bit_that_flips_in_what_was_seen_is_found(path: Path, memory: Path) -> None:
    chance = random.Random(7)
    for _ in range(40):
        at = chance.randrange(len(TEN))
        before = TEN[at : at + 1]
        damage(path, at, bytes([before[0] ^ 1 << chance.randrange(8)]))
        assert thorough(asset(path), memory / str(at)).counts["files"] == 1  # a first look may see nothing
        damage(path, at, before)
        assert quick(asset(path), memory / "kept").reason == ""
        damage(path, at, bytes([before[0] ^ 1 << chance.randrange(8)]))
        assert quick(asset(path), memory / "kept").cause in {"corrupted", "torn_tail"}
        damage(path, at, before)
        assert quick(asset(path), memory / "kept").reason == ""


@pytest.mark.parametrize("cut", range(1, len(TEN.splitlines()[-1]) + 1))
def test_a_tail_torn_at_any_byte_is_a_torn_tail(path: Path, memory: Path, cut: int) -> None:
    write(path, TEN[:-cut])
    health = quick(asset(path), memory)
    assert health.cause == "torn_tail"
    assert health.counts["lines"] == 9
    assert "line 10: " in health.reason


@pytest.mark.parametrize(
    ("data", "cause", "reason"),
    [
        (TEN + b"\0" * 5000, "torn_tail", "line 11: 5,000 bytes cannot be read (NUL bytes)"),
        (TEN + b"garbage\n", "torn_tail", "line 11: 8 bytes cannot be read (no JSON)"),
        (TEN + b"garbage\nmore\n", "corrupted", "lines 11 to 12: 13 bytes cannot be read (no JSON)"),
        (b"{]\n" + TEN, "corrupted", "line 1: 3 bytes cannot be read (no JSON)"),
        (TEN[:40] + b"\0" * 200 + TEN[240:], "corrupted", "line 1: "),
        (TEN + b'{"a": "\xe9"}\n' + TEN, "corrupted", "line 11: 11 bytes cannot be read (not UTF-8)"),
        (TEN + b'{"a": 1}{"a": 2}\n' + TEN + b"{\n" + TEN, "corrupted", "lines 11, 22: 19 bytes"),
        (TEN[:-1] + TEN, "corrupted", "line 10: "),
    ],
)
def test_damage_is_named_by_its_lines(path: Path, memory: Path, data: bytes, cause: str, reason: str) -> None:
    write(path, data)
    health = quick(asset(path), memory)
    assert (health.cause, health.reason.startswith(f"ledger.jsonl: {reason}")) == (cause, True)
    assert quick(asset(path), memory).reason == health.reason
    assert thorough(asset(path), memory).reason == health.reason


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n \n",
        b"\xef\xbb\xbf" + TEN,
        TEN.replace(b"\n", b"\r\n"),
        TEN + b"\n" + TEN,
        b'{"a": NaN}\n{"a": 1, "a": 2}\n' + b"[" * 5000 + b"]" * 5000 + b"\n",
        b'{"a": "' + b"x" * 5_000_000 + b'"}\n' + TEN,
    ],
    ids=["empty", "blank", "bom", "crlf", "blank between", "odd", "huge line"],
)
def test_what_is_unusual_is_no_damage(path: Path, memory: Path, data: bytes) -> None:
    write(path, data)
    for look in (quick, quick, thorough):
        assert look(asset(path), memory).reason == ""


def test_a_gap_of_nuls_that_is_larger_than_memory_allows_is_damage(path: Path, memory: Path) -> None:
    os.truncate(path, 140_000_000)
    os.utime(path, (LONG_AGO, LONG_AGO))
    health = quick(asset(path), memory)
    assert (health.cause, health.counts["lines"]) == ("torn_tail", 10)
    assert "139,999,3" in health.reason
    add(path, b"\n" + TEN)
    assert quick(asset(path), memory).cause == "corrupted"


def test_a_line_that_is_too_long_to_be_looked_at_is_no_damage_and_is_said(path: Path, memory: Path) -> None:
    with path.open("wb") as file:
        file.writelines([b"x" * 1_000_000] * 70)
    with pytest.raises(DataFailed, match=r"cannot look at line 1: it is longer than 64 MiB; write shorter records"):
        quick(asset(path), memory)


def test_lines_that_are_gone_are_missed(path: Path, memory: Path) -> None:
    assert quick(asset(path), memory).reason == ""
    write(path, lines(6))
    for _ in range(2):
        health = quick(asset(path), memory)
        assert (health.cause, health.reason) == ("missing_data", "ledger.jsonl: 6 lines are left of 10")
    assert quick(asset(path, max_drop=0.5), memory).reason == ""


def test_a_file_that_is_made_anew_is_missed_too(path: Path, memory: Path) -> None:
    assert quick(asset(path), memory).reason == ""
    path.unlink()
    health = quick(asset(path), memory)
    assert (health.cause, health.reason) == ("missing_data", "ledger.jsonl is not there")
    write(path, lines(1, 10))
    assert quick(asset(path), memory).cause == "missing_data"


def test_another_content_of_a_file_that_may_be_written_anew_is_no_damage(path: Path, memory: Path) -> None:
    anew = asset(path, append_only=False)
    assert quick(anew, memory).counts["lines"] == 10
    write(path, lines(3, 100))
    assert quick(anew, memory).counts["lines"] == 3
    write(path, lines(20, 200))
    assert quick(anew, memory).counts["lines"] == 20
    write(path, lines(2))
    assert quick(asset(path, append_only=False, max_drop=0.5), memory).cause == "missing_data"


@pytest.mark.parametrize("how", ["renamed", "copied", "packed"])
def test_a_rotation_is_no_loss(path: Path, memory: Path, how: str) -> None:
    assert quick(asset(path), memory).reason == ""
    rotated = path.with_name("ledger.jsonl.1")
    if how == "renamed":
        path.rename(rotated)
        assert quick(asset(path), memory).reason == ""
    else:
        (rotated if how == "copied" else rotated.with_suffix(".gz")).write_bytes(TEN)
        os.truncate(path, 0)
        assert quick(asset(path), memory).reason == ""
    write(path, lines(2, 10))
    health = quick(asset(path), memory)
    assert (health.reason, health.counts["lines"]) == ("", 2)


def test_a_file_that_is_not_begun_anew_after_a_rotation_is_missed_at_the_second_look(path: Path, memory: Path) -> None:
    quick(asset(path), memory)
    path.rename(path.with_name("ledger.jsonl.1"))
    assert quick(asset(path), memory).reason == ""
    assert quick(asset(path), memory).cause == "missing_data"


def test_data_that_are_not_kept_fresh_are_stale(path: Path, memory: Path) -> None:
    assert quick(asset(path, max_age=60), memory).cause == "stale"
    add(path, TEN)
    assert quick(asset(path, max_age=60), memory).reason == ""


def test_lines_have_to_be_of_the_form_that_is_asked_for(path: Path, memory: Path) -> None:
    wanted = asset(path, required={"id": "integer"})
    assert quick(wanted, memory).reason == ""
    add(path, b'{"id": "eleven"}\n{"no": 1}\n')
    for _ in range(2):
        health = quick(wanted, memory)
        assert health.cause == "schema_broken"
        assert health.reason == "ledger.jsonl: 2 lines not as they should be: line 11: id is string, not integer"


def test_many_files_are_one_asset(tmp_path: Path, memory: Path) -> None:
    folder = tmp_path / "days"
    for day in range(3):
        write(folder / "2026" / f"{day}.jsonl", TEN)
    write(folder / "2026" / "1.jsonl.damaged-20260101T000000Z", b"{")
    every = asset(folder, pattern="**/*.jsonl*")
    assert quick(every, memory).counts == {"files": 3, "lines": 30}
    write(folder / "2026" / "1.jsonl", TEN[:-5])
    assert quick(asset(folder / "20*" / "*.jsonl"), tmp_path / "other").cause == "torn_tail"
    (folder / "2026" / "2.jsonl").unlink()
    assert quick(every, memory).cause == "torn_tail"
    (folder / "2026" / "1.jsonl").unlink()
    assert quick(asset(folder, pattern="**/*.jsonl", max_drop=0.2), memory).cause == "missing_data"
    (folder / "2026" / "0.jsonl").unlink()
    assert quick(every, memory).reason == f"no file matches **/*.jsonl* in {folder}"


def test_a_memory_that_is_damaged_is_begun_anew(path: Path, memory: Path) -> None:
    quick(asset(path), memory)
    for kept in memory.iterdir():
        kept.write_bytes(b"\xc1garbage")
    assert quick(asset(path), memory).counts["lines"] == 10
