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


@dataclass(frozen=True, slots=True)
class Marked:
    """A live process of an agent. `leads` says that it leads a session, as every process does that we start."""

    agent: str
    run: Run
    leads: bool


def mark(marker: str, agent: str, generation: int) -> str:
    """The value of SELFHEAL_ID for one run of an agent."""
    return f"{marker}/{agent}:{generation}"


def find_marked(marker: str, now: float) -> list[Marked]:
    """All live processes with the mark, oldest first: where several lead a session, the first is the agent itself.

    `now` is wall time. Processes whose environment this user may not read are passed over, and so is the caller.
    """
    boot_id = proc.boot_id()
    found = [
        Marked(agent, Run(entry.pid, generation, proc.started_at(entry.start_ticks, now), entry.start_ticks, boot_id),
               leads=entry.session == entry.pid)
        for entry, agent, generation in _scan(marker)
    ]  # fmt: skip
    return sorted(found, key=lambda marked: (marked.run.start_ticks, marked.run.pid))


def owner(pid: int, marker: str) -> tuple[str, int] | None:
    """The agent and the generation that a process was started for; None where it carries no mark of this directory."""
    for assignment in proc.environment(pid):
        if assignment.startswith(_ASSIGNMENT):
            return _parsed(os.fsdecode(assignment.removeprefix(_ASSIGNMENT)), marker)
    return None


def _parsed(value: str, marker: str) -> tuple[str, int] | None:
    if not value.startswith(f"{marker}/"):
        return None
    agent, colon, generation = value.removeprefix(f"{marker}/").rpartition(":")
    return (agent, int(generation)) if colon and generation.isdecimal() and "/" not in agent else None


def _scan(marker: str) -> Iterator[tuple[proc.ProcStat, str, int]]:
    for entry in proc.processes():
        if entry.alive and entry.pid != os.getpid() and (found := owner(entry.pid, marker)) is not None:
            yield entry, *found
