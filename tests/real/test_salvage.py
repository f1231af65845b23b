"""What does damage to the journal cost? The records that it hit, and it is said."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.store.frames import encode
from tests.real.journal_files import PAYLOADS, child, numbered, opened, written


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 4
    path.write_bytes(data)


def test_a_flipped_bit_costs_one_record_is_said_once_and_its_bytes_are_kept(tmp_path: Path) -> None:
    [segment] = written(tmp_path, PAYLOADS)
    data = segment.read_bytes()
    at = data.index(b"event 4")
    flip(segment, at)
    journal, records, [damage] = opened(tmp_path)
    assert [record.seq for record in records] == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert (damage.file, damage.what, damage.offset) == (segment.name, "checksum does not match", at - 20)
    assert damage.kept_as is not None
    assert damage.kept_as.startswith("000000000001.log.damaged-20")
    kept = tmp_path / damage.kept_as
    assert len(kept.read_bytes()) == damage.length == 27
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert journal.append(b"next") == 11
    journal.close()
    _, records, damages = opened(tmp_path)
    assert [record.seq for record in records] == [1, 2, 3, 5, 6, 7, 8, 9, 10, 11]
    assert damages == ()


def test_a_torn_tail_is_cut_and_no_number_is_given_twice(tmp_path: Path) -> None:
    [segment] = written(tmp_path, PAYLOADS)
    size = segment.stat().st_size
    os.truncate(segment, size - 3)
    journal, records, [damage] = opened(tmp_path)
    assert [record.seq for record in records] == list(range(1, 10))
    assert damage.what == "torn tail"
    assert journal.append(b"next") > 10
    journal.close()
    _, records, damages = opened(tmp_path)
    assert records[-1].payload == b"next"
    assert damages == ()


def test_a_missing_segment_is_said_once(tmp_path: Path) -> None:
    segments = written(tmp_path, PAYLOADS, segment_size=50)
    segments[1].unlink()
    _, records, [damage] = opened(tmp_path)
    assert [record.seq for record in records] == [1, 2, 5, 6, 7, 8, 9, 10]
    assert (damage.file, damage.what, damage.length) == (segments[0].name, "records 3 to 4 are missing", 0)
    assert opened(tmp_path)[2] == ()


def test_a_segment_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    segments = written(tmp_path, PAYLOADS, segment_size=50)
    segments[-1].unlink()
    segments[-1].mkdir()
    journal, records, [damage] = opened(tmp_path)
    assert [record.seq for record in records] == list(range(1, 9))
    assert damage.what == "the file cannot be read: it is no file"
    assert journal.append(b"next") > 10
    assert [record.payload for record in journal.read(since=8)] == [b"next"]
    journal.close()


def test_damage_that_cannot_be_mended_now_is_left_and_said_again(tmp_path: Path) -> None:
    """As on a full disk: what is sound is read, and new records go to a new segment."""
    program = """
        import asyncio, pathlib, resource, sys
        from selfheal.clock import RealClock
        from selfheal.store.journal import Journal
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        journal, records, damage = Journal.open(pathlib.Path(sys.argv[1]), asyncio.to_thread, RealClock())
        assert [record.seq for record in records] == [1, 2, 3, 5, 6, 7, 8, 9, 10]
        assert [each.kept_as for each in damage] == [None]
        assert journal.append(b"next") > 10
        journal.close()
    """
    [segment] = written(tmp_path, PAYLOADS)
    flip(segment, segment.read_bytes().index(b"event 4"))
    ended = child(program, tmp_path)
    assert ended.returncode == 0, ended.stderr
    _, records, [damage] = opened(tmp_path)
    assert [record.seq for record in records][:-1] == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert records[-1].payload == b"next"
    assert damage.kept_as is not None
    assert opened(tmp_path)[2] == ()


DAMAGE = st.sampled_from(["flip", "truncate", "zero"])


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=30), min_size=1, max_size=12), DAMAGE, st.data())
def test_any_single_damage_costs_only_what_it_hit(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes], kind: str, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("journal")
    segments = written(directory, payloads, segment_size=100)
    victim = data.draw(st.sampled_from(segments))
    before = victim.read_bytes()
    start = data.draw(st.integers(0, len(before) - 1))
    end = data.draw(st.integers(start + 1, len(before)))
    after = {
        "flip": before[:start] + bytes([before[start] ^ 1]) + before[start + 1 :],
        "truncate": before[:start],
        "zero": before[:start] + bytes(end - start) + before[end:],
    }[kind]
    victim.write_bytes(after)

    expected = untouched(segments, victim, before, after, payloads)
    journal, records, damage = opened(directory, segment_size=100)
    assert numbered(records) == expected
    lost = len(payloads) - len(expected)
    at_the_end = kind == "truncate" and victim == segments[-1] and not damage  # as if never written
    assert bool(damage) == bool(lost and not at_the_end)
    assert journal.append(b"next") > max((seq for seq, _ in expected), default=0)
    journal.close()
    _, records, damage = opened(directory, segment_size=100)
    assert numbered(records)[:-1] == expected
    assert damage == ()


def untouched(
    segments: list[Path], victim: Path, before: bytes, after: bytes, payloads: list[bytes]
) -> list[tuple[int, bytes]]:
    """The records whose bytes all stand where they stood."""
    whole = []
    first = int(victim.stem)
    following = [int(path.stem) for path in segments if int(path.stem) > first]
    offset = 0
    for seq, payload in enumerate(payloads, start=1):
        if seq < first or (following and seq >= following[0]):
            whole.append((seq, payload))
            continue
        end = offset + len(encode(seq, payload))
        if before[offset:end] == after[offset:end]:
            whole.append((seq, payload))
        offset = end
    return whole


def test_segments_that_were_exchanged_get_their_names_again_also_after_a_death_on_the_way(tmp_path: Path) -> None:
    first, second, *_ = written(tmp_path, PAYLOADS, segment_size=50)
    mine = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.rename(f"{first}.moving")
    Path(f"{first}.moving").write_bytes(mine)
    first.rename(f"{second}.moving")
    _, records, damage = opened(tmp_path)
    assert numbered(records) == list(enumerate(PAYLOADS, start=1))
    assert damage == (), "told by the start that died, or never more than a name"
    third, fourth = sorted(tmp_path.glob("*.log"))[2:4]
    third.rename(tmp_path / "aside")
    fourth.rename(third)
    (tmp_path / "aside").rename(fourth)
    _, records, damage = opened(tmp_path)
    assert numbered(records) == list(enumerate(PAYLOADS, start=1))
    assert [(each.file, each.records) for each in damage] == [(third.name, None), (fourth.name, None)]
    assert opened(tmp_path)[2] == ()


def test_numbers_go_on_after_the_highest_that_anything_tells_of(tmp_path: Path) -> None:
    written(tmp_path, PAYLOADS)
    journal, _, [damage] = opened(tmp_path, known=15)
    assert (damage.what, damage.records) == ("records 11 to 15 are missing", (11, 15))
    assert journal.append(b"next") == 16
    journal.close()
    _, records, damages = opened(tmp_path, known=16)
    assert [record.seq for record in records] == [*range(1, 11), 16]
    assert damages == ()
