"""Is every sound record of a damaged file saved, is none made up, and is what was lost told exactly?"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfheal.errors import DataFailed
from tests.real.json_data import LONG_AGO, are_records, asset, damage, kept_aside, lines, numbers, quick, write

COUNT = 60
DATA = lines(COUNT)
FEW = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def salvaged(tmp_path: Path, data: bytes, **options: object) -> tuple[Path, str]:
    """Salvage `data`; returns the healed file and what was lost."""
    place = tmp_path / str(len(list(tmp_path.iterdir())))
    source = write(place / "data" / "ledger.jsonl", data)
    into = place / "into"
    into.mkdir()
    result = asset(source, **options).salvage(into)
    healed = into / "ledger.jsonl"
    assert result.proof.counts == {"files": 1, "lines": len(healed.read_bytes().splitlines())}
    assert bool(result.lost) == bool(kept_aside(source))
    return healed, result.lost


def test_sound_lines_are_saved_as_they_are(tmp_path: Path) -> None:
    healed, lost = salvaged(tmp_path, DATA)
    assert (healed.read_bytes(), lost) == (DATA, "")
    assert healed.stat().st_mtime == LONG_AGO


def test_what_is_lost_is_told_by_line_and_kept(tmp_path: Path) -> None:
    texts = DATA.splitlines(keepends=True)
    texts[16] = b"garbage\n"
    texts[40:43] = [b"{\n", b"\xff\xff\n", b"}\n"]
    healed, lost = salvaged(tmp_path, b"".join(texts))
    assert numbers(healed) == [number for number in range(COUNT) if number not in {16, 40, 41, 42}]
    assert lost == "ledger.jsonl: lines 17, 41 to 43: 11 bytes"
    (kept,) = kept_aside(healed.parents[1] / "data" / "ledger.jsonl")
    assert kept.name == "ledger.jsonl.damaged-20231114T221320Z.lines"
    told = [json.loads(line) for line in kept.read_bytes().splitlines()]
    assert [(each["line"], each.get("text", each.get("base64"))) for each in told] == [
        (17, "garbage"), (41, "{"), (42, "//8="), (43, "}"),
    ]  # fmt: skip


@FEW
@given(st.data())
def test_of_a_cut_file_all_whole_lines_are_saved(tmp_path: Path, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(DATA)))
    healed, _ = salvaged(tmp_path, DATA[:cut])
    ids = numbers(healed)
    assert ids == list(range(len(ids)))
    assert len(ids) in {
        DATA[:cut].count(b"\n"),
        DATA[: cut + 1].count(b"\n"),
    }  # one that only lost its newline is whole


@FEW
@given(st.integers(0, len(DATA) - 1), st.integers(1, 3000))
def test_of_a_file_with_a_zeroed_block_all_that_it_did_not_touch_is_saved(tmp_path: Path, at: int, size: int) -> None:
    end = min(len(DATA), at + size)
    healed, _ = salvaged(tmp_path, DATA[:at] + b"\0" * (end - at) + DATA[end:])
    first, last = DATA[:at].count(b"\n"), DATA[: end - 1].count(b"\n")
    ids = numbers(healed)
    assert {*range(first), *range(last + 1, COUNT)} <= set(ids)
    assert are_records(ids, DATA)


@FEW
@given(st.lists(st.tuples(st.integers(0, len(DATA) - 1), st.integers(0, 7)), min_size=1, max_size=5))
def test_flipped_bits_cost_the_lines_that_they_hit(tmp_path: Path, flips: list[tuple[int, int]]) -> None:
    data = bytearray(DATA)
    for at, bit in flips:
        data[at] ^= 1 << bit
    healed, _ = salvaged(tmp_path, bytes(data))
    hit = {DATA[:at].count(b"\n") + more for at, _ in flips for more in (0, 1)}
    untouched = [line for number, line in enumerate(DATA.splitlines()) if number not in hit]
    assert set(untouched) <= set(healed.read_bytes().splitlines())


def test_lines_that_lost_the_newline_between_them_come_apart_where_both_are_whole(tmp_path: Path) -> None:
    healed, lost = salvaged(tmp_path, DATA.replace(b"\n", b"", 3))
    assert (numbers(healed), lost) == (list(range(COUNT)), "")
    torn = DATA[: DATA.index(b"\n") - 5] + DATA[DATA.index(b"\n") + 1 :]
    healed, lost = salvaged(tmp_path, torn)
    assert numbers(healed) == list(range(2, COUNT))
    assert lost.startswith("ledger.jsonl: line 1: ")


def test_of_two_writers_that_wrote_into_each_other_no_record_is_made_up(tmp_path: Path) -> None:
    chance = random.Random(5)
    ours, theirs = lines(30).splitlines(keepends=True), lines(30, 100).splitlines(keepends=True)
    mixed = b""
    for mine, other in zip(ours, theirs, strict=True):
        cut = chance.choice([len(mine), chance.randrange(len(mine))])
        mixed += mine[:cut] + other + mine[cut:]
    healed, lost = salvaged(tmp_path, mixed)
    texts = set(healed.read_bytes().splitlines(keepends=True))
    assert texts <= {*ours, *theirs}
    assert len(texts) > 20
    assert lost


@pytest.mark.parametrize("tail", [b"12", b"12\0\0", b'"text"', b"true"])
def test_a_bare_value_without_an_end_may_have_gone_on_and_is_not_taken(tmp_path: Path, tail: bytes) -> None:
    healed, lost = salvaged(tmp_path, DATA + tail)
    assert (healed.read_bytes(), lost) == (DATA, f"ledger.jsonl: line 61: {len(tail)} bytes")


def test_lines_of_another_form_are_not_taken(tmp_path: Path) -> None:
    healed, lost = salvaged(tmp_path, DATA + b'{"no": 1}\n', required={"id": "integer"})
    assert (healed.read_bytes(), lost) == (DATA, "ledger.jsonl: line 61: 9 bytes")


def test_what_has_changed_since_it_was_seen_is_not_taken_though_it_is_sound(tmp_path: Path) -> None:
    data = lines(5000)
    path = write(tmp_path / "ledger.jsonl", data)
    quick(asset(path), tmp_path / "memory")
    damage(path, data.index(b'"id": 3000') + 6, b"4")
    into = tmp_path / "into"
    into.mkdir()
    result = asset(path, room=tmp_path / "memory").salvage(into)
    saved = set(numbers(into / path.name))
    assert 4000 in saved
    assert 3000 not in saved
    assert (into / path.name).read_bytes().count(b'"id": 4000') == 1
    assert len(saved) > 3500
    assert result.lost.startswith("ledger.jsonl: lines 2,")


@pytest.mark.parametrize(
    ("rest", "lost"),
    [
        (b"\0" * 64, "state.json: 64 bytes after the end of the document"),
        (b', 8]}\n{"b"', "state.json: 10 bytes after the end of the document"),
        (b'{"a": [1, 2]}', "state.json: 13 bytes after the end of the document"),
        (b"\xff\xfe", "state.json: 2 bytes after the end of the document"),
    ],
)
def test_a_document_is_taken_up_to_its_end(tmp_path: Path, rest: bytes, lost: str) -> None:
    path = write(tmp_path / "state.json", b'{"a": [1, 2]}' + rest)
    into = tmp_path / "into"
    into.mkdir()
    result = asset(path).salvage(into)
    assert (result.lost, (into / "state.json").read_bytes()) == (lost, b'{"a": [1, 2]}')


@pytest.mark.parametrize("data", [b'{"a": [1, 2', b"", b"\0\0", b'\0{"a": 1}', b"[1, 2}"])
def test_of_a_document_that_is_not_whole_nothing_is_made_up(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path / "state.json", data)
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(DataFailed, match="nothing of it is whole; restore a backup"):
        asset(path).salvage(into)


def test_of_what_is_gone_nothing_can_be_saved(tmp_path: Path) -> None:
    with pytest.raises(DataFailed, match="there is no file") as caught:
        asset(tmp_path / "none.jsonl").salvage(tmp_path)
    assert caught.value.cause == "missing_data"


def test_a_document_that_has_changed_though_nobody_wrote_it_is_not_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "state.json", b'{"a": [1, 2]}')
    quick(asset(path), tmp_path / "memory")
    damage(path, 7, b"7")
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(DataFailed, match="nobody wrote what is in it now; restore a backup"):
        asset(path, room=tmp_path / "memory").salvage(into)


def test_what_only_moved_by_a_lost_byte_is_not_taken_for_changed(tmp_path: Path) -> None:
    data = lines(5000)
    path = write(tmp_path / "ledger.jsonl", data)
    quick(asset(path), tmp_path / "memory")
    at = data.index(b"\n", 150_000)
    write(path, data[:at] + data[at + 1 :])
    into = tmp_path / "into"
    into.mkdir()
    asset(path, room=tmp_path / "memory").salvage(into)
    saved = set(numbers(into / path.name))
    assert len(saved) > 3000
    assert {0, 4999} <= saved


def test_of_a_file_that_was_cut_what_was_seen_and_is_there_is_taken(tmp_path: Path) -> None:
    data = lines(5000)
    path = write(tmp_path / "ledger.jsonl", data)
    quick(asset(path), tmp_path / "memory")
    write(path, data[:300_000])
    into = tmp_path / "into"
    into.mkdir()
    asset(path, room=tmp_path / "memory").salvage(into)
    assert (into / path.name).stat().st_size > 300_000 - (1 << 14) - 200
