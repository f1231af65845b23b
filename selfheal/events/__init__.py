"""What can happen?

Every fact is a frozen dataclass; the world is the fold of them, the journal their record. `at` is seconds since the
epoch, wall time, of when it happened. Events are grouped by what they are about, and each group is folded in one
module of `world`. `encode` and `decode` are the journal's codec: a field that is added later needs a default, a
record of a type that this version does not know comes back as `Unknown` and is passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import msgspec

from selfheal.events.agents import (
    AgentDeclared,
    AgentEvent,
    AgentExited,
    AgentFinished,
    AgentHeld,
    AgentReady,
    AgentReleased,
    AgentRemoved,
    AgentStarted,
    AgentStartFailed,
    BreakerClosed,
    BreakerOpened,
    BreakerTried,
    CheckBroke,
    CheckMended,
    FailedOver,
    FilesChanged,
    FlappingBegan,
    FlappingOver,
    HealthChanged,
    LimitLowered,
    LimitRaised,
    MaintenanceBegan,
    MaintenanceOver,
    RestartDelayed,
    Run,
    RunScheduled,
    StandbyFailed,
    StartAsked,
    StopAsked,
)
from selfheal.events.daemon import (
    AlertDelivered,
    AlertFailed,
    AlertRaised,
    AlertsMuted,
    ConfigReloaded,
    DaemonEvent,
    DaemonStarted,
    DaemonStopped,
    HealingPaused,
    HealingResumed,
    LoopFailed,
    ScaleAsked,
    StateDamaged,
)
from selfheal.events.data import (
    BackupDamaged,
    BackupFailed,
    BackupMade,
    BackupVerified,
    DataAccepted,
    DataEvent,
    DataRestored,
)
from selfheal.events.foresight import (
    AnomalyOver,
    AnomalySeen,
    Contribution,
    FailurePredicted,
    ForesightEvent,
    PredictionEnded,
    WorkDone,
    WorkPlanned,
)
from selfheal.events.incidents import (
    ActEnded,
    ActStarted,
    Alternative,
    ApprovalAnswered,
    ApprovalAsked,
    Attributed,
    Cause,
    CauseLabelled,
    Diagnosed,
    FixEnded,
    FixRelapsed,
    FixStarted,
    Held,
    IncidentEscalated,
    IncidentEvent,
    IncidentJoined,
    IncidentMerged,
    IncidentOpened,
    IncidentResolved,
    IncidentSuppressed,
    ModelAnswered,
    Planned,
    Trigger,
    UndoEnded,
    UndoStarted,
    Verified,
)
from selfheal.events.knowledge import (
    OWN,
    Fingerprint,
    KnowledgeEvent,
    KnowledgeImported,
    Proof,
    Signature,
    SignatureAdded,
    SignatureRemoved,
    SignatureRestored,
    Similar,
    Tally,
)
from selfheal.events.ranking import Ranked, Suspected, SuspectedChange, WeightsLearned

__all__ = [
    "ActEnded",
    "ActStarted",
    "AgentDeclared",
    "AgentEvent",
    "AgentExited",
    "AgentFinished",
    "AgentHeld",
    "AgentReady",
    "AgentReleased",
    "AgentRemoved",
    "AgentStartFailed",
    "AgentStarted",
    "AlertDelivered",
    "AlertFailed",
    "AlertRaised",
    "AlertsMuted",
    "Alternative",
    "AnomalyOver",
    "AnomalySeen",
    "ApprovalAnswered",
    "ApprovalAsked",
    "Attributed",
    "BackupDamaged",
    "BackupFailed",
    "BackupMade",
    "BackupVerified",
    "BreakerClosed",
    "BreakerOpened",
    "BreakerTried",
    "Cause",
    "CauseLabelled",
    "CheckBroke",
    "CheckMended",
    "FailedOver",
    "FilesChanged",
    "Fingerprint",
    "FlappingBegan",
    "FlappingOver",
    "ConfigReloaded",
    "Contribution",
    "DaemonEvent",
    "DaemonStarted",
    "DaemonStopped",
    "DataAccepted",
    "DataEvent",
    "DataRestored",
    "Diagnosed",
    "EVENT_TYPES",
    "Event",
    "FailurePredicted",
    "FixEnded",
    "FixRelapsed",
    "FixStarted",
    "ForesightEvent",
    "HealingPaused",
    "HealingResumed",
    "HealthChanged",
    "Held",
    "IncidentEscalated",
    "IncidentEvent",
    "IncidentJoined",
    "IncidentMerged",
    "IncidentOpened",
    "IncidentResolved",
    "IncidentSuppressed",
    "KnowledgeEvent",
    "KnowledgeImported",
    "LimitLowered",
    "LimitRaised",
    "LoopFailed",
    "MaintenanceBegan",
    "MaintenanceOver",
    "ModelAnswered",
    "OWN",
    "Planned",
    "PredictionEnded",
    "Proof",
    "Ranked",
    "RestartDelayed",
    "Run",
    "RunScheduled",
    "ScaleAsked",
    "Signature",
    "SignatureAdded",
    "SignatureRemoved",
    "SignatureRestored",
    "Similar",
    "StandbyFailed",
    "StartAsked",
    "StateDamaged",
    "StopAsked",
    "Suspected",
    "SuspectedChange",
    "Tally",
    "Trigger",
    "UndoEnded",
    "UndoStarted",
    "Unknown",
    "Verified",
    "WeightsLearned",
    "WorkDone",
    "WorkPlanned",
    "decode",
    "encode",
]

Event = DaemonEvent | AgentEvent | IncidentEvent | ForesightEvent | DataEvent | KnowledgeEvent


@dataclass(frozen=True, slots=True)
class Unknown:
    """A record that a newer version wrote, or none could have: kept in the journal and passed over."""

    type: str
    why: str


class _Envelope(msgspec.Struct):
    type: str
    data: msgspec.Raw


EVENT_TYPES: dict[str, type[Event]] = {cls.__name__: cls for cls in get_args(Event)}
_DECODERS = {name: msgspec.json.Decoder(cls) for name, cls in EVENT_TYPES.items()}
_ENVELOPE = msgspec.json.Decoder(_Envelope)
_ENCODER = msgspec.json.Encoder()
# RecursionError: brackets without end, which no version of us ever wrote.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def encode(event: Event) -> bytes:
    """Return the event as one JSON object: its type, and its fields as `data`."""
    return b'{"type":"%b","data":%b}' % (type(event).__name__.encode(), _ENCODER.encode(event))


def decode(payload: bytes) -> Event | Unknown:
    """Return the event of `encode`; `Unknown`, never an exception, where it is none of this version's."""
    try:
        envelope = _ENVELOPE.decode(payload)
    except _UNREADABLE as why:
        return Unknown("", str(why))
    decoder = _DECODERS.get(envelope.type)
    if decoder is None:
        return Unknown(envelope.type, "not known to this version")
    try:
        return decoder.decode(envelope.data)
    except _UNREADABLE as why:
        return Unknown(envelope.type, str(why))
