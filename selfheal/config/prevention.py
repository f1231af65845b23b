"""What may be told of work before a failure: when it is best done, and how much of it is left undone to learn from."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from selfheal.config.healing import WindowConfig
from selfheal.config.section import Section
from selfheal.config.units import Number


class QuietTimeConfig(WindowConfig):
    """A quiet time: planned work is done in it rather than at any other."""


class PreventionConfig(Section):
    """What is done before a failure that is foreseen."""

    quiet: tuple[QuietTimeConfig, ...] = Field(
        (), description="When planned work is best done; with none, when the agent has least to do, as was learned."
    )
    left_alone: Annotated[Number, Field(ge=0, le=0.5)] = Field(
        0.05, description="Of the failures that a restart ends within seconds so many are left to come, "
        "by chance: what became of them says what the others are worth. 0: none.",
    )  # fmt: skip
