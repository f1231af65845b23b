"""The data of a PostgreSQL database: watched, backed up and healed with its server's own programs.

It is never written to. `prepare` and `swap` restore beside it and exchange names, `prove` uses a scratch database.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from selfheal.data import postgres_copy, postgres_salvage, postgres_scratch, postgres_swap
from selfheal.data.asset import Health, Proof, Salvaged, Swapped, Tell, untold
from selfheal.data.postgres_deep import look_deep
from selfheal.data.postgres_look import look
from selfheal.data.postgres_memory import keep, recall
from selfheal.data.postgres_options import Options
from selfheal.data.postgres_place import Place, read_place
from selfheal.data.postgres_tools import literal, presiding, talking
from selfheal.errors import DataFailed


class PostgresAsset(msgspec.Struct, frozen=True, kw_only=True, tag="postgres"):
    """One database. `verify_url` is where copies are restored to be proved, empty: on the same server."""

    agent: str
    url: str
    verify_url: str = ""
    options: Options = Options()

    def __repr__(self) -> str:
        return f"PostgresAsset(agent={self.agent!r}, place={self.place!r})"  # a place does not show its password

    @property
    def place(self) -> Place:
        """Where it is."""
        return read_place(self.url)

    @property
    def mends(self) -> Mapping[str, str]:
        return {}

    def examine(self, memory: Path, *, thorough: bool, tell: Tell = untold) -> Health:
        known, options = recall(memory), self.options
        try:
            with talking(self.place, timeout_s=options.timeout_s) as talk:
                state, health, known = look(talk, options, known)
                if thorough:
                    deep, known = look_deep(talk, self.place, options, state, known, tell)
                    health = _joined(health, deep)
        except DataFailed as why:
            return self._gone(why)
        keep(memory, known)
        return health

    def _gone(self, why: DataFailed) -> Health:
        """A database of which the server knows nothing is lost. Whatever else stops a look says nothing of the data."""
        if why.cause != "unreachable":
            raise why
        name = self.place.database
        try:
            with presiding(self.place) as talk:
                there = talk.rows(f"SELECT 1 AS there FROM pg_database WHERE datname = {literal(name)}")
        except DataFailed:
            raise why from None
        if there:
            raise why
        return Health(f"the server has no database {name!r}", "missing_data")

    def capture(self, into: Path, tell: Tell = untold) -> Proof:
        return postgres_copy.capture(self.place, into, tell)

    def prove(self, copy: Path, tell: Tell = untold) -> Proof:
        place = read_place(self.verify_url) if self.verify_url else self.place
        return postgres_scratch.prove(copy, place, self.options.canaries, tell)

    def salvage(self, into: Path, tell: Tell = untold) -> Salvaged:
        return postgres_salvage.salvage(self.place, into, tell)

    def prepare(self, copy: Path, ticket: str, tell: Tell = untold) -> None:
        postgres_swap.prepare(copy, self.place, ticket, tell)

    def swap(self, ticket: str, tell: Tell = untold) -> Swapped:
        return postgres_swap.swap(self.place, ticket, tell)

    def mend(self, how: str, tell: Tell = untold) -> str:
        raise DataFailed(f"cannot make the repair {how!r}: a PostgreSQL database has none; restore a backup")


def _joined(quick: Health, deep: Health) -> Health:
    """Both looks as one: damage goes before everything else."""
    worse = deep if deep.reason and (not quick.reason or deep.cause == "corrupted") else quick
    return Health(worse.reason, worse.cause, {**quick.signals, **deep.signals}, {**deep.counts, **quick.counts})
