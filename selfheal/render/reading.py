"""What do the answers of Render's API mean: is a service well, is it being deployed, or has it failed?

Pure. Of each answer what is needed is read, by the names of Render's own specification; whatever else is in it, and
what is added to it one day, is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from selfheal.kinds import Condition

# A service that failed so often since it was last started or deployed, within the time that is looked at, is looping.
CRASHES, LOOK_BACK_S = 3, 600.0
# Render itself gives up a deploy whose instances do not answer after 15 minutes, and a build after two hours: what
# takes longer than half of that is more often stuck than slow.
STUCK_S = 3600.0

IN_PROGRESS = frozenset(
    {"created", "queued", "build_in_progress", "pre_deploy_in_progress", "update_in_progress"}
)  # fmt: skip
# What gives a service another start: failures before it say nothing of how it is now.
_FRESH = frozenset({"server_restarted", "deploy_ended", "service_resumed"})
CRASH_LOOP = "stuck_crashlooping"
# These run nothing all the time: having no instance says nothing of them.
_WITHOUT_INSTANCES = frozenset({"static_site", "cron_job"})


class Autoscaling(msgspec.Struct, frozen=True):
    """Whether Render chooses the number of instances."""

    enabled: bool = False


class Details(msgspec.Struct, frozen=True, rename="camel"):
    """What depends on the type of a service."""

    url: str = ""
    region: str = ""
    num_instances: int = 0
    autoscaling: Autoscaling | None = None
    disk: dict[str, object] | None = None


class Service(msgspec.Struct, frozen=True, rename="camel"):
    """A web or private service, a background worker, a cron job or a static site."""

    id: str
    name: str = ""
    type: str = ""
    suspended: str = "not_suspended"
    suspenders: tuple[str, ...] = ()
    service_details: Details = Details()
    owner_id: str = ""

    @property
    def is_suspended(self) -> bool:
        return self.suspended == "suspended"

    @property
    def has_instances(self) -> bool:
        return self.type not in _WITHOUT_INSTANCES


class Store(msgspec.Struct, frozen=True, rename="camel"):
    """A PostgreSQL or a Key Value that Render runs; of the latter nothing but `status` says that it is suspended."""

    id: str
    name: str = ""
    status: str = ""
    suspended: str = "not_suspended"
    suspenders: tuple[str, ...] = ()
    high_availability_enabled: bool = False
    owner: Owner | None = None

    @property
    def owner_id(self) -> str:
        return self.owner.id if self.owner is not None else ""

    @property
    def is_suspended(self) -> bool:
        return "suspended" in (self.status, self.suspended)


class Commit(msgspec.Struct, frozen=True):
    """What was deployed."""

    id: str = ""


class Deploy(msgspec.Struct, frozen=True, rename="camel"):
    """One deploy, whatever became of it."""

    id: str
    status: str = ""
    trigger: str = ""
    commit: Commit | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def in_progress(self) -> bool:
        return self.status in IN_PROGRESS

    @property
    def began_at(self) -> float:
        return _seconds(self.started_at or self.created_at)

    @property
    def ended_at(self) -> float:
        """Wall time of its end, 0 where it has none."""
        return _seconds(self.finished_at)

    @property
    def words(self) -> str:
        """Its id, and what was deployed where that is known."""
        return f"{self.id} (commit {self.commit.id[:10]})" if self.commit is not None and self.commit.id else self.id


class Instance(msgspec.Struct, frozen=True, rename="camel"):
    """One instance that runs."""

    id: str
    created_at: datetime | None = None


class LogEntry(msgspec.Struct, frozen=True):
    """One entry of a log, of the program or of Render itself."""

    message: str
    timestamp: datetime

    @property
    def at(self) -> float:
        return self.timestamp.timestamp()


class Log(msgspec.Struct, frozen=True):
    """A page of a log."""

    logs: tuple[LogEntry, ...] = ()


class Owner(msgspec.Struct, frozen=True):
    """The workspace that something belongs to."""

    id: str = ""


class Happening(msgspec.Struct, frozen=True):
    """What Render says has happened to a service; `details` depend on the type."""

    id: str
    type: str
    timestamp: datetime
    details: dict[str, object] = {}

    @property
    def at(self) -> float:
        return self.timestamp.timestamp()


def judge(
    service: Service, deploys: Sequence[Deploy], instances: Sequence[Instance], now: float,
    happenings: Iterable[Happening] = (),
) -> Condition:  # fmt: skip
    """Say how a service is. `deploys` are the latest ones, newest first; `happenings` in any order.

    While it is deployed the version before serves, as a rule: it is judged by that, and where nothing serves it cannot
    be told before the deploy has ended.
    """
    running = float(len(instances))
    signals = {"instances": running} if service.has_instances else {}
    if service.is_suspended:
        return msgspec.structs.replace(_suspended(service.suspenders), signals=signals)
    deploying = next((one for one in deploys if one.in_progress), None)
    if deploying is not None and now - deploying.began_at > STUCK_S:
        minutes = (now - deploying.began_at) / 60
        reason = f"deploy {deploying.words} is in the state {deploying.status} for {minutes:.0f} min"
        return Condition("failed", reason, "deploy_stuck", signals)
    loop = _crash_loop(happenings, now)
    served = running > 0 or not service.has_instances
    if deploying is not None and (loop is not None or not served):
        reason = f"deploy {deploying.words} is in progress ({deploying.status}), and nothing serves before it has ended"
        return Condition("deploying", reason, "", signals)
    if loop is not None:
        return msgspec.structs.replace(loop, signals=signals)
    if not served:
        return msgspec.structs.replace(_nothing_runs(deploys), signals=signals)
    return Condition("well", "", "", signals)


def judge_store(store: Store) -> Condition:
    """Say how a PostgreSQL or a Key Value is."""
    if store.is_suspended:
        return _suspended(store.suspenders)
    match store.status:
        case "available" | "maintenance_scheduled":
            return Condition("well")
        case "unavailable" | "recovery_failed":
            return Condition("failed", f"Render says that it is {store.status}", "unreachable")
        case status:
            return Condition("deploying", f"Render works on it, or does not say how it is ({status or 'no status'})")


def previous(deploys: Sequence[Deploy]) -> tuple[Deploy, Deploy] | str:
    """The deploy that is live, and the last one before it that was, of something else; else why there are no two.

    What was rolled back to is not left for what it was rolled back from.
    """
    if any(one.in_progress for one in deploys):
        return "a deploy is in progress; wait for its end, or cancel it"
    live = next((one for one in deploys if one.status == "live"), None)
    if live is None:
        return "no deploy of it is live"
    if live.trigger == "rollback":
        return f"{live.words}, which is live, is a rollback already"
    older = deploys[list(deploys).index(live) + 1 :]
    for one in older:
        if one.status == "deactivated" and (one.commit is None or one.commit != live.commit):
            return live, one
    return f"no deploy before {live.words}, of something else than that, was ever live"


def _nothing_runs(deploys: Sequence[Deploy]) -> Condition:
    if deploys and not any(one.status in ("live", "deactivated") for one in deploys):
        why = f"no instance of it runs, and its latest deploy, {deploys[0].words}, ended as {deploys[0].status}"
        return Condition("failed", why, "bad_deploy")
    return Condition("failed", "no instance of it runs at Render", "unreachable")


def by_whom(suspenders: Sequence[str]) -> str:
    """In words who has suspended a service."""
    if not suspenders or set(suspenders) & {"user", "admin"}:
        return "a person"
    return f"Render ({', '.join(suspenders)})"


def _suspended(suspenders: Sequence[str]) -> Condition:
    if CRASH_LOOP in suspenders:
        return Condition("failed", "Render has suspended it, since it crashed again and again", "crashed")
    if by_whom(suspenders) == "a person":
        return Condition("suspended", "suspended by a person")
    return Condition("failed", f"suspended by {by_whom(suspenders)}", "suspended")


def _crash_loop(happenings: Iterable[Happening], now: float) -> Condition | None:
    """Whether it fails again and again, and of what; what was before its last start by somebody does not count."""
    failures: list[Happening] = []
    for one in sorted(happenings, key=lambda one: one.at):
        if one.type in _FRESH:
            failures = []
        elif one.type == "server_failed" and one.at > now - LOOK_BACK_S:
            failures.append(one)
    if len(failures) < CRASHES:
        return None
    cause, words = _why(failures[-1])
    return Condition("failed", f"it failed {len(failures)} times since it was last started, at last {words}", cause)


def _why(failure: Happening) -> tuple[str, str]:
    """The cause, as a slug and in words."""
    reason = failure.details.get("reason")
    told = reason if isinstance(reason, dict) else {}
    if told.get("oomKilled"):
        return "out_of_memory", "out of memory"
    if told.get("nonZeroExit"):
        return "crashed", f"with exit code {told['nonZeroExit']}"
    if told.get("earlyExit"):
        return "exited", "by an exit that nobody asked for"
    if told.get("unhealthy") or told.get("timedOutSeconds"):
        return "hung", "since it did not answer its health check"
    return "crashed", "without a reason that Render knows"


def _seconds(time: datetime | None) -> float:
    return time.timestamp() if time is not None else 0.0
