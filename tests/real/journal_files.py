"""What do the tests of the journal need? A journal that was written and read again, and a child to do it in."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from pathlib import Path

from selfheal.clock import RealClock
from selfheal.store.journal import Damage, Journal, Record

PAYLOADS = [f"event {number}".encode() for number in range(1, 11)]


def opened(
    directory: Path, segment_size: int = 2**20, since: int = 0, known: int = 0
) -> tuple[Journal, list[Record], tuple[Damage, ...]]:
    journal, records, damage = Journal.open(directory, asyncio.to_thread, RealClock(), segment_size, since, known)
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


def child(program: str, *arguments: Path, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    argv = [*before, sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, cwd=Path(__file__).parents[2])
