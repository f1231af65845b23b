"""When is an alert told, by which way, and is it told at all?

Pure. What is over before it was told is told to nobody; what was told is told to be over, whatever the hour.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from selfheal.config.notify import ANY_NOTIFIER, NotifyConfig, QuietConfig
from selfheal.events import AlertRaised
from selfheal.vocabulary import SEVERITIES, Severity
from selfheal.world import Incident, Post, World
from selfheal.world.spans import span_text

# So many at one time are one message.
BUNDLE = 3
NEVER = float("inf")

AlertKey = tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Rules:
    """What was said of alerts: the least severity by notifier, and when who is told. All in seconds."""

    least: Mapping[str, Severity] = field(default_factory=dict)
    quiet: QuietConfig | None = None
    group_s: float = 0.0
    repeat_s: float = 0.0
    escalate_s: float = 0.0
    anomaly_s: float = 0.0
    called_later: frozenset[str] = frozenset()


def rules_of(config: NotifyConfig) -> Rules:
    """The rules that a configuration asks for."""
    later = config.escalate
    return Rules(
        config.severity,
        config.quiet,
        config.group,
        config.repeat,
        later.after if later is not None else 0.0,
        config.anomaly,
        frozenset(later.to) if later is not None else frozenset(),
    )


def due_at(
    rules: Rules, notifier: str, alert: AlertRaised, pending: Mapping[AlertKey, AlertRaised], post: Post, now: float
) -> float:
    """Return when `alert` may be sent by a notifier: not after `now` where it may at once, NEVER where it is not to be
    told that way.

    `pending` are the alerts that not every notifier has had, `post` is what was told. Of a held one it has to be asked
    again later: what is due changes with what happens.
    """
    told = post.told.get(alert.key)
    knows = told is not None and notifier in told.receipts
    if alert.resolved:
        began = pending.get((alert.key, False))
        waits = began is not None and notifier not in post.reached.get((alert.key, False), ())
        if began is not None and waits and not knows:
            at = _due_at(rules, notifier, began, post, now)
            return now if at <= now else NEVER  # it was held until it was over
        return now if knows else NEVER
    over = pending.get((alert.key, True))
    at = _due_at(rules, notifier, alert, post, now)
    return NEVER if over is not None and over.at >= alert.at and at > now else at


def _due_at(rules: Rules, notifier: str, alert: AlertRaised, post: Post, now: float) -> float:
    """When something that has begun may be told."""
    family = notifier.partition("-")[0]  # of several of a kind each has its number
    least = rules.least.get(family, rules.least.get(ANY_NOTIFIER, SEVERITIES[0]))
    if SEVERITIES.index(alert.severity) < SEVERITIES.index(least):
        return NEVER
    told = post.told.get(alert.key)
    # What comes from a clock that was ahead waits for nothing.
    at = max(post.quiet_until(alert.agent), min(alert.at, now))
    if told is None and not alert.asks and alert.at <= now:
        at = max(at, alert.at + rules.group_s)
    if alert.anomaly and alert.at <= now:
        at = max(at, alert.at + rules.anomaly_s)
    if family in rules.called_later:
        at = max(at, (told.since if told is not None else alert.at) + rules.escalate_s)
    if rules.quiet is not None and alert.severity != "critical":
        at = max(at, quiet_until(rules.quiet, max(at, now)))
    return at


def quiet_until(quiet: QuietConfig, at: float) -> float:
    """Return when the quiet hours end in which `at` lies, or `at` itself where it lies in none."""
    zone: tzinfo = UTC if quiet.timezone == "UTC" else ZoneInfo(quiet.timezone)
    here = datetime.fromtimestamp(at, zone)
    for day in (here.date() - timedelta(days=1), here.date()):
        begin = datetime.combine(day, quiet.begin, zone)
        end = datetime.combine(day if quiet.begin < quiet.end else day + timedelta(days=1), quiet.end, zone)
        if begin.timestamp() <= at < end.timestamp():
            return end.timestamp()
    return at


def repeated(world: World, rules: Rules, now: float) -> tuple[AlertRaised, ...]:
    """Return what has to be said again: a person is still needed, and nothing was said of it for so long."""
    if not rules.repeat_s:
        return ()
    return tuple(
        replace(last, at=now, again=True, text=f"{last.text}; {_since(world, key, now)}")
        for key, last in standing(world).items()
        if now - world.post.told[key].at >= rules.repeat_s
    )


def _since(world: World, key: str, now: float) -> str:
    """Of what has failed the time counts from then on, of planned work, where nothing has, that of the question."""
    if key in world.incidents:
        return f"it has lasted for {span_text(now - world.incidents[key].onset)}"
    asked = world.cases[key].approval
    return f"it was asked {span_text(now - (asked.asked_at if asked is not None else now))} ago"


def standing(world: World) -> Mapping[str, AlertRaised]:
    """The incidents and the planned work that a person was told of and that still wait for one, each with what was said
    last and is no repetition, by key.
    """
    first = {alert.key: alert for alert in world.alerts if not alert.resolved and not alert.again}
    return {
        key: first[key]
        for key in world.post.told
        if key in first and (key, False) not in world.undelivered and _waits(world.case(key))
    }


def _waits(incident: Incident | None) -> bool:
    return incident is not None and not incident.over and (incident.escalated or incident.asking)


def bundled(alerts: Sequence[AlertRaised]) -> AlertRaised:
    """Several alerts as one; none of them is changed later by what comes next under its key."""
    first, agents = alerts[0], list(dict.fromkeys(alert.agent for alert in alerts))
    named = ", ".join(agents[:5]) + (f" and {len(agents) - 5} more" if len(agents) > 5 else "")
    title = f"{len(alerts)} troubles are over: {named}" if first.resolved else f"{len(alerts)} alerts: {named}"
    text = "\n".join(f"{alert.title}: {alert.text}" if alert.text else alert.title for alert in alerts)
    return replace(
        first, key=f"bundle-{first.key}", severity=_worst(alerts), title=title, text=text, incident=None, anomaly=""
    )


def may_be_bundled(alerts: Iterable[AlertRaised], known: Collection[str]) -> list[AlertRaised]:
    """Those that need no message of their own: nothing is asked in them, and none changes what was sent before."""
    return [alert for alert in alerts if not alert.asks and alert.key not in known]


def _worst(alerts: Iterable[AlertRaised]) -> Severity:
    return max((alert.severity for alert in alerts), key=SEVERITIES.index)
