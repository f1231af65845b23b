"""What did an agent say last, and where does it stand? For the diagnosis, and the log for people too."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from selfheal.compose.estate import Estate
from selfheal.errors import UnknownName
from selfheal.kinds import Run
from selfheal.ledger import Ledger
from selfheal.plans import Clues
from selfheal.ports import RunInThread
from selfheal.serve.ports import Tail
from selfheal.signatures import shipped
from selfheal.supervise import proc
from selfheal.supervise.logs import page, tail
from selfheal.supervise.supervisor import Supervisor
from selfheal.world import Incident

EVIDENCE_LINES = 40
EVIDENCE_BYTES = 16 * 1024


class Evidence:
    """Reads logs in a thread."""

    def __init__(
        self, ledger: Ledger, supervisor: Supervisor, run_in_thread: RunInThread, redact: Callable[[str], str],
        estate: Estate,
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._supervisor = supervisor
        self._run_in_thread = run_in_thread
        self._redact = redact
        self._estate = estate

    async def of_incident(self, incident: Incident) -> Clues:
        """What is to be seen of the run that the incident is about: what another run has said is no evidence."""
        launch = self._supervisor.launch_of(incident.agent)
        agent = self._ledger.world.agents.get(incident.agent)
        if launch is None or agent is None:
            name, onset = incident.agent, incident.onset
            signs, log, _ = await asyncio.gather(
                self._estate.signs(name, onset), self._estate.last_words(name, onset), self._run_in_thread(_prepare)
            )
            return Clues(log, signs=signs)
        begin, end = agent.log_begin, 0
        if incident.trigger == "exit" and agent.last_exit is not None:
            begin, end = agent.last_exit.log_begin, agent.last_exit.log_end
        state, waits_in = _where_it_stands(self._supervisor.run_of(incident.agent))
        return Clues(await self._run_in_thread(lambda: _read(launch.log, begin, end)), state, waits_in)

    async def last_lines(self, agents: Sequence[str], since: float) -> dict[str, tuple[str, ...]]:
        """The last lines of the current runs of these agents, redacted; of those that wrote nothing `since` none."""
        places = {
            name: (launch.log, self._begin(name)) for name in agents if (launch := self._supervisor.launch_of(name))
        }

        def read() -> dict[str, tuple[str, ...]]:
            fresh = {name: place for name, place in places.items() if _written_at(place[0]) >= since}
            return {name: lines_of_run(log, begin, 0) for name, (log, begin) in fresh.items()}

        found = await self._run_in_thread(read) if places else {}
        return {name: tuple(map(self._redact, lines)) for name, lines in found.items()}

    def _begin(self, name: str) -> int:
        known = self._ledger.world.agents.get(name)
        return known.log_begin if known is not None else 0

    async def log_tail(self, agent: str, count: int, cursor: str, since: float) -> Tail:
        """The end of an agent's log, redacted, for people; nothing where it was last written to before `since`."""
        launch = self._supervisor.launch_of(agent)
        if launch is None:
            if agent not in self._ledger.world.agents:
                raise UnknownName(f"cannot find agent {agent!r}; 'selfheal agents' lists them")
            found = await self._estate.tail(agent, count, cursor)
            return Tail([self._redact(line) for line in found.lines], found.cursor)
        if since and await self._run_in_thread(lambda: _written_at(launch.log)) < since:
            return Tail((), cursor)
        lines, after = await self._run_in_thread(lambda: page(launch.log, count, cursor))
        return Tail([self._redact(line) for line in lines], after)


def _where_it_stands(run: Run | None) -> tuple[str, str]:
    """The state of a process, and what it waits for in the kernel."""
    try:
        return ("", "") if run is None else (proc.state(run.pid), proc.waits_in(run.pid))
    except ProcessLookupError:
        return "", ""


def _written_at(path: Path) -> float:
    """Wall time of the last write; an agent writes its log itself, and no line in it has a time that we know."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _read(path: Path, begin: int, end: int) -> tuple[str, ...]:
    _prepare()
    return lines_of_run(path, begin, end)


def _prepare() -> None:
    """What is known of logs is read before it is asked for in the event loop."""
    shipped().prepare()


def lines_of_run(path: Path, begin: int, end: int) -> tuple[str, ...]:
    """The last lines between two sizes of the log; an `end` of 0 is where it ends now.

    Where the log was rotated since, the sizes mean nothing any more, and its last lines are given as they are.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            end = end or size
            if not begin <= end <= size:
                return tail(path, EVIDENCE_LINES)
            file.seek(max(begin, end - EVIDENCE_BYTES))
            data = file.read(end - file.tell())
    except OSError:
        return ()
    text = data.replace(b"\0", b"").decode("utf-8", "replace")  # where rotation leaves a hole, it reads as zeros
    return tuple(text.splitlines()[-EVIDENCE_LINES:])
