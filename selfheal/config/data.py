"""What may stand in `selfheal.toml` about data, whatever their kind, and what is the default of each key?"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from selfheal.config.section import Section
from selfheal.config.units import Count, Duration, Flag, Place
from selfheal.data.asset import Asset


class KeepConfig(Section):
    """How many verified backups are kept: the newest of each hour, day, week and month."""

    hourly: Annotated[Count, Field(ge=0)] = Field(24, description="One of each of so many hours.")
    daily: Annotated[Count, Field(ge=0)] = Field(7, description="One of each of so many days.")
    weekly: Annotated[Count, Field(ge=0)] = Field(4, description="One of each of so many weeks.")
    monthly: Annotated[Count, Field(ge=0)] = Field(12, description="One of each of so many months.")


class BackupConfig(Section):
    """When the data are backed up, and how many backups are kept. Each is restored to a scratch place and proved."""

    every: Duration = Field(gt=0, description="A backup each so often, unless nothing was written since the last.")
    keep: KeepConfig = Field(KeepConfig(), description="The newest is always kept.")
    timeout: Duration = Field(3600.0, gt=0, description="One that takes longer is given up, and has failed.")


class SinkConfig(Section):
    """A store of another program that gets each proved backup too. It is never made here."""

    repository: str = Field(min_length=1, description="As the program writes it; a local one from the root: /mnt/…")
    password_file: Place = Field(description="A file that holds the password of the repository, and nothing else.")
    environment: dict[str, SecretStr] = Field({}, description="What its storage wants, such as AWS_ACCESS_KEY_ID.")
    timeout: Duration = Field(3600.0, gt=0, description="A hand-over that takes longer is given up, and has failed.")

    @field_validator("repository")
    @classmethod
    def _from_the_root(cls, value: str) -> str:
        if ":" not in value and not value.startswith("/"):
            raise ValueError(f"{value!r} is no whole path; write it from the root, such as '/mnt/backups/fleet'")
        if _PASSWORD.search(value):
            raise ValueError("the address holds a password; put that into `environment` or a file of the program's own")
        return value


_PASSWORD = re.compile(r"//[^/@]*:[^/@]*@")


class BackupsConfig(Section):
    """Backups of all data, and of what selfheal itself knows."""

    directory: Place | None = Field(None, description="Where they are kept; default: backups, in the state directory.")
    own_state: BackupConfig | Literal[False] = Field(
        BackupConfig(every=86_400.0), description="When selfheal's own journal and views are backed up; false: never."
    )
    restic: SinkConfig | None = Field(None, description="A repository of restic that gets them too.")
    borg: SinkConfig | None = Field(None, description="A repository of BorgBackup that gets them too.")


class DataConfig(Section):
    """The part of an agent that is data. Kinds of the data layer mix it in."""

    interval: Duration = Field(60.0, gt=0, description="A quick look at the data each so often.")
    thorough: Duration = Field(
        86_400.0, gt=0, description="Every byte of them is read each so often, beside the looks."
    )
    thorough_timeout: Duration = Field(7200.0, gt=0, description="Reading every byte may take so long.")
    timeout: Duration = Field(60.0, gt=0, description="A look that takes longer has failed.")
    backup: BackupConfig | None = Field(None, description="How they are backed up; without it they are not.")
    heal: Flag = Field(
        True, description="false: say what is wrong with the data, and leave it to a person to put them right."
    )

    def asset(self, agent: str) -> Asset:
        """What the agent of this name is, for the jobs on it."""
        raise NotImplementedError


def data_of(agent: Section) -> DataConfig | None:
    """The data that an agent of any kind is, or None where it is none."""
    return agent if isinstance(agent, DataConfig) else None
