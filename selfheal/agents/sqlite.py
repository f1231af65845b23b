"""The kind `sqlite`: a database that others write to; watched, backed up, and put right where it is damaged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from selfheal.config.data import DataConfig
from selfheal.config.models import AgentConfig, Section
from selfheal.config.units import Duration, Flag, Number, Place, Size
from selfheal.data.sqlite import SqliteAsset
from selfheal.data.sqlite_look import Canary
from selfheal.kinds import AgentKind


class CanaryConfig(Section):
    """A query that gives one number."""

    query: str = Field(min_length=1, description="One SELECT; its first value counts.")
    min: Number | None = Field(None, description="Less is a failure.")
    max: Number | None = Field(None, description="More is a failure.")


Query = Annotated[str, Field(min_length=1)]


class SqliteAgent(DataConfig, AgentConfig):
    """A database of SQLite."""

    kind: Literal["sqlite"] = Field("sqlite", description="A database of SQLite.")
    path: Place = Field(description="The file; its journal and its WAL belong to it.")
    max_wal: Size = Field(256_000_000, description="A larger WAL is a failure, and is moved into the database.")
    max_lock: Duration = Field(60.0, gt=0, description="A writer that holds its lock for longer, and writes nothing.")
    max_age: Duration | None = Field(None, description="Nothing written for longer is a failure.")
    max_drop: Annotated[Number, Field(gt=0, lt=1)] | None = Field(
        None, description="A canary that falls by a larger share than this between two looks is a failure."
    )
    foreign_keys: Flag = Field(False, description="true: a row that points to no row is a failure.")
    canaries: Mapping[str, Query | CanaryConfig] = Field({}, description="Queries by name that give one number each.")

    def asset(self, agent: str) -> SqliteAsset:
        """Return what a job on these data is given."""
        return SqliteAsset(
            agent=agent,
            path=str(self.path),
            max_wal=self.max_wal,
            max_lock=self.max_lock,
            max_age=self.max_age,
            max_drop=self.max_drop,
            foreign_keys=self.foreign_keys,
            canaries={name: _canary(each) for name, each in self.canaries.items()},
            quick_s=self.timeout / 3,  # of the look's time, so that what is slow is told as slow and not as broken
        )


def _canary(config: str | CanaryConfig) -> Canary:
    return Canary(config) if isinstance(config, str) else Canary(config.query, config.min, config.max)


SQLITE = AgentKind(
    name="sqlite", model=SqliteAgent, layer="data", fixes=("checkpoint_wal", "salvage_data", "restore_backup")
)
