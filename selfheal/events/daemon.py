"""What can happen to the daemon itself, and what does it tell a person?"""

from __future__ import annotations

from dataclasses import dataclass

from selfheal.events.ranking import WeightsLearned
from selfheal.vocabulary import Severity


@dataclass(frozen=True, slots=True)
class DaemonStarted:
    at: float
    version: str
    pid: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class DaemonStopped:
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class StateDamaged:
    """A part of our own state was found damaged and set aside; `lost` says what could not be had back."""

    at: float
    file: str
    what: str
    kept_as: str | None
    lost: str


@dataclass(frozen=True, slots=True)
class LoopFailed:
    """A loop of the daemon raised; it is started again after `retry_s`, unless `gave_up`."""

    at: float
    loop: str
    error: str
    retry_s: float
    gave_up: bool = False


@dataclass(frozen=True, slots=True)
class HealingPaused:
    """A person turned the healer off, for one agent or, where `agent` is None, for all."""

    at: float
    agent: str | None
    by: str


@dataclass(frozen=True, slots=True)
class HealingResumed:
    at: float
    agent: str | None
    by: str


@dataclass(frozen=True, slots=True)
class ConfigReloaded:
    """The configuration was read again and holds. What it changes follows: agents by name, settings by dotted key.

    `restarted` are those whose process has to be another one, `changed` those that take the change as they run.
    `pending` are settings that only a restart of the daemon changes.
    """

    at: float
    by: str
    dry_run: bool
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: int = 0
    settings: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScaleAsked:
    """A person wants so many instances of an agent, by its name in the file, which gives it `declared`.

    It holds until the file says another number than that: then this comes again, with what the file says.
    """

    at: float
    agent: str
    instances: int
    declared: int
    by: str


@dataclass(frozen=True, slots=True)
class AlertRaised:
    """A person should know. The same `key` comes again with other words, and with `resolved` when it is over.

    `asks` is the fix that a person is asked to allow or to refuse, since `asked_at`; empty where nothing is asked.
    `again` says that it was said before and stands still. `suspects` are causes, likeliest first, of which a person
    may say which one it was; there are none where nobody is asked that. `anomaly` is the one of which a person may say
    that it is not worth telling.
    """

    at: float
    key: str
    severity: Severity
    title: str
    text: str
    agent: str
    incident: str | None
    resolved: bool = False
    asks: str = ""
    again: bool = False
    asked_at: float = 0.0
    suspects: tuple[str, ...] = ()
    anomaly: str = ""


@dataclass(frozen=True, slots=True)
class AlertDelivered:
    """What became of an alert at one notifier; `error` is None where it arrived.

    `receipt` is what the notifier calls what it has sent, to change it later. `more` says that others wait for it,
    `outdated` that what has taken its place meanwhile is still to be delivered.
    """

    at: float
    key: str
    notifier: str
    resolved: bool
    error: str | None
    receipt: str = ""
    more: bool = False
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class AlertFailed:
    """A notifier is out of order: an alert was not delivered, and is tried again after `retry_s`.

    Said when that begins, when the reason changes, and once an hour while it lasts; each try is counted elsewhere.
    """

    at: float
    key: str
    notifier: str
    resolved: bool
    why: str
    retry_s: float


@dataclass(frozen=True, slots=True)
class AlertsMuted:
    """A person wants no alerts until then, or none of one agent; a moment that has passed ends that."""

    at: float
    until: float
    by: str
    agent: str = ""


DaemonEvent = (
    DaemonStarted
    | DaemonStopped
    | StateDamaged
    | LoopFailed
    | HealingPaused
    | HealingResumed
    | ConfigReloaded
    | ScaleAsked
    | AlertRaised
    | AlertDelivered
    | AlertFailed
    | AlertsMuted
    | WeightsLearned
)
