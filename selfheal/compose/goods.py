"""What were the files of an agent when it was last well, and what has been changed since?

A file is good as it is while its agent is well, for a minute at least, in a run that began after the file was last
written to: so much of it has been read. Of each the last good content is kept in the state directory. That a file is
another one now is an event, for it is a sign of the cause when the agent fails.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from selfheal.compose.fleet import AgentPlan
from selfheal.durable import make_private, prepared, replace_file, sync_directory
from selfheal.errors import FixFailed
from selfheal.events import AgentExited, Event, FilesChanged, IncidentOpened
from selfheal.ledger import Ledger
from selfheal.ports import Ports
from selfheal.recover.roll_back import RollBackSettings, told_of

Spawn = Callable[[str, Coroutine[object, object, None]], object]
# A configuration is text that a person has written; what is larger is something else.
LARGEST_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file as it is: its content, and when it was last written to."""

    content: bytes
    written_at: float


class Goods:
    """Keeps the good files of the agents that have `healing.roll_back`, and puts them back."""

    def __init__(
        self, ledger: Ledger, ports: Ports, plans: Mapping[str, AgentPlan], state_dir: Path, spawn: Spawn
    ) -> None:
        self._ledger = ledger
        self._ports = ports
        self._plans = plans
        self._folder = state_dir / "good"
        self._spawn = spawn

    def nobody_has_any(self) -> bool:
        """Whether there is nothing to look at."""
        return not any(self._files(name) for name in self._plans)

    async def look(self) -> None:
        """Look at the files of every agent: keep those that are good, tell those that are others now."""
        for name in tuple(self._plans):
            if self._files(name):
                await self._look_at(name)

    def heed(self, event: Event) -> None:
        """An agent that fails has its files looked at at once."""
        if isinstance(event, IncidentOpened | AgentExited) and self._files(event.agent):
            self._spawn(f"files of {event.agent}", self._look_at(event.agent))

    async def roll_back(self, agent: str, incident: str) -> str:
        """Put the last good files in place of those that are others; these are kept beside them.

        Raises FixFailed where none is another, or one cannot be written.
        """
        files = self._files(agent)
        put = await self._ports.run_in_thread(lambda: [one for one in files if self._put_back(agent, one, incident)])
        if not put:
            raise FixFailed(f"nothing was changed: {_names(files)} are what they were when {agent} was last well")
        await self._look_at(agent)
        kept = ", ".join(_aside(one, incident).name for one in put)
        return f"{_names(put)} put back to what they were when {agent} was last well; the others are kept as {kept}"

    async def roll_forward(self, agent: str, incident: str) -> str:
        """Put the changed files back that were kept aside in an incident."""
        files = self._files(agent)
        put = await self._ports.run_in_thread(lambda: [one for one in files if _forward(one, incident)])
        await self._look_at(agent)
        return f"{_names(put)} put back as changed" if put else "nothing was kept aside"

    async def _look_at(self, name: str) -> None:
        told, agent = self._told(name), self._ledger.world.agents.get(name)
        if agent is None or told is None:
            return
        now, run = self._ports.clock.now(), agent.run
        well = agent.state == "healthy" and now - agent.since >= told.after
        read_by = run.started_at if run is not None and well else 0.0
        changed = await self._ports.run_in_thread(lambda: self._compare(name, told.files, read_by))
        known = self._ledger.world.agents.get(name)
        if known is not None and known.changed != changed:
            self._ledger.record(FilesChanged(now, name, changed))

    def _told(self, name: str) -> RollBackSettings | None:
        plan = self._plans.get(name)
        return told_of(plan.config.healing.get("roll_back")) if plan is not None else None

    def _files(self, name: str) -> tuple[Path, ...]:
        told = self._told(name)
        return told.files if told is not None else ()

    # --- in a thread ---

    def _compare(self, agent: str, files: tuple[Path, ...], read_by: float) -> tuple[str, ...]:
        """The files that are not what they were when the agent was last well; what it has read while well is good."""
        changed: list[str] = []
        for file in files:
            now, good = _read(file), _read(self._kept(agent, file))
            if now is not None and now.written_at < read_by and (good is None or good.content != now.content):
                self._keep(agent, file, now.content)
            elif good is not None and (now is None or now.content != good.content):
                changed.append(str(file))
        return tuple(changed)

    def _keep(self, agent: str, file: Path, content: bytes) -> None:
        kept = self._kept(agent, file)
        with suppress(OSError):  # a full disk: what was good before is still there
            make_private(kept.parent)
            replace_file(kept, content)

    def _kept(self, agent: str, file: Path) -> Path:
        """Files of the same name may lie in different folders."""
        place = blake2b(os.fsencode(file), digest_size=4).hexdigest()
        return self._folder / agent / f"{place}-{file.name}"

    def _put_back(self, agent: str, file: Path, incident: str) -> bool:
        now, good = _read(file), _read(self._kept(agent, file))
        if good is None or (now is not None and now.content == good.content):
            return False
        try:
            if now is not None and not _aside(file, incident).exists():
                _write_as(file, _aside(file, incident), now.content)
            _write_as(file, file, good.content)
        except OSError as why:
            raise FixFailed(f"cannot put {str(file)!r} back: {why.strerror}; make its folder writable") from why
        return True


def _forward(file: Path, incident: str) -> bool:
    aside = _read(_aside(file, incident))
    if aside is None:
        return False
    try:
        _write_as(file, file, aside.content)
    except OSError as why:
        raise FixFailed(f"cannot put {str(file)!r} back: {why.strerror}; make its folder writable") from why
    return True


def _write_as(like: Path, path: Path, content: bytes) -> None:
    """Write a file all or nothing, with the mode and the owner of another where that may be done."""
    with prepared(path, content) as new:
        with suppress(OSError):
            seen = like.stat()
            new.chmod(seen.st_mode & 0o7777)
            os.chown(new, seen.st_uid, seen.st_gid)
        new.replace(path)
    sync_directory(path.parent)


def _read(path: Path) -> _Seen | None:
    try:
        seen = path.stat()
        if seen.st_size > LARGEST_BYTES:
            return None
        return _Seen(path.read_bytes(), seen.st_mtime)
    except OSError:
        return None


def _aside(file: Path, incident: str) -> Path:
    return file.with_name(f"{file.name}.bad-{incident}")


def _names(files: tuple[Path, ...] | list[Path]) -> str:
    return ", ".join(one.name for one in files)
