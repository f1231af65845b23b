"""In which form is knowledge taught, and handed from one daemon to another?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from selfheal.events import Proof
from selfheal.serve.models.base import Time, View
from selfheal.serve.models.fleet import Done
from selfheal.serve.models.knowledge import FingerprintView
from selfheal.serve.times import read_rfc3339

VERSION = 1
"""Another number is another form."""

_Time = Annotated[
    float,
    BeforeValidator(lambda given: read_rfc3339(given) if isinstance(given, str) else given),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
_Name = Annotated[str, Field(max_length=256)]
_Line = Annotated[str, Field(max_length=500)]
_Count = Annotated[float, Field(ge=0, le=1e6)]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SignatureGiven(_Given):
    """A signature of one's own."""

    id: str = Field(max_length=100, examples=["own.no_room"], description="own. and a name.")
    cause: str = Field(min_length=1, max_length=100, examples=["disk_full"])
    patterns: list[_Line] = Field(min_length=1, max_length=8)
    precision: float = Field(0.9, ge=0.05, le=0.99, description="How often that is the cause where one matches.")
    says: _Line = ""
    look: _Line = ""
    examples: list[_Line] = Field([], max_length=8, description="Lines that it has to match.")


class TallyGiven(_Given):
    """What another daemon has counted."""

    origin: _Name = Field(min_length=1)
    signature: _Name
    right: _Count
    wrong: _Count
    at: _Time


class FingerprintGiven(_Given):
    """An incident of another daemon's."""

    incident: _Name = Field(min_length=1)
    origin: _Name = Field(min_length=1)
    agent: _Name
    at: _Time
    look: list[_Name] = Field(max_length=60)
    cause: _Name
    cause_agent: _Name
    proof: Proof = ""
    fix: _Name = ""
    recovery_seconds: float | None = Field(None, ge=0)
    person: bool = False


class Bundle(_Given):
    """What another daemon knows. What is the matter with it is said as a whole, and then nothing of it is taken."""

    version: Literal[1]
    origin: _Name = ""
    signatures: list[SignatureGiven] = Field([], max_length=500)
    tallies: list[TallyGiven] = Field([], max_length=5_000)
    incidents: list[FingerprintGiven] = Field([], max_length=1_000)
    left_out: int = 0


class ImportDone(Done):
    """What an import has changed; nothing where all of it was known."""

    signatures: int = Field(description="Signatures that are new, or others than before.")
    tallies: int = Field(description="Daemons of which other counts are known now.")
    incidents: int = Field(description="Incidents that are new, or of which something else is known now.")


class TallyView(View):
    """What a daemon has counted of a signature, as it counts at a moment."""

    origin: str
    signature: str
    right: float
    wrong: float
    at: Time


class BundleView(View):
    """What a daemon knows, in the form in which another one takes it."""

    version: int
    origin: str
    signatures: list[SignatureGiven]
    tallies: list[TallyView]
    incidents: list[FingerprintView]
    left_out: int = Field(description="Incidents that had no room: the oldest.")
