"""Does the journal keep what it was given through kills, full disks and damage?"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import subprocess
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from selfheal.clock import RealClock
from selfheal.errors import JournalUnavailable, StateDirUnusable
from selfheal.store.journal import Journal
from tests.real.journal_files import PAYLOADS, child, numbered, opened, written


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
    journal, records, damage = opened(tmp_path, segment_size=50, since=8)
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


def test_a_journal_whose_file_was_removed_promises_nothing(tmp_path: Path) -> None:
    journal, _, _ = opened(tmp_path / "journal")

    async def story() -> None:
        journal.append(b"kept")
        await journal.sync()
        shutil.rmtree(tmp_path / "journal")
        journal.append(b"lost")
        with pytest.raises(JournalUnavailable, match="durable: its file was removed"):
            await journal.sync()
        assert journal.trouble == "its file was removed"

    asyncio.run(story())


def test_a_directory_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateDirUnusable, match=r"cannot use state directory .*/file/journal'; make it writable"):
        opened(tmp_path / "file" / "journal")
