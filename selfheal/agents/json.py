"""The kind `json`: JSON documents and files of JSON lines, watched, backed up and healed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from selfheal.config.data import DataConfig
from selfheal.config.models import AgentConfig
from selfheal.config.units import Duration, Flag, Number, Place
from selfheal.data.jsondata import JsonAsset
from selfheal.data.jsonschema import check_required
from selfheal.kinds import AgentKind


def _types(required: dict[str, str]) -> dict[str, str]:
    check_required(required)
    return required


class JsonAgent(DataConfig, AgentConfig):
    """One JSON file, or all that match a pattern."""

    kind: Literal["json"] = Field("json", description="Documents of JSON, or files with one on each line.")
    path: Place = Field(description="A file; or a folder with `pattern`; or a path with *, ? or [ in it.")
    pattern: str = Field("", description="Which files below the folder `path`, such as '*.json' or '**/*.jsonl'.")
    lines: Flag | None = Field(
        None, description="Each line is a document; by default of files that end in .jsonl or .ndjson."
    )
    append_only: Flag = Field(True, description="Files of lines only grow: what was seen once must not change.")
    max_age: Duration | None = Field(None, gt=0, description="The newest file was written to within this time.")
    max_drop: Number | None = Field(
        None, ge=0, le=1, description="The share of lines, items or files that may be gone at the next look; "
        "by default none of lines that only grow, and any of the rest.",
    )  # fmt: skip
    # Under another name in Python, since `schema` is a method of pydantic's models.
    form: Place | None = Field(None, alias="schema", description="A file with the JSON Schema of each document.")
    required: Annotated[dict[str, str], AfterValidator(_types)] = Field(
        {}, description="Values that each document has: their types by dotted path, such as 'user.id' = 'integer'."
    )

    def asset(self, agent: str) -> JsonAsset:
        """The data that are meant, for a process of their own."""
        return JsonAsset(
            agent=agent,
            path=self.path,
            pattern=self.pattern,
            lines=self.lines,
            append_only=self.append_only,
            max_age=self.max_age,
            max_drop=self.max_drop,
            schema=self.form,
            required=self.required,
        )


JSON = AgentKind(name="json", model=JsonAgent, layer="data", fixes=("truncate_tail", "salvage_data", "restore_backup"))
