"""The kind `files`: a folder of files, or a single one, that is watched, backed up and put back."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from selfheal.config.data import DataConfig
from selfheal.config.models import AgentConfig
from selfheal.config.units import Place
from selfheal.data.files import FilesAsset
from selfheal.data.sums import Changes
from selfheal.kinds import AgentKind


class FilesAgent(DataConfig, AgentConfig):
    """A folder of files, or a single file."""

    kind: Literal["files"] = Field("files", description="A folder of files, or a single file.")
    path: Place = Field(description="The folder or file.")
    include: tuple[str, ...] = Field((), description="Patterns of what is meant in the folder; default: all.")
    exclude: tuple[str, ...] = Field((), description="Patterns of what is not; a folder with all below it.")
    changes: Changes = Field(
        "any", description="never | append | any: how they may change. What changes otherwise counts as damaged."
    )
    required: tuple[str, ...] = Field((), description="Patterns of what must be there and hold something.")

    @field_validator("include", "exclude", "required")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        bad = next((one for one in value if not one.strip("/") or ".." in one.split("/")), None)
        if bad is not None:
            raise ValueError(f"{bad!r} fits nothing in the folder; write a name or a path from its top, such as '*.db'")
        return value

    def asset(self, name: str) -> FilesAsset:
        """The data that the agent of this name is, for a job."""
        return FilesAsset(
            agent=name,
            path=self.path,
            include=self.include,
            exclude=self.exclude,
            changes=self.changes,
            required=self.required,
        )


FILES = AgentKind(name="files", model=FilesAgent, layer="data", fixes=("restore_backup",))
