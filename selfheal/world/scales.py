"""How many instances did a person ask for?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from selfheal.events import ScaleAsked


@dataclass(frozen=True, slots=True)
class Scale:
    """A person's word on the number of instances, and the number in the file that it was said over."""

    instances: int
    declared: int


def scaled(scales: Mapping[str, Scale], event: ScaleAsked) -> dict[str, Scale]:
    """Return what was asked for after `event`; a word that says what the file says is none."""
    others = {name: scale for name, scale in scales.items() if name != event.agent}
    if event.instances == event.declared:
        return others
    return {**others, event.agent: Scale(event.instances, event.declared)}
