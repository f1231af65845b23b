"""Does the history on the disk survive what can happen to a disk, within its budget?"""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal.compose.condense import Halted, bind, condense, due_days, due_hours, points_of_tail, seal, tables_of
from selfheal.history.batches import SKETCH, key_of, pack
from selfheal.history.rollup import COUNT, LAST, SUM
from selfheal.store.blocks import number_of
from selfheal.store.frames import encode as frame
from selfheal.store.shelf import TAIL, NoRoom, Shelf

HOUR = 1_800_000_000.0 // 3600 * 3600
KEY = key_of("api", "latency")
KEEP = {"raw": 21_600.0, "minutes": 604_800.0, "hours": 7_776_000.0}


def shelf_in(directory: Path, budget: int = 10_000_000) -> Shelf:
    shelf = Shelf(directory / "history", lambda: budget)
    shelf.open()
    return shelf


def never() -> bool:
    return False


def points(begin: float, count: int, every_s: float = 10.0, value: float = 0.25) -> array[float]:
    return array("d", [x for place in range(count) for x in (begin + place * every_s, value + place)])


def write(shelf: Shelf, begin: float, count: int = 30, agents: int = 3) -> None:
    """One batch of so many points of a few signals."""
    shelf.append(pack([(name, "latency", points(begin, count)) for name in ["api", *map(str, range(agents - 1))]]))


def times(shelf: Shelf, key: bytes = KEY) -> list[float]:
    """Of all points of a key that can be read."""
    tail = [at for _, column, _ in points_of_tail(shelf, key) for at in column]
    volumes = [at for table in tables_of(shelf.find("raw", key, 0.0, float("inf"))) for at in table[0]]
    return sorted({*volumes, *tail})


def test_files_are_closed_to_others(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    write(shelf, HOUR)
    seal(shelf, never)
    write(shelf, HOUR + 1000)
    assert stat.S_IMODE(shelf.directory.stat().st_mode) == 0o700
    files = list(shelf.directory.iterdir())
    assert len(files) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_points_become_a_volume_minutes_an_hour_and_a_day(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    for begin in range(0, 86_400, 1800):
        write(shelf, HOUR // 86_400 * 86_400 + begin, 180)
        if begin % 3600:
            seal(shelf, never)
    day = HOUR // 86_400 * 86_400
    assert len(due_hours(shelf, day + 86_400)) == 24
    for hour in due_hours(shelf, day + 86_400):
        condense(shelf, hour, never)
    assert due_hours(shelf, day + 86_400) == []
    assert due_days(shelf, day + 86_400) == []
    assert due_days(shelf, day + 90_000) == [day]
    bind(shelf, day, never)
    assert due_days(shelf, day + 90_000) == []
    (volume,) = shelf.volumes("hours")
    (rows,) = tables_of(shelf.find("hours", KEY, 0.0, float("inf")))
    assert list(rows[COUNT]) == [360.0] * 24
    assert (rows[LAST][0], rows[SUM][0]) == (179.25, 2 * sum(place + 0.25 for place in range(180)))
    assert sum(len(table[0]) for table in tables_of(shelf.find("minutes", KEY, 0.0, float("inf")))) == 24 * 60
    (sketches,) = tables_of(shelf.find("hours", KEY + SKETCH, 0.0, float("inf")))
    assert sum(sketches[2]) == 24 * 360
    again = shelf_in(tmp_path)
    assert [one.path for one in again.volumes("hours")] == [volume.path]


def test_a_daemon_that_dies_between_two_steps_leaves_nothing_twice(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    write(shelf, HOUR)
    tail = (shelf.directory / TAIL).read_bytes()
    seal(shelf, never)
    (shelf.directory / TAIL).write_bytes(tail)  # as it was before it was dropped
    again = shelf_in(tmp_path)
    seal(again, never)
    condense(again, HOUR, never)
    hour = again.volumes("hours")[0]
    held = hour.path.read_bytes()
    bind(again, HOUR // 86_400 * 86_400, never)
    hour.path.write_bytes(held)  # as it was before it was dropped
    last = shelf_in(tmp_path)
    bind(last, HOUR // 86_400 * 86_400, never)
    (rows,) = tables_of(last.find("hours", KEY, 0.0, float("inf")))
    assert list(rows[COUNT]) == [30.0]


def test_a_tail_that_ends_anywhere_within_its_last_block_costs_that_block_and_is_said(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    write(shelf, HOUR)
    whole = shelf.tail_size
    write(shelf, HOUR + 1000)
    data = (shelf.directory / TAIL).read_bytes()
    for end in range(whole, len(data)):
        (shelf.directory / TAIL).write_bytes(data[:end])
        found = shelf_in(tmp_path)
        assert max(times(found)) == HOUR + 290.0
        lost = found.take_lost()
        assert [one.file for one in lost] == ([TAIL] if end > whole else [])
        write(found, HOUR + 2000)
        assert max(times(found)) == HOUR + 2290.0


def test_a_bit_that_flips_costs_one_block_and_is_said(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    write(shelf, HOUR, agents=5)
    seal(shelf, never)
    (volume,) = shelf.volumes("raw")
    data = volume.path.read_bytes()
    keys = [key_of(name, "latency") for name in ("api", "0", "1", "2", "3")]
    for place in range(0, len(data), 7):
        volume.path.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        found = shelf_in(tmp_path)
        assert sum(len(times(found, key)) for key in keys) >= 4 * 30, place
        assert [one.file for one in found.take_lost()] == [volume.path.name], place


def test_a_volume_that_is_cut_off_gives_what_is_left_of_it(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    write(shelf, HOUR, agents=5)
    seal(shelf, never)
    (volume,) = shelf.volumes("raw")
    data = volume.path.read_bytes()
    for end in range(0, len(data), 11):
        volume.path.write_bytes(data[:end])
        found = shelf_in(tmp_path)
        for key in (KEY, key_of("3", "latency"), key_of("nobody", "latency")):
            assert len(times(found, key)) in (0, 30)
        assert found.take_lost() != []


def test_a_file_that_is_deleted_costs_what_was_in_it_and_is_said(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    write(shelf, HOUR)
    seal(shelf, never)
    write(shelf, HOUR + 1000)
    seal(shelf, never)
    write(shelf, HOUR + 2000)
    shelf.volumes("raw")[0].path.unlink()
    (shelf.directory / TAIL).unlink()
    assert times(shelf) == [HOUR + 1000 + place * 10.0 for place in range(30)]
    assert len(shelf.take_lost()) == 2
    assert len(times(shelf)) == 30
    write(shelf, HOUR + 3000)
    assert len(times(shelf)) == 60


def test_the_folder_may_go_and_comes_again(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    write(shelf, HOUR)
    (shelf.directory / TAIL).unlink()
    shelf.directory.rmdir()
    write(shelf, HOUR + 1000)
    assert len(times(shelf)) == 30


def taken(directory: Path) -> int:
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in directory.iterdir())


def test_the_budget_holds_at_every_moment_and_the_finest_and_oldest_gives_way(tmp_path: Path) -> None:
    budget = 100_000
    shelf = shelf_in(tmp_path, budget)
    for hour in range(40):
        write(shelf, HOUR + hour * 3600, 120, agents=5)
        assert taken(shelf.directory) <= budget
        seal(shelf, never)
        assert taken(shelf.directory) <= budget
        condense(shelf, HOUR + hour * 3600, never)
        assert taken(shelf.directory) <= budget
    newest = HOUR + 39 * 3600
    assert [one.begin for one in shelf.volumes("raw")][-1] == newest
    assert len(shelf.volumes("hours")) < 40
    assert len(shelf.volumes("raw")) <= len(shelf.volumes("minutes")) <= len(shelf.volumes("hours"))
    assert shelf.volumes("hours")[-1].begin == newest


def test_what_does_not_fit_at_all_is_refused_and_the_newest_stays(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path, 40_000)
    write(shelf, HOUR)
    seal(shelf, never)
    with pytest.raises(NoRoom, match="max_size is too small"):
        shelf.append(os.urandom(50_000))
    assert len(times(shelf)) == 30
    write(shelf, HOUR + 1000)
    assert len(times(shelf)) == 60


def test_a_budget_that_was_made_much_smaller_is_kept_from_then_on(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    for turn in range(20):
        shelf.append(os.urandom(10_000))
        with shelf.writing("raw", HOUR + turn * 60, HOUR + turn * 60 + 60) as writer:
            writer.add(KEY, os.urandom(30_000))
    small = shelf_in(tmp_path, 40_000)
    small.drop_tail()
    write(small, HOUR + 5000)
    assert taken(small.directory) <= 40_000
    assert len(times(small)) == 30


def test_what_is_older_than_it_is_kept_goes_and_so_does_what_a_wrong_clock_has_left(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    for begin in (HOUR, HOUR + 30_000, HOUR + 500_000):
        write(shelf, begin)
        seal(shelf, never)
        condense(shelf, begin // 3600 * 3600, never)
    shelf.expire(HOUR + 31_000, KEEP)
    assert [one.begin for one in shelf.volumes("raw")] == [HOUR + 30_000]
    assert len(shelf.volumes("hours")) == 2


def test_half_a_volume_is_never_there(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    write(shelf, HOUR)
    steps: Iterator[bool] = iter((False, True))
    with pytest.raises(Halted):
        seal(shelf, lambda: next(steps))
    assert [path.name for path in shelf.directory.iterdir()] == [TAIL]
    assert len(times(shelf)) == 30


FULL = """
import sys
from pathlib import Path
from selfheal.store.shelf import Shelf
shelf = Shelf(Path(sys.argv[1]) / "history", lambda: 10_000_000)
shelf.open()
shelf.append(b"a" * 3000)
try:
    shelf.append(b"b" * 3000)
except OSError as why:
    print(why.strerror, len(shelf.tail()), shelf.tail_size)
shelf.append(b"c" * 500)
print(len(shelf.tail()))
"""


def test_a_disk_that_takes_no_more_loses_only_what_it_did_not_take(tmp_path: Path) -> None:
    def bounded() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    run = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], preexec_fn=bounded, capture_output=True, text=True, check=False
    )
    first, second = run.stdout.splitlines() or [run.stderr, ""]
    assert first.startswith("File too large 1 ")
    assert second == "2"


def test_blocks_are_found_whatever_their_keys_and_bodies_are(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    bodies = {f"key {place}".encode(): frame(place, os.urandom(place)) for place in range(200)}
    with shelf.writing("raw", HOUR, HOUR + 10) as writer:
        for key, body in bodies.items():
            writer.add(key, body)
    (volume,) = shelf.volumes("raw")
    with shelf.reading(volume) as file:
        assert file is not None
        assert dict(file.blocks()) == bodies
        assert {key: file.find(key) for key in bodies} == bodies
        assert file.find(b"key 200") is None
        assert list(file.numbers) == sorted(map(number_of, bodies))
    assert shelf.take_lost() == []
