"""What is done with the data of data agents, and what becomes of it in the books?

Jobs run in the worker, one repair or backup at a time on one asset; what they did is recorded here. Whoever writes the
data is held meanwhile by `Writers`. A recovery that a person orders takes the same way as the fixes do.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict, TypeVar

import msgspec

from selfheal.compose.fleet import Fleet
from selfheal.compose.looks import Looks, Spawn
from selfheal.compose.sinks import sinks_of
from selfheal.compose.worker import progress_file
from selfheal.compose.writers import Writers
from selfheal.config.data import BackupConfig, data_of
from selfheal.config.models import Config
from selfheal.data.asset import Asset, Health, Swapped
from selfheal.data.backup import Backup, Keep
from selfheal.data.jobs import Accept, AnyJob, BackUp, Examine, Mend, Prepare, Prepared, Swap, Verify
from selfheal.data.own import OWN, own_state
from selfheal.data.vault import Vault
from selfheal.errors import DataFailed, RefusedByPolicy, UnknownName
from selfheal.events import BackupDamaged, BackupFailed, BackupMade, BackupVerified, DataAccepted, DataRestored
from selfheal.ledger import Ledger
from selfheal.ports import Ports
from selfheal.serve.ports import DataJob, RestorePlan

T = TypeVar("T")
# What is never given up sooner: a person, or a fix with a deadline of its own, waits for it.
REPAIR_S = 7200.0
# What a person calls the jobs.
_WORK: Mapping[type, str] = {BackUp: "backup", Verify: "verify", Prepare: "restore", Swap: "swap", Mend: "mend"}
# By hand even what has no backups by itself can be backed up.
_SELDOM_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Ward:
    """What is in custody: data, what their jobs find in their environment, and how they are backed up."""

    asset: Asset
    environment: Mapping[str, str]
    backup: BackupConfig


class _Given(TypedDict):
    asset: Asset
    room: Path
    now: float


def vault_of(config: Config, state_dir: Path) -> Path:
    """Where the backups are."""
    return config.backup.directory or state_dir / "backups"


class Custody:
    """The one who has jobs done on data."""

    def __init__(
        self,
        ledger: Ledger,
        ports: Ports,
        fleet: Fleet,
        writers: Writers,
        state_dir: Path,
        spawn: Spawn,
        redact: Callable[[str], str],
    ) -> None:
        self._ledger = ledger
        self._clock = ports.clock
        self._run_job = ports.run_job
        self._run_in_thread = ports.run_in_thread
        self._fleet = fleet
        self._writers = writers
        self._state_dir = state_dir
        self._redact = redact
        self._looks = Looks(ledger, ports.clock, self._look, spawn, redact)
        self.examine = self._looks.examine
        self._under_way: dict[str, DataJob] = {}
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._prepared: dict[tuple[str, str], Prepared] = {}
        self._counts: dict[str, Mapping[str, float]] = {}

    async def _look(self, agent: str, thorough: bool, timeout_s: float) -> Health:
        job = Examine(**self._given(agent), thorough=thorough)
        health = await self._run(job, Health, timeout_s)
        if health.counts and not health.reason:
            self._counts[agent] = health.counts
        return health

    async def accept(self, agent: str, by: str) -> str:
        """A person takes the data as they are for sound: what was seen of them before is forgotten. Recorded."""
        async with self._turns[agent]:
            said = await self._run(Accept(**self._given(agent)), str, REPAIR_S)
        self._looks.begin_anew(agent)
        self._counts.pop(agent, None)
        await self._ledger.durable(DataAccepted(self._clock.now(), agent, by))
        return said

    # --- backups ---

    async def backups(self, agent: str | None) -> Sequence[Backup]:
        """All that the vault holds, of one agent or of all. Raises UnknownName."""
        if agent is not None:
            self._ward(agent)
        vault = Vault(self._vault)
        return await self._run_in_thread(lambda: vault.backups(agent))

    async def jobs(self) -> Sequence[DataJob]:
        """What is under way, and how far it is."""
        under_way = [(job, progress_file(self._state_dir, job.agent)) for job in self._under_way.values()]
        return await self._run_in_thread(lambda: [_with_progress(job, path) for job, path in under_way])

    async def back_up(self, agent: str, by: str = "selfheal") -> Backup:
        """Make a backup that counts. Raises DataFailed where there is none; both are recorded.

        What is known to be damaged is not backed up: it would be the newest that one could fall back on.
        """
        ward, known = self._ward(agent), self._ledger.world.agents.get(agent)
        failing = next(iter(known.failing.values()), None) if known is not None else None
        if failing is not None:
            raise RefusedByPolicy(f"cannot back up {agent}: its data are not sound: {failing.reason}")
        job = BackUp(
            **self._given(agent),
            vault=self._vault,
            keep=Keep(**ward.backup.keep.model_dump()),
            sinks=sinks_of(self._fleet.config.backup),
        )
        async with self._turns[agent]:
            try:
                made = await self._run(job, Backup, ward.backup.timeout)
            except DataFailed as why:
                self._ledger.record(BackupFailed(self._clock.now(), agent, str(why)))
                raise
        now = self._clock.now()
        unchanged = made.unchanged_at == job.now
        event = BackupMade(
            now, agent, made.id, made.proof.as_of, made.size, made.stored, now - job.now, unchanged, made.told
        )
        await self._ledger.durable(event)
        return made

    async def verify(self, agent: str, backup: str = "newest", by: str = "selfheal") -> Backup:
        """Prove an earlier backup once more: an id, "newest", or "any". Raises DataFailed where it is no good."""
        job = Verify(**self._given(agent), vault=self._vault, backup=backup)
        async with self._turns[agent]:
            try:
                proved = await self._run(job, Backup, REPAIR_S)
            except DataFailed as why:
                if why.cause:  # else it could not be known
                    self._ledger.record(BackupDamaged(self._clock.now(), agent, backup, str(why)))
                raise
        await self._ledger.durable(BackupVerified(self._clock.now(), agent, proved.id))
        return proved

    # --- repairs: what the hands of the fixes do ---

    async def mend(self, agent: str, how: str) -> str:
        """Make a small repair in place. Raises DataFailed."""
        job = Mend(**self._given(agent), how=how)
        async with self._turns[agent]:
            return await self._run(job, str, REPAIR_S)

    async def prepare(self, agent: str, source: str, ticket: str) -> str:
        """Put sound data beside those of the agent; returns what they are. Raises DataFailed."""
        job = Prepare(**self._given(agent), vault=self._vault, ticket=ticket, source=source)
        async with self._turns[agent]:
            prepared = await self._run(job, Prepared, REPAIR_S)
        self._prepared[agent, ticket] = prepared
        if prepared.backup:
            return f"the backup {prepared.backup} is restored and proved"
        return f"salvaged and proved; lost: {prepared.lost or 'nothing'}"

    async def swap(self, agent: str, ticket: str, by: str) -> str:
        """Put what was prepared in place, durably recorded; returns what was lost by it. Raises DataFailed."""
        job = Swap(**self._given(agent), ticket=ticket)
        async with self._turns[agent]:
            swapped = await self._run(job, Swapped, REPAIR_S)
        self._looks.begin_anew(agent)
        prepared = self._prepared.pop((agent, ticket), None)
        restored = self._restored(agent, swapped, prepared, by)
        await self._ledger.durable(restored)
        return told(restored)

    async def plan_restore(self, agent: str, backup: str, until: float | None) -> RestorePlan:
        """Which backup a restore would put in place: one by its id, or the newest that was taken by a time.

        Raises UnknownName where there is none.
        """
        sound = [one for one in await self.backups(agent) if one.counts]
        fits = [one for one in sound if backup in ("newest", one.id) and (until is None or one.proof.as_of <= until)]
        if not fits:
            raise UnknownName(
                f"cannot find {'such a backup' if sound else 'a backup'} of {agent} that can be relied on; "
                f"'selfheal backup --list' shows what there is"
            )
        return RestorePlan(fits[-1], self._writers.of(agent))

    async def restore(self, agent: str, backup: str, by: str) -> DataRestored:
        """What a person orders: hold the writers, put a backup in place, let them run again."""
        world = self._ledger.world
        if agent == OWN:
            raise RefusedByPolicy(
                "cannot put back what selfheal itself stands on while it runs; "
                f"'selfheal restore {OWN} --to DIR' writes a backup into a folder"
            )
        if any(one.acting and one.attempt is not None and one.attempt.agent == agent for one in world.open_incidents()):
            raise RefusedByPolicy(f"cannot restore {agent}: its data are being put right; 'selfheal why {agent}'")
        ticket = f"by-hand-{self._clock.now():.0f}"
        await self._writers.hold(agent)
        try:
            await self.prepare(agent, backup, ticket)
            await self.swap(agent, ticket, by)
        finally:
            await self._writers.release(agent)
        restored = self._ledger.world.holdings[agent].restored
        assert restored is not None  # `swap` has recorded it
        return restored

    # --- the rest ---

    def _restored(self, agent: str, swapped: Swapped, prepared: Prepared | None, by: str) -> DataRestored:
        """What was lost: the time between the last write and the copy, and what can be counted."""
        now = self._clock.now()
        if prepared is None:  # prepared by a daemon that is gone
            return DataRestored(now, agent, "unknown", swapped.aside, None, by)
        written_at = swapped.written_at if swapped.written_at is not None else now  # else it may have been just now
        lost_s = max(0.0, written_at - prepared.proof.as_of) if prepared.backup else None
        before, after = self._counts.pop(agent, {}), prepared.proof.counts
        lost = {name: count - after.get(name, 0.0) for name, count in before.items() if count > after.get(name, 0.0)}
        source = prepared.backup or "salvage"
        return DataRestored(now, agent, source, swapped.aside, lost_s, by, lost, prepared.lost)

    async def _run(self, job: AnyJob, answer: type[T], timeout_s: float) -> T:
        agent, name = job.asset.agent, _WORK.get(type(job))
        if name is not None:
            self._under_way[agent] = DataJob(agent, name, self._clock.now())
        try:
            return await self._run_job(job, answer, self._ward(agent).environment, timeout_s)
        except DataFailed as why:
            raise DataFailed(self._redact(str(why)), why.cause) from why
        finally:
            if name is not None:
                self._under_way.pop(agent, None)

    def _given(self, agent: str) -> _Given:
        """What every job on the data of an agent gets. Raises UnknownName, RefusedByPolicy."""
        return _Given(asset=self._ward(agent).asset, room=self._state_dir / "data" / agent, now=self._clock.now())

    def _ward(self, agent: str) -> Ward:
        """Raises UnknownName, and RefusedByPolicy where the agent is no data."""
        own = self._fleet.config.backup.own_state
        if agent == OWN and own:
            return Ward(own_state(self._state_dir, self._vault), {}, own)
        plan = self._fleet.plans.get(agent)
        if plan is None:
            raise UnknownName(f"cannot find agent {agent!r}; 'selfheal agents' lists them")
        data = data_of(plan.config)
        if plan.asset is None or data is None:
            raise RefusedByPolicy(
                f"cannot do this with {agent}: it is a {plan.kind.name}, and only agents of the data layer have data"
            )
        return Ward(plan.asset, plan.environment, data.backup or BackupConfig(every=_SELDOM_S))

    @property
    def _vault(self) -> Path:
        return vault_of(self._fleet.config, self._state_dir)


def told(restored: DataRestored) -> str:
    """What a recovery of data gave, in one sentence."""
    parts = [f"{count:g} {name}" for name, count in restored.lost.items()]
    if restored.words:
        parts.append(restored.words)
    if restored.lost_s is not None:
        parts.append(f"what was written in the last {restored.lost_s:.0f} s before the damage")
    source = "what was salvaged" if restored.source == "salvage" else f"the backup {restored.source}"
    kept = f"; the old data are kept as {restored.aside}" if restored.aside else ""
    return f"{source} is in place; lost: {', '.join(parts) or 'nothing that is known'}{kept}"


def _with_progress(job: DataJob, path: Path) -> DataJob:
    """The job, with what its process wrote about how far it is."""
    try:
        told = msgspec.json.decode(path.read_bytes(), type=_Progress)
    except (OSError, msgspec.DecodeError):  # it has not begun
        return job
    return replace(job, doing=told.doing, share=min(1.0, max(0.0, told.share)))


class _Progress(msgspec.Struct):
    doing: str
    share: float
