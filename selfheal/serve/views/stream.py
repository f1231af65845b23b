"""How does an event look on the live stream?

As in the journal, with its type and number beside its fields, and times and durations as everywhere in the API.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from selfheal.serve.times import rfc3339

if TYPE_CHECKING:
    from selfheal.events import Event

Shown: TypeAlias = bool | int | float | str | Sequence["Shown"] | Mapping[str, "Shown"] | None


def event_view(seq: int, event: Event) -> dict[str, Shown]:
    """Show an event: `id` is its number in the journal, `type` what happened."""
    return {"id": seq, "type": type(event).__name__, **_fields(event)}


def _fields(record: object) -> dict[str, Shown]:
    assert dataclasses.is_dataclass(record)
    shown: dict[str, Shown] = {}
    for field in dataclasses.fields(record):
        value: object = getattr(record, field.name)
        if is_time(field.name) and isinstance(value, int | float):
            shown[field.name] = rfc3339(value)
        else:
            shown[_spelled(field.name)] = _value(value)
    return shown


def is_time(name: str) -> bool:
    """Whether a field of this name holds a moment. Events keep to these names; a test holds them to it."""
    return name in ("at", "onset", "since", "until") or name.endswith("_at")


def _spelled(name: str) -> str:
    return name.removesuffix("_s") + "_seconds" if name.endswith("_s") else name


def _value(value: object) -> Shown:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case tuple() | list():
            return [_value(one) for one in value]
        case Mapping():
            return {str(key): _value(one) for key, one in value.items()}
        case _:
            return _fields(value)
