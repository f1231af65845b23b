"""What does systemd, or who else started us with NOTIFY_SOCKET set, learn of the daemon?

That it is ready, once `/readyz` is green; that it is alive, for as long as its loop turns; that it is stopping. The
protocol is sd_notify(3): one datagram, lines of KEY=VALUE, to a socket that has a path or, after an @, a name.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping

# Three signs of life within the time after which we count as hung: two may be late.
_SIGNS = 3
# Without a watchdog there is nothing to be late for; a word that got lost is said again after so long.
_AGAIN_S = 60.0


class ServiceManager:
    """Who watches over the daemon itself. Without an `address` there is nobody, and nothing is said.

    `every_s` is how often it wants a sign of life.
    """

    def __init__(self, address: str = "", watchdog_s: float | None = None) -> None:
        self.listens = bool(address)
        self.every_s = watchdog_s / _SIGNS if watchdog_s is not None else _AGAIN_S
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watches = watchdog_s is not None
        self._knows_ready = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], pids: frozenset[int]) -> ServiceManager:
        """What systemd has set. A watchdog for another process than ours, or our keeper's, is not for us."""
        meant = environment.get("WATCHDOG_PID", "")
        watchdog_us = _whole(environment.get("WATCHDOG_USEC", "")) if not meant or _whole(meant) in pids else 0
        return cls(environment.get("NOTIFY_SOCKET", ""), watchdog_us / 1e6 if watchdog_us else None)

    def alive(self, ready: bool) -> None:
        """Give a sign of life, and say once that the daemon is ready. Raises OSError where it cannot be said now."""
        words = ["READY=1"] if ready and not self._knows_ready else []
        words += ["WATCHDOG=1"] if self._watches else []
        if words:
            self._say(*words)
            self._knows_ready |= ready

    def stopping(self) -> None:
        """Say that the daemon is on its way out. It goes whether that is heard or not."""
        try:
            self._say("STOPPING=1")
        except OSError:
            pass

    def _say(self, *words: str) -> None:
        if not self.listens:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto("\n".join(words).encode(), self._address)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
