"""What may stand in `selfheal.toml` about data, whatever their kind, and what is the default of each key?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from selfheal.config.models import Section
from selfheal.config.units import Count, Duration, Flag
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


class DataConfig(Section):
    """The part of an agent that is data. Kinds of the data layer mix it in."""

    interval: Duration = Field(60.0, gt=0, description="A quick look at the data each so often.")
    thorough: Duration = Field(86_400.0, gt=0, description="Every byte of them is read each so often.")
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
