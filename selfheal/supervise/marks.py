"""Which processes on this machine were started by a daemon of this state directory?

Every agent carries SELFHEAL_ID=<marker>/<agent>:<generation> in its environment, and what it starts inherits it. So
what an earlier daemon left, and what slipped out of an agent's process group, is found with no record of it at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from selfheal.kinds import Run
from selfheal.supervise import proc

VARIABLE = "SELFHEAL_ID"
_ASSIGNMENT = f"{VARIABLE}=".encode()
_WAITS = "-"


@dataclass(frozen=True, slots=True)
class Marked:
    """A live process of an agent. `leads` says that it leads a session, as every process does that we start.

    What `waits` is no run yet, and its generation is 0.
    """

    agent: str
    run: Run
    leads: bool
    waits: bool = False


def mark(marker: str, agent: str, generation: int) -> str:
    """The value of SELFHEAL_ID for one run of an agent."""
    return f"{marker}/{agent}:{generation}"


def waiting_mark(marker: str, agent: str) -> str:
    """The value for what waits to be a run: nobody's yet, and long enough to be overwritten with the mark of any."""
    return f"{_WAITS}{mark(marker, agent, 0)}{'0' * 10}"


def find_marked(marker: str, now: float) -> list[Marked]:
    """All live processes with the mark, oldest first: where several lead a session, the first is the agent itself.

    `now` is wall time. Processes whose environment this user may not read are passed over, and so is the caller.
    """
    boot_id = proc.boot_id()
    found = [
        Marked(agent, Run(entry.pid, generation, proc.started_at(entry.start_ticks, now), entry.start_ticks, boot_id),
               leads=entry.session == entry.pid, waits=generation == 0)
        for entry, agent, generation in _scan(marker)
    ]  # fmt: skip
    return sorted(found, key=lambda marked: (marked.run.start_ticks, marked.run.pid))


def owner(pid: int, marker: str) -> tuple[str, int] | None:
    """The agent and the generation that a process was started for; None where it carries no mark of this directory."""
    value = _value(pid)
    return _parsed(value, marker) if not value.startswith(_WAITS) else None


def _value(pid: int) -> str:
    for assignment in proc.environment(pid):
        if assignment.startswith(_ASSIGNMENT):
            return os.fsdecode(assignment.removeprefix(_ASSIGNMENT))
    return ""


def _parsed(value: str, marker: str) -> tuple[str, int] | None:
    value = value.removeprefix(_WAITS)
    if not value.startswith(f"{marker}/"):
        return None
    agent, colon, generation = value.removeprefix(f"{marker}/").rpartition(":")
    return (agent, int(generation)) if colon and generation.isdecimal() and "/" not in agent else None


def _scan(marker: str) -> Iterator[tuple[proc.ProcStat, str, int]]:
    for entry in proc.processes():
        if entry.alive and entry.pid != os.getpid() and (found := _parsed(_value(entry.pid), marker)) is not None:
            yield entry, *found
