"""What does a running supervisor, of one process or of many, cost, by the kernel's own books?"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_KB = 1024


class Memory(NamedTuple):
    """MiB. `pss` counts a page that is shared with other processes by its share, `rss` as a whole."""

    pss: float
    rss: float


class Idling(NamedTuple):
    """Cost of having nothing to do: percent of one processor, and voluntary context switches per second."""

    cpu_percent: float
    wakeups: float


def memory(pids: Sequence[int]) -> Memory:
    """What these processes weigh together."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii") for pid in pids]
    return Memory(sum(_number(text, "Pss") for text in texts) / _KB, sum(_number(text, "Rss") for text in texts) / _KB)


def idling(pids: Sequence[int], window_s: float) -> Idling:
    """Watch processes and their threads for `window_s`."""
    began, spent_s, switches = time.monotonic(), cpu_s(pids), _switches(pids)
    time.sleep(window_s)
    took_s = time.monotonic() - began
    return Idling((cpu_s(pids) - spent_s) / took_s * 100, (_switches(pids) - switches) / took_s)


def cpu_s(pids: Sequence[int]) -> float:
    """By the scheduler's nanoseconds: ticks of 10 ms would be most of what is measured."""
    return sum(int(text.split()[0]) for text in _of_threads(pids, "schedstat")) / 1e9


def _switches(pids: Sequence[int]) -> int:
    return sum(_number(text, "voluntary_ctxt_switches") for text in _of_threads(pids, "status"))


def _of_threads(pids: Sequence[int], file: str) -> list[str]:
    return [path.read_text(encoding="utf-8") for pid in pids for path in Path(f"/proc/{pid}/task").glob(f"*/{file}")]


def _number(text: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"cannot measure: the kernel does not tell {name!r}")
    return int(found[1])
