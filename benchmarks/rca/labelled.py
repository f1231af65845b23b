"""What is an incident of which the truth is known?"""

from __future__ import annotations

from dataclasses import dataclass

from selfheal.diagnose.case import Case


@dataclass(frozen=True, slots=True)
class Labelled:
    """A case, and the service that was the cause; None where nothing was wrong. `fault` is what was injected."""

    name: str
    case: Case
    truth: str | None
    fault: str
