"""What of an agent can be used up, which signal shows that, and how much of it is there?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from selfheal.vocabulary import FailureMode
from selfheal.world import Agent

# A queue is known by its name: what it is full with waits, and a limit of anything else is only a number.
QUEUES = ("queue", "backlog", "pending")


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that can be used up, and how much of it there is. What belongs to the `process` begins anew with it."""

    signal: str
    mode: FailureMode
    limit: float
    process: bool = False


def resources(agent: Agent, signals: Iterable[str]) -> Iterator[Resource]:
    """Yield what of an agent can be used up, of that which its signals show and of which a limit is known."""
    limits = dict(agent.signal_limits)
    for signal in signals:
        if signal in limits:
            yield Resource(signal, "queue_full" if _is_queue(signal) else "limit_reached", limits[signal])
            continue
        kind = _KINDS.get(signal) or _OF_CHECKS.get(signal.rpartition(".")[2])
        limit = kind.limit(agent) if kind is not None else None
        if kind is not None and limit is not None:
            yield Resource(signal, kind.mode, limit, kind.process)


@dataclass(frozen=True, slots=True)
class _Kind:
    mode: FailureMode
    limit: Callable[[Agent], float | None]
    process: bool = False


# What its own process uses: a signal of that name under another check is not about it.
_KINDS = {
    "rss": _Kind("out_of_memory", lambda agent: agent.memory_limit, process=True),
    "fds": _Kind("out_of_fds", lambda agent: agent.fds_limit, process=True),
}
# Shares of what there is, whichever check of the agent saw them.
_OF_CHECKS = {
    "disk": _Kind("disk_full", lambda _: 1.0),
    "disk_inodes": _Kind("out_of_inodes", lambda _: 1.0),
    "inodes": _Kind("out_of_inodes", lambda _: 1.0),
    "connections_share": _Kind("out_of_connections", lambda _: 1.0),
    "clients_share": _Kind("out_of_connections", lambda _: 1.0),
    # It falls by a second each second, and is used up at nothing.
    "tls_expires_in": _Kind("certificate_expired", lambda _: 0.0),
}


def _is_queue(signal: str) -> bool:
    return any(word in signal for word in QUEUES)
