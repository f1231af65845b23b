"""What do a thousand dead targets do to a thousand good ones?

A third of them accept and never answer, a third refuse, a third are names that nobody knows. The good ones are asked
alone, then among the dead, from the first moment on: while nobody knows yet that these are dead, they are worst.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.bench import attempt
from benchmarks.checks.alone import alone, answers, spent_s
from benchmarks.checks.bench import CheckBench
from benchmarks.checks.thousands import IN_FLIGHT, INTERVAL_S
from benchmarks.checks.watching import GOOD, TIMEOUT_S, Lateness, Plan, Watching
from benchmarks.gauges import memory
from benchmarks.report import Findings, quantile

GOOD_ONES, OF_EACH_KIND = 1000, (334, 333, 333)
KINDS = ("silent", "refused", "unknown")
_SAMPLE_S = 0.5


@dataclass(frozen=True, slots=True)
class Asked:
    """What is watched, and for how long."""

    plans: tuple[Plan, ...]
    seconds: float


class _Books:
    """Descriptors, memory and lateness over a run."""

    def __init__(self, lateness: Lateness) -> None:
        self._lateness = lateness
        self._begun: list[int] = []
        self.fds: list[int] = []
        self.rss_mb: list[float] = []

    async def keep(self) -> None:
        while True:
            self._write()
            await asyncio.sleep(_SAMPLE_S)

    def _write(self) -> None:
        self.fds.append(sum(1 for _ in Path("/proc/self/fd").iterdir()))
        self.rss_mb.append(memory([os.getpid()]).rss)
        self._begun.append(len(self._lateness.seconds))

    def figures(self) -> dict[str, float]:
        """Of the whole run, and of its second half: what leaks goes on growing there, and who is dead is known."""
        half = len(self.fds) // 2
        late_ms = [one * 1e3 for one in self._lateness.seconds]
        later_ms = late_ms[self._begun[half] :]
        return {
            "late_p50_ms": quantile(late_ms, 0.5),
            "late_p99_ms": quantile(late_ms, 0.99),
            "late_max_ms": max(late_ms),
            "later_p50_ms": quantile(later_ms, 0.5),
            "later_p99_ms": quantile(later_ms, 0.99),
            "later_max_ms": max(later_ms),
            "fds_half": max(self.fds[:half]),
            "fds_end": max(self.fds[half:]),
            "rss_half_mb": self.rss_mb[half],
            "rss_end_mb": self.rss_mb[-1],
        }


async def _measured(asked: Asked) -> dict[str, float]:
    lateness = Lateness()
    books = _Books(lateness)
    fleet = Watching(asked.plans, IN_FLIGHT, lateness)
    before_s = spent_s()
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(asked.seconds):
                await books.keep()
    finally:
        fleet.close()
    took_ms = [one * 1e3 for one in fleet.took_s]
    good = sum(count for (name, _), count in fleet.results.items() if name == GOOD)
    return books.figures() | {
        "took_p50_ms": quantile(took_ms, 0.5),
        "took_p99_ms": quantile(took_ms, 0.99),
        "first_round_s": fleet.first_round_s or asked.seconds,
        "cpu_percent": (spent_s() - before_s) / asked.seconds * 100,
        "ok_share": fleet.results[GOOD, "ok"] / good,
        "good": good,
        "dead": fleet.results.total() - good,
        "dead_ok": sum(fleet.results[kind, "ok"] for kind in KINDS),
    }


def measure(asked: Asked) -> dict[str, float]:
    return asyncio.run(_measured(asked))


# --- the dead ---


@contextmanager
def _silent() -> Iterator[int]:
    """The port of a server that takes every connection and says nothing."""
    ready, port = threading.Event(), 0

    async def serve() -> None:
        nonlocal port
        # The base class has a method for everything that may happen, and none does anything.
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0, backlog=1024)
        port = int(server.sockets[0].getsockname()[1])
        ready.set()
        await asyncio.get_running_loop().run_in_executor(None, over.wait)
        server.close()

    over = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        ready.wait(5.0)
        yield port
    finally:
        over.set()
        thread.join()


@contextmanager
def _dead() -> Iterator[tuple[Plan, ...]]:
    """Plans that ask what does not answer."""
    with _silent() as silent, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        refused = int(taken.getsockname()[1])
        places = (f"127.0.0.1:{silent}", f"127.0.0.1:{refused}", "nobody-{at}.invalid")  # RFC 2606: never a name
        yield tuple(
            Plan(tuple(f"http://{place.format(at=at)}/" for at in range(count)), INTERVAL_S, name=kind)
            for kind, place, count in zip(KINDS, places, OF_EACH_KIND, strict=True)
        )


# --- the part ---


def dead(bench: CheckBench) -> Findings:
    seconds = bench.minutes * 60
    good = Plan(bench.server.urls("keep", GOOD_ONES), INTERVAL_S)
    figures: dict[str, dict[str, float]] = {}
    with _dead() as dead_ones:
        for name, plans in (("alone", (good,)), ("among the dead", (good, *dead_ones))):
            asked = Asked(plans, seconds)
            found = attempt(
                f"{GOOD_ONES} good ones {name} for {bench.minutes:g} minutes",
                partial(alone, "benchmarks.checks.dead", asked, seconds + 60),
            )
            if found is not None:
                figures[name] = dict(found)
    columns = {
        "took_p50_ms": "took p50 ms", "took_p99_ms": "p99", "late_p50_ms": "late p50 ms", "late_p99_ms": "p99",
        "late_max_ms": "max", "later_p99_ms": "second half: p99", "later_max_ms": "max",
        "first_round_s": "first round s", "ok_share": "good", "dead": "dead asked", "cpu_percent": "CPU %",
        "fds_half": "fds", "fds_end": "later", "rss_half_mb": "RSS MB", "rss_end_mb": "later",
    }  # fmt: skip
    settings = {
        "good": GOOD_ONES, "dead": dict(zip(KINDS, OF_EACH_KIND, strict=True)), "timeout_s": TIMEOUT_S,
        "interval_s": INTERVAL_S, "in_flight": IN_FLIGHT, "minutes": bench.minutes,
    }  # fmt: skip
    return Findings("Good ones, alone and among a thousand dead", columns, figures, settings)


if __name__ == "__main__":
    answers(Asked, measure)
