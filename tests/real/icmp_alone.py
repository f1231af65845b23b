"""What does the ICMP check see where nobody answers, or where it may not ask?

A program by itself, for a network of its own: there its loopback may be taken down, be deaf, and be closed to it. It
prints, for each situation, the result, the reason and the signals.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import socket
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Event

from selfheal.clock import RealClock
from selfheal.errors import CheckFailed
from selfheal.kinds import Check
from selfheal.observe.icmp import ICMP
from tests.real.servers import build, context

SETTINGS = Path("/proc/sys/net/ipv4")
SIOCSIFFLAGS, IFF_UP = 0x8914, 1  # linux/sockios.h, linux/if.h

Seen = tuple[str, str, Mapping[str, float]]


class Deafening(RealClock):
    """A clock that, when it is read for the time after so many, makes the host deaf."""

    def __init__(self, readings: int) -> None:
        self.left = readings

    def monotonic(self) -> float:
        if self.left == 0:
            deaf(True)
        self.left -= 1
        return super().monotonic()


class Held(Deafening):
    """One that holds up the whole process when it is read."""

    def monotonic(self) -> float:
        Event().wait(0.4)
        return super().monotonic()


def deaf(yes: bool) -> None:
    (SETTINGS / "icmp_echo_ignore_all").write_text("1" if yes else "0")


def bring_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


def seen(clock: RealClock | None = None, **table: object) -> Seen:
    deaf(False)
    check = build(ICMP, {"icmp": "127.0.0.1", **table}, context(Path(), clock=clock or RealClock()))
    try:
        return "ok", "", asyncio.run(_run(check))
    except CheckFailed as why:
        return why.result, why.reason, getattr(why, "signals", {})


async def _run(check: Check) -> Mapping[str, float]:
    return await check.run()


def main() -> None:
    found = {"forbidden": seen()}
    (SETTINGS / "ping_group_range").write_text("0 0")
    found["down"] = seen()
    bring_up()
    found["allowed"] = seen(count=3)
    # Each request that is answered reads the clock twice.
    found["half"] = seen(Deafening(4), count=4, max_loss=0.25, timeout="200ms")
    found["half allowed"] = seen(Deafening(4), count=4, max_loss=0.5, timeout="200ms")
    found["silent"] = seen(Deafening(0), count=2, timeout="100ms")
    found["one silent"] = seen(Deafening(0), timeout="100ms")
    found["late"] = seen(Held(0), timeout="50ms")
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
