"""What has been taught by persons, counted of signatures, and kept of incidents that are over?

Signatures are counted by how incidents end: right by the share that their cause turned out to have, wrong by the rest,
where what was tried has made one cause likely. A person's word counts in full, and takes the place of what the attempts
had said of that incident.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

from selfheal.events import (
    OWN,
    Attributed,
    CauseLabelled,
    DaemonStarted,
    Fingerprint,
    FixRelapsed,
    IncidentEscalated,
    IncidentEvent,
    IncidentResolved,
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
from selfheal.world.incidents import Attempt, Incident
from selfheal.world.odds import DAY_S, HELPED, KEPT_A_DAY
from selfheal.world.spans import span_text

# The newest; about half a megabyte of them.
FINGERPRINTS_KEPT = 1_000
# What the attempts have shown stands for the cause from this share on.
SURE = 0.7

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Knowledge:
    """`origin` names this daemon to others. `own` are the signatures that persons have added, `off` the shipped ones
    that they have switched off. `tallies` are by signature, `lent` those of other daemons by their origin. `past` are
    incidents by the key of their fingerprints, the newest last.
    """

    origin: str = ""
    own: Mapping[str, Signature] = field(default_factory=dict)
    off: frozenset[str] = frozenset()
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    lent: Mapping[str, Mapping[str, Tally]] = field(default_factory=dict)
    past: Mapping[str, Fingerprint] = field(default_factory=dict)

    def seen(self, sign: str, now: float) -> Tally:
        """All that was counted of a signature, here and elsewhere, as it counts at `now`."""
        known = (tallies[sign] for tallies in (self.tallies, *self.lent.values()) if sign in tallies)
        return _sum(known, now)


def faded(tally: Tally, now: float) -> Tally:
    """As it counts at `now`: half of it after five weeks, as with fixes."""
    kept = KEPT_A_DAY ** (max(0.0, now - tally.at) / DAY_S)
    return Tally(tally.right * kept, tally.wrong * kept, max(now, tally.at))


def fold_knowledge(known: Knowledge, event: KnowledgeEvent) -> Knowledge:
    """Return what is known after somebody has taught something."""
    match event:
        case SignatureAdded(signature=one):
            return replace(known, own={**known.own, one.id: one}, off=known.off - {one.id})
        case SignatureRemoved(id=name):
            return _removed(known, name)
        case SignatureRestored(id=name):
            return replace(known, off=known.off - {name})
        case KnowledgeImported():
            lent = {origin: told for origin, told in event.tallies.items() if origin != known.origin}
            theirs = {one.key: one for one in event.incidents if one.origin and one.origin != known.origin}
            return replace(known, lent={**known.lent, **lent}, past=_newest({**known.past, **theirs}))


def named(known: Knowledge, event: DaemonStarted) -> Knowledge:
    """Its first start names a daemon: what it lends to others bears that name, and is not taken back for another's."""
    return replace(known, origin=known.origin or f"d{int(event.at * 1e6):x}-{event.pid:x}")


def _removed(known: Knowledge, name: str) -> Knowledge:
    """What was counted of an own one is gone with it: another of the same name is another."""
    if name.partition(".")[0] != OWN:
        return replace(known, off=known.off | {name})
    return replace(known, own=_without(known.own, name), tallies=_without(known.tallies, name))


def _without(table: Mapping[str, T], name: str) -> dict[str, T]:
    return {key: value for key, value in table.items() if key != name}


def _newest(past: dict[str, Fingerprint]) -> dict[str, Fingerprint]:
    """What others have lent may be older than what is here: the oldest of all goes first."""
    excess = len(past) - FINGERPRINTS_KEPT
    gone = {one.key for one in sorted(past.values(), key=lambda one: one.at)[: max(0, excess)]}
    return {key: one for key, one in past.items() if key not in gone} if gone else past


def _sum(tallies: Iterable[Tally], now: float) -> Tally:
    known = [faded(one, now) for one in tallies]
    return Tally(sum(one.right for one in known), sum(one.wrong for one in known), now)


# --- what an incident teaches ----------------------------------------------------------------------------------------


def taught(known: Knowledge, incident: Incident, event: IncidentEvent) -> tuple[Knowledge, Incident]:
    """Return what is known after `event`, which is part of the incident already, and the incident that remembers what
    was counted of it.
    """
    if isinstance(event, Attributed | CauseLabelled):
        known, incident = _counted(known, incident, event.at)
    if isinstance(event, IncidentResolved | IncidentEscalated | CauseLabelled | FixRelapsed):
        known = _kept(known, incident)
    return known, incident


def _counted(known: Knowledge, incident: Incident, at: float) -> tuple[Knowledge, Incident]:
    """Count each signature by what the incident says now, in the place of what it has said before."""
    now, before = _judged(incident), incident.counted
    if not now and not before:
        return known, incident
    tallies = dict(known.tallies)
    for sign in {**before, **now}:
        right, wrong = before.get(sign, (0.0, 0.0))
        gone = faded(Tally(right, wrong, incident.counted_at), at)
        right, wrong = now.get(sign, (0.0, 0.0))
        then = faded(tallies.get(sign, Tally(at=at)), at)
        tallies[sign] = Tally(max(0.0, then.right - gone.right) + right, max(0.0, then.wrong - gone.wrong) + wrong, at)
    return replace(known, tallies=tallies), replace(incident, counted=now, counted_at=at)


def _judged(incident: Incident) -> dict[str, tuple[float, float]]:
    """How far each signature that spoke was right, and how far wrong; nothing of which nothing was shown."""
    shown = _shown(incident)
    shares = {sign: _share(incident, shown, cause, agent) for sign, (cause, agent) in incident.signs.items()}
    return {sign: (share, 1.0 - share) for sign, share in shares.items() if share is not None}


def _share(incident: Incident, shown: Mapping[str, float], cause: str, agent: str) -> float | None:
    """How far a cause was the true one, None where nobody knows: a person's word, else what the attempts have shown."""
    label = incident.label
    if label is None:
        return shown.get(cause, 0.0) if shown else None
    if label.cause:
        return float((label.cause, label.agent) == (cause, agent))
    return 0.0 if cause == label.said else None


def _shown(incident: Incident) -> dict[str, float]:
    """How likely each cause was after all, where the attempts have made one of them likely enough; else nothing.

    That a dead process was started shows nothing: what was believed before would be taken for its own proof, and a
    signature would lose a little with every death. That no cause was found is none that could have been the true one.
    """
    told = any(one.verified and not one.reflex and one.outcome in HELPED for one in incident.attempts)
    shares = {cause: share for cause, share in incident.shares.items() if cause != "unknown" and share > 0.0}
    total = sum(shares.values())
    if not told or not shares or max(shares.values()) < SURE * total:
        return {}
    return {cause: share / total for cause, share in shares.items()}


def _kept(known: Knowledge, incident: Incident) -> Knowledge:
    if not incident.look or not (incident.state == "resolved" or incident.escalated):
        return known
    past = {**known.past, incident.id: fingerprint(incident)}
    excess = len(past) - FINGERPRINTS_KEPT
    return replace(known, past=dict(islice(past.items(), max(0, excess), None)))


def fingerprint(incident: Incident) -> Fingerprint:
    """What is kept of an incident that is over, or waits for a person."""
    helped = next((one for one in reversed(incident.attempts) if one.verified and one.outcome == "succeeded"), None)
    cause, where, proof = _outcome(incident, helped)
    return Fingerprint(
        incident.id,
        "",
        incident.agent,
        incident.onset,
        incident.look,
        cause,
        where,
        proof,
        helped.fix if helped is not None else "",
        incident.recovery_s,
        incident.escalated,
    )


def _outcome(incident: Incident, helped: Attempt | None) -> tuple[str, str, Proof]:
    """What it was, at which agent, and how that is known. That a death was followed by a start proves nothing."""
    if incident.label is not None:
        return incident.label.cause, incident.label.agent, "person"
    shown = _shown(incident) or incident.shares
    slug = max(shown, key=lambda cause: shown[cause], default=incident.cause)
    where = next((one.agent for one in incident.found if one.slug == slug), incident.agent)
    proven = helped is not None and not helped.reflex and bool(_shown(incident))
    return slug, where, "attempts" if proven else ""


# --- in words --------------------------------------------------------------------------------------------------------


def seen_before(similar: Similar, now: float) -> str:
    """Tell an incident of the past in half a line: when it was, what it was, and what helped."""
    cause = similar.cause or "not what was thought"
    how = {"person": " (a person says so)", "attempts": "", "": " (as was thought)"}[similar.proof]
    helped = f"{similar.fix} helped" if similar.fix else "no fix helped"
    after = f" after {span_text(similar.recovery_s)}" if similar.recovery_s is not None else ""
    person = ", a person was needed" if similar.person else ""
    return f"{similar.key}, {span_text(max(0.0, now - similar.at))} ago: {cause}{how}, {helped}{after}{person}"
