"""Does the journal keep what it was given through kills, full disks and damage?"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.clock import RealClock
from selfheal.errors import JournalUnavailable
from selfheal.store.frames import encode
from selfheal.store.journal import Damage, Journal, Record

PAYLOADS = [f"event {number}".encode() for number in range(1, 11)]


def opened(directory: Path, segment_size: int = 2**20) -> tuple[Journal, list[Record], tuple[Damage, ...]]:
    journal, records, damage = Journal.open(directory, asyncio.to_thread, RealClock(), segment_size)
    return journal, list(records), damage


def written(directory: Path, payloads: list[bytes], segment_size: int = 2**20) -> list[Path]:
    """Write a journal, return its segments."""
    journal, _, _ = opened(directory, segment_size)
    for payload in payloads:
        journal.append(payload)
    journal.close()
    return sorted(directory.glob("*.log"))


def numbered(records: list[Record]) -> list[tuple[int, bytes]]:
    return [(record.seq, record.payload) for record in records]


def test_what_was_appended_is_there_after_the_next_start(tmp_path: Path) -> None:
    written(tmp_path / "journal", PAYLOADS)
    journal, records, damage = opened(tmp_path / "journal")
    assert numbered(records) == list(enumerate(PAYLOADS, start=1))
    assert damage == ()
    assert (journal.first_seq, journal.last_seq, journal.durable_seq, journal.trouble) == (1, 10, 10, None)
    assert journal.append(b"next") == 11
    journal.close()


def test_files_and_folder_are_private(tmp_path: Path) -> None:
    [segment] = written(tmp_path / "state" / "journal", PAYLOADS)
    assert segment.name == "000000000001.log"
    assert stat.S_IMODE(segment.stat().st_mode) == 0o600
    assert stat.S_IMODE(segment.parent.stat().st_mode) == 0o700


def test_a_long_journal_is_in_segments_and_the_oldest_can_be_dropped(tmp_path: Path) -> None:
    segments = written(tmp_path, PAYLOADS, segment_size=50)
    assert [path.name for path in segments] == [f"{first:012}.log" for first in (1, 3, 5, 7, 9)]
    journal, records, damage = opened(tmp_path, segment_size=50)
    assert numbered(records) == list(enumerate(PAYLOADS, start=1))
    assert journal.forget(before=6) == 2
    assert journal.first_seq == 5
    assert [record.seq for record in journal.read()] == [5, 6, 7, 8, 9, 10]
    assert journal.forget(before=1_000) == 2
    journal.close()
    journal, records, damage = opened(tmp_path, segment_size=50)
    assert [record.seq for record in records] == [9, 10]
    assert damage == ()
    assert journal.append(b"next") == 11
    journal.close()


def test_one_reads_from_anywhere_also_what_is_not_durable_yet(tmp_path: Path) -> None:
    journal, _, _ = opened(tmp_path, segment_size=50)
    for payload in PAYLOADS:
        journal.append(payload)
    assert journal.durable_seq == 0
    assert [record.seq for record in journal.read(since=3)] == [4, 5, 6, 7, 8, 9, 10]
    assert [record.seq for record in journal.read(since=4, limit=2)] == [5, 6]
    assert list(journal.read(since=10)) == []
    before = journal.read(since=8)
    journal.append(b"later")
    assert [record.seq for record in before] == [9, 10]
    journal.close()


def test_a_kill_of_the_daemon_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    program = """
        import asyncio, os, pathlib, signal, sys
        from selfheal.clock import RealClock
        from selfheal.store.journal import Journal
        journal, _, _ = Journal.open(pathlib.Path(sys.argv[1]), asyncio.to_thread, RealClock(), 60)
        for number in range(1, 11):
            journal.append(f"event {number}".encode())
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = child(program, tmp_path / "journal")
    assert killed.returncode == -9, killed.stderr
    _, records, damage = opened(tmp_path / "journal")
    assert numbered(records) == list(enumerate(PAYLOADS, start=1))
    assert damage == ()


# --- waiting for the disk -------------------------------------------------------------------------------------------


class Threads:
    """Counts what is run in a thread, and holds it back while `gate` is not set."""

    def __init__(self) -> None:
        self.count = 0
        self.gate = threading.Event()
        self.begun = threading.Event()
        self.gate.set()

    async def __call__(self, work: Callable[[], None]) -> None:
        await asyncio.to_thread(self._held, work)

    def _held(self, work: Callable[[], None]) -> None:
        self.count += 1
        self.begun.set()
        assert self.gate.wait(10)
        work()


def with_journal(directory: Path, threads: Threads, story: Callable[[Journal], Coroutine[None, None, None]]) -> Journal:
    journal, _, _ = Journal.open(directory, threads, RealClock())
    asyncio.run(story(journal))
    return journal


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a thread brings it about
            await asyncio.sleep(0)


def test_all_who_wait_share_one_wait_for_the_disk(tmp_path: Path) -> None:
    threads = Threads()

    async def story(journal: Journal) -> None:
        threads.gate.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(journal.sync(journal.append(b"first")))
            await until(threads.begun.is_set)
            for _ in range(50):
                group.create_task(journal.sync(journal.append(b"more")))
            assert journal.durable_seq == 0
            threads.gate.set()
        assert journal.durable_seq == 51
        assert threads.count == 2
        await journal.sync()
        assert threads.count == 2

    with_journal(tmp_path, threads, story).close()


def test_a_wait_that_is_cancelled_does_not_disturb_the_others(tmp_path: Path) -> None:
    threads = Threads()

    async def story(journal: Journal) -> None:
        threads.gate.clear()
        seq = journal.append(b"first")
        async with asyncio.TaskGroup() as group:
            leader = group.create_task(journal.sync(seq))
            await until(threads.begun.is_set)
            follower = group.create_task(journal.sync(seq))
            await asyncio.sleep(0)
            leader.cancel()
            await asyncio.wait([leader])
            assert leader.cancelled()
            assert not follower.done()
            threads.gate.set()
        assert follower.done()
        assert journal.durable_seq == 1

    with_journal(tmp_path, threads, story).close()


def test_a_wait_that_is_cancelled_before_a_thread_was_free_is_taken_over(tmp_path: Path) -> None:
    never = asyncio.Event

    class Busy(Threads):
        async def __call__(self, work: Callable[[], None]) -> None:
            self.count += 1
            if self.count == 1:
                await never().wait()
            await asyncio.to_thread(work)

    threads = Busy()

    async def story(journal: Journal) -> None:
        seq = journal.append(b"first")
        async with asyncio.TaskGroup() as group:
            leader = group.create_task(journal.sync(seq))
            await until(lambda: threads.count == 1)
            group.create_task(journal.sync(seq))
            await asyncio.sleep(0)
            leader.cancel()
        assert journal.durable_seq == 1

    with_journal(tmp_path, threads, story).close()


def test_the_same_code_runs_without_threads(tmp_path: Path) -> None:
    async def inline(work: Callable[[], None]) -> None:
        work()

    async def story() -> None:
        journal, _, _ = Journal.open(tmp_path, inline, RealClock())
        await journal.sync(journal.append(b"first"))
        assert journal.durable_seq == 1
        journal.close()

    asyncio.run(story())


# --- a disk that refuses --------------------------------------------------------------------------------------------

# A story told by a child process in which the disk refuses after some bytes, and takes what comes after `relieve()`.
REFUSAL = """
    import asyncio, json, pathlib, sys
    from selfheal.clock import RealClock
    from selfheal.errors import JournalUnavailable
    from selfheal.store.journal import Journal

    async def main(directory, refuse, relieve):
        journal, _, _ = Journal.open(directory, asyncio.to_thread, RealClock())
        await journal.sync(journal.append(b"before"))
        refuse()
        seqs = [journal.append(b"x" * 3000) for _ in range(200)]
        trouble = journal.trouble
        try:
            await journal.sync()
            raise SystemExit("the disk took it all")
        except JournalUnavailable as why:
            said = str(why)
        partly = [record.seq for record in journal.read()]
        _, sound, torn = Journal.open(directory, asyncio.to_thread, RealClock())
        relieve()
        await journal.sync()
        journal.close()
        _, records, damage = Journal.open(directory, asyncio.to_thread, RealClock())
        print(json.dumps({
            "seqs": seqs, "torn": len(torn),
            "trouble": trouble, "said": said, "read_meanwhile": partly, "on_disk_meanwhile": len(list(sound)),
            "durable": journal.durable_seq, "trouble_after": journal.trouble,
            "kept": [record.seq for record in records], "damage": len(damage),
        }))
"""

LIMITED = """
    import resource
    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    asyncio.run(main(pathlib.Path(sys.argv[1]), lambda: limit(100_000), lambda: limit(resource.RLIM_INFINITY)))
"""

FULL = """
    import os
    directory = pathlib.Path(sys.argv[1])
    ballast = directory.parent / "ballast"
    def fill():
        ballast.write_bytes(bytes(700_000))
    asyncio.run(main(directory, fill, ballast.unlink))
"""


def child(program: str, *arguments: Path, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    argv = [*before, sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, cwd=Path(__file__).parents[2])


def check_refusal(ended: subprocess.CompletedProcess[str], why: str, directory: Path) -> None:
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["seqs"] == list(range(2, 202))
    assert told["trouble"] == why
    assert told["said"].startswith(f"cannot make the journal in {str(directory)!r} durable: {why}; free space")
    assert told["torn"] == 0
    assert told["read_meanwhile"] == list(range(1, 202))
    assert 1 <= told["on_disk_meanwhile"] < 201
    assert (told["durable"], told["trouble_after"]) == (201, None)
    assert (told["kept"], told["damage"]) == (list(range(1, 202)), 0)


def test_a_file_size_limit_loses_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    check_refusal(child(REFUSAL + LIMITED, directory), "File too large", directory)


def can_mount() -> bool:
    unshare = shutil.which("unshare")
    return (
        unshare is not None
        and subprocess.run([unshare, "-Urm", "true"], check=False, capture_output=True).returncode == 0
    )


@pytest.mark.skipif(not can_mount(), reason="this machine allows no mount of its own")
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    mount = f'mount -t tmpfs -o size=1m small {tmp_path} && exec "$@"'
    ended = child(REFUSAL + FULL, directory, before=("unshare", "-Urm", "sh", "-c", mount, "sh"))
    check_refusal(ended, "No space left on device", directory)


def test_what_the_disk_did_not_confirm_is_written_anew(tmp_path: Path) -> None:
    """A sync that fails leaves the pages clean in the kernel's eyes: only writing them again helps."""
    threads = Threads()

    async def story(journal: Journal) -> None:
        await journal.sync(journal.append(b"kept"))
        journal.append(b"doubtful")
        [segment] = journal._open
        size = segment.path.stat().st_size
        journal._distrust(OSError(5, "Input/output error"))
        os.truncate(segment.path, size - 3)
        assert journal.trouble == "Input/output error"
        assert [record.payload for record in journal.read()] == [b"kept", b"doubtful"]
        journal.append(b"after")
        await journal.sync()
        assert journal.trouble is None

    with_journal(tmp_path, threads, story).close()
    _, records, damage = opened(tmp_path)
    assert [record.payload for record in records] == [b"kept", b"doubtful", b"after"]
    assert damage == ()


def test_a_journal_that_is_closed_keeps_quiet_and_promises_nothing(tmp_path: Path) -> None:
    journal, _, _ = opened(tmp_path)
    journal.close()
    journal.close()
    assert journal.append(b"late") == 1
    assert journal.trouble == "it is closed"
    with pytest.raises(JournalUnavailable, match=r"cannot make the journal in .* durable: it is closed"):
        asyncio.run(journal.sync())


def test_a_directory_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalUnavailable, match=r"cannot open the journal in .*/file/journal': Not a directory; make"):
        opened(tmp_path / "file" / "journal")


# --- damage ---------------------------------------------------------------------------------------------------------


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
    assert (damage.file, damage.what, damage.length) == (segments[2].name, "records 3 to 4 are missing", 0)
    assert opened(tmp_path)[2] == ()


def test_a_segment_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    segments = written(tmp_path, PAYLOADS, segment_size=50)
    segments[-1].unlink()
    segments[-1].mkdir()
    journal, records, [damage] = opened(tmp_path)
    assert [record.seq for record in records] == list(range(1, 9))
    assert damage.what == "the file cannot be read: Is a directory"
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
