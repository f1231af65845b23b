"""What is in force, and where does each value come from?"""

from __future__ import annotations

import json
from dataclasses import dataclass

from selfheal.config.lines import dotted
from selfheal.config.load import Loaded
from selfheal.config.masks import Redact, masked
from selfheal.config.origins import leaves


@dataclass(frozen=True, slots=True)
class Shown:
    """One value in force: plain JSON, secrets masked, durations in seconds, sizes in bytes."""

    key: str
    value: object
    origin: str

    def __str__(self) -> str:
        return f"{self.key} = {json.dumps(self.value, ensure_ascii=False)}  # {self.origin}"


def show(loaded: Loaded, redact: Redact) -> list[Shown]:
    """Return every value in force, in the order of the models and the file. `redact` masks what looks secret."""
    return [
        Shown(dotted(path), masked(value, path, redact), loaded.origin(path)) for path, value in leaves(loaded.config)
    ]
