"""What do all answers have in common?"""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-01-02T03:04:05.678Z"])]
Seconds = Annotated[float, Field(description="Seconds.", examples=[0.9])]
Probability = Annotated[float, Field(ge=0, le=1, examples=[0.9])]
Interval = Annotated[tuple[float, float], Field(description="Interval of 95 %.", examples=[(0.71, 0.97)])]

T = TypeVar("T")


class View(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True)


class Items(View, Generic[T]):
    """A list. `total` counts all that match, of which `items` are the newest where `limit` cuts."""

    items: list[T]
    total: int = Field(description="All that match; more than there are items where `limit` cut them.", examples=[1])
