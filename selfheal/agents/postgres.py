"""The kind `postgres`: a PostgreSQL database whose data are watched, backed up and healed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from selfheal.config.data import DataConfig
from selfheal.config.models import AgentConfig
from selfheal.config.units import Duration, Flag, Number, Size
from selfheal.data.postgres import PostgresAsset
from selfheal.data.postgres_options import Amcheck, Options
from selfheal.data.postgres_place import read_place
from selfheal.kinds import AgentKind


def _check_place(url: str) -> str:
    read_place(url)
    return url


def _check_queries(queries: Mapping[str, str]) -> Mapping[str, str]:
    for name, query in queries.items():
        if not query.strip() or "\0" in query:
            raise ValueError(f"the canary {name!r} is no query; write one that gives a number")
    return queries


_Url = Annotated[str, AfterValidator(_check_place)]


class PostgresAgent(DataConfig, AgentConfig):
    """A PostgreSQL database."""

    kind: Literal["postgres"] = Field("postgres", description="A PostgreSQL database, as data.")
    url: _Url = Field(repr=False, description="postgresql:// URL with user, password, database and sslmode.")
    verify_url: _Url | None = Field(
        None,
        repr=False,
        description="A database on the server where backups are restored to be proved; default: its own.",
    )
    canaries: Annotated[Mapping[str, str], AfterValidator(_check_queries)] = Field(
        {}, description="Queries by name, each of which gives one number."
    )
    max_drop: Annotated[Number, Field(gt=0, le=1)] = Field(
        0.5, description="A canary that falls by a greater share within a day tells of lost data."
    )
    max_lock: Duration = Field(300.0, gt=0, description="A lock that others wait for is held for so long at most.")
    max_replication_lag: Duration | None = Field(
        None, gt=0, description="Its replicas, and itself where it is a standby, are at most so far behind."
    )
    max_transaction_age: Annotated[Number, Field(gt=0, lt=2**31)] = Field(
        1.5e9, description="Its oldest rows are at most so many transactions old; the server stops at 2.1e9."
    )
    max_connections_share: Annotated[Number, Field(gt=0, le=1)] | None = Field(
        None, description="Of max_connections, 0.9 for 90 %."
    )
    max_read: Size = Field(10_000_000_000, description="Larger tables are left out of a thorough look.")
    require_checksums: Flag = Field(False, description="true: a server without data checksums is not well.")
    amcheck: Amcheck = Field("if_installed", description="Whether the extension amcheck is used where it is there.")

    def asset(self, agent: str) -> PostgresAsset:
        """What a job on these data is given."""
        options = Options(
            canaries=dict(self.canaries), max_drop=self.max_drop, max_lock_s=self.max_lock,
            max_replication_lag_s=self.max_replication_lag, max_transaction_age=self.max_transaction_age,
            max_connections_share=self.max_connections_share, max_read=self.max_read,
            require_checksums=self.require_checksums, amcheck=self.amcheck, timeout_s=self.timeout,
            thorough_s=self.thorough_timeout,
        )  # fmt: skip
        return PostgresAsset(agent=agent, url=self.url, verify_url=self.verify_url or "", options=options)


POSTGRES = AgentKind(name="postgres", model=PostgresAgent, layer="data", fixes=("restore_database",))
