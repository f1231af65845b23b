"""What did the daemon know at a moment that has passed?

Reads the journal as it lies there, whoever writes it meanwhile: no lock is waited for, nothing is mended or written.
Whoever looks back comes through `steps`, or begins with a snapshot of the world that is not later than the moment.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from selfheal.errors import SelfhealError
from selfheal.events import AgentExited, Event, FixStarted, IncidentOpened, RestartDelayed, Unknown, decode
from selfheal.serve.times import rfc3339
from selfheal.store.frames import Frame, scan
from selfheal.store.names import content, named, number_of
from selfheal.store.salvage import first_seq, segments
from selfheal.store.snapshots import SUFFIX, Snapshot, read, snapshots, time_of
from selfheal.world import EMPTY, Incident, StoryEvent, World, fold

JOURNAL = "journal"
NOTHING = Snapshot(0, 0.0, EMPTY)


@dataclass(frozen=True, slots=True)
class At:
    """The world at a time, in seconds since the epoch."""

    at: float


@dataclass(frozen=True, slots=True)
class After:
    """The world after the event of this number."""

    seq: int


@dataclass(frozen=True, slots=True)
class BeforeIncident:
    """The world just before an incident was opened."""

    incident: str


Moment = At | After | BeforeIncident


@dataclass(frozen=True, slots=True)
class Step:
    """One event, and the world before and after it."""

    seq: int
    event: Event
    before: World
    after: World


@dataclass(frozen=True, slots=True)
class Past:
    """The world at a moment. `seq` is the number of the last event in it, and `events` are the last of them.

    `first` is the number of the first event that is in it: what was before that, where it is not 1, is missing.
    """

    world: World
    seq: int
    first: int
    events: tuple[tuple[int, Event], ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """An event that became part of an incident's story, and the world in which it was decided."""

    seq: int
    event: StoryEvent
    before: World


@dataclass(frozen=True, slots=True)
class Account:
    """An incident as it is last known, and everything that became part of it, oldest first.

    `first` is the number of the first event that is held: what was decided before it cannot be told any more.
    """

    incident: Incident
    first: int
    decisions: tuple[Decision, ...]


class NotHeld(SelfhealError):
    """What was asked for is not in the journal: it was never there, or is there no more."""


def steps(state_dir: Path) -> Iterator[Step]:
    """Yield every event that the journal holds, with the worlds around it. Raises NotHeld where there is no journal.

    What cannot be read is passed over: the end of what a running daemon is about to write, for one.
    """
    begin = _base(state_dir / JOURNAL) or NOTHING
    return walk(_events(state_dir, begin.seq), begin.world)


def walk(events: Iterable[tuple[int, Event]], world: World = EMPTY) -> Iterator[Step]:
    """Yield numbered events with the worlds around them; `world` is that before the first."""
    for seq, event in events:
        before, world = world, fold(world, event)
        yield Step(seq, event, before, world)


def recall(state_dir: Path, until: Moment, keep: int = 0) -> Past:
    """Return the world at a moment, with the `keep` last events before it. Raises NotHeld.

    The world at a time is that before the first event that is later; where a clock was set back, events may follow
    that which are not.
    """
    first, journal = next(_events(state_dir, 0), None), state_dir / JOURNAL
    begin = _nearest(journal, until)
    found = _recalled(state_dir, begin, until, keep) if begin is not None else None
    if found is None:
        raise _not_held(state_dir, until, first)
    if len(found.events) < keep:  # what came before the snapshot is to be told too
        begin = _nearest(journal, After(max(0, found.seq - keep))) or _base(journal) or NOTHING
        found = _recalled(state_dir, begin, until, keep) or found
    if isinstance(until, After) and until.seq > found.seq:
        raise NotHeld(
            f"cannot find event #{until.seq}: the journal ends with #{found.seq}; name that or an earlier one"
        )
    return found


def _recalled(state_dir: Path, begin: Snapshot, until: Moment, keep: int) -> Past | None:
    """Go on from a snapshot up to the moment; None where that comes before all that is held, or never."""
    latest: deque[tuple[int, Event]] = deque(maxlen=keep)
    world, seq, first, reached = begin.world, begin.seq, 1 if begin.seq else 0, False
    for step in walk(_events(state_dir, begin.seq), begin.world):
        if reached := _is_behind(step, until):
            break
        latest.append((step.seq, step.event))
        world, seq, first = step.after, step.seq, first or step.seq
    if (not seq and not isinstance(until, BeforeIncident)) or (isinstance(until, BeforeIncident) and not reached):
        return None
    return Past(world, seq, first or 1, tuple(latest))


def _nearest(journal: Path, until: Moment) -> Snapshot | None:
    """Where the shortest way to a moment begins; None where all that is held is later. Passes over what is damaged."""
    base = _base(journal)
    if isinstance(until, BeforeIncident):
        return base or NOTHING
    fitting = (path for path in reversed(snapshots(journal)) if _fits(path, until))
    found = next((found for found in map(_sound, fitting) if found is not None), None)
    return NOTHING if found is None and base is None else found


def _fits(path: Path, until: At | After) -> bool:
    if isinstance(until, After):
        return number_of(path) <= until.seq
    try:
        return time_of(path) <= until.at
    except (OSError, ValueError):
        return False


def _base(journal: Path) -> Snapshot | None:
    """The snapshot that stands for what was dropped before the first segment; None where there is none."""
    held = segments(journal)
    path = named(journal, first_seq(held[0]) - 1, SUFFIX) if held else None
    return _sound(path) if path is not None else None


def _sound(path: Path) -> Snapshot | None:
    try:
        return read(path)
    except (OSError, ValueError):
        return None


def account(state_dir: Path, incident: str) -> Account:
    """Return all that was decided in an incident. Raises NotHeld, with the earliest that there is."""
    found = gathered(steps(state_dir), incident)
    if found is None:
        raise _no_such_incident(state_dir, incident)
    return found


def gathered(taken: Iterable[Step], incident: str) -> Account | None:
    """Return all that was decided in an incident; None where there is none of that name."""
    decisions: list[Decision] = []
    latest: Incident | None = None
    fallen: dict[str, World] = {}
    first = 0
    for step in taken:
        first = first or step.seq
        if isinstance(step.event, AgentExited):
            fallen[step.event.agent] = step.before
        known = step.after.incidents.get(incident)
        joined = known is not None and known is not step.before.incidents.get(incident)
        if joined and isinstance(step.event, StoryEvent):
            if isinstance(step.event, IncidentOpened):  # where records are lost a name may come again: the last counts
                decisions.clear()
            latest = known  # kept here: the world itself lets go of the oldest
            decisions.append(Decision(step.seq, step.event, _as_decided(step, fallen)))
    return Account(latest, first, tuple(decisions)) if latest is not None else None


def _as_decided(step: Step, fallen: Mapping[str, World]) -> World:
    """The world in which it was decided: a reflex is written down after the act, and saw the agent before it fell."""
    match step.event:
        case FixStarted(reflex=True, agent=agent) | RestartDelayed(agent=agent):
            return fallen.get(agent, step.before)
        case _:
            return step.before


def _events(state_dir: Path, since: int) -> Iterator[tuple[int, Event]]:
    """Yield the events after number `since`. Raises NotHeld."""
    last = since
    paths = _segments(state_dir / JOURNAL)
    begin = max(bisect_right([first_seq(path) for path in paths], since + 1) - 1, 0)
    for path in paths[begin:]:
        for frame in scan(_content(path)):
            if isinstance(frame, Frame) and not frame.hole and frame.seq > last:
                last, event = frame.seq, decode(frame.payload)
                if not isinstance(event, Unknown):
                    yield last, event


def _segments(journal: Path) -> list[Path]:
    try:
        if next(journal.iterdir(), None) is not None:
            return segments(journal)
    except OSError as why:
        raise NotHeld(
            f"cannot look back: {str(journal)!r} cannot be read ({why.strerror}); "
            f"say where a daemon has worked, with --state-dir DIR"
        ) from why
    return []


def _content(path: Path) -> bytes:
    try:
        return content(path)
    except FileNotFoundError:  # dropped for its age since it was listed
        return b""
    except OSError as why:
        raise NotHeld(
            f"cannot look back: {str(path)!r} cannot be read ({why.strerror}); mend that, or ask as its owner"
        ) from why


def _is_behind(step: Step, until: Moment) -> bool:
    """Whether a step is the first that does not belong to the world at that moment.

    Numbers rule, not times: what is written down after the act bears an earlier time than the event before it, and
    the world as it was known then is the one without it.
    """
    match until:
        case At(at=at):
            return step.event.at > at
        case After(seq=seq):
            return step.seq > seq
        case BeforeIncident(incident=incident):
            return isinstance(step.event, IncidentOpened) and step.event.incident == incident


def _not_held(state_dir: Path, until: Moment, first: tuple[int, Event] | None) -> NotHeld:
    if first is None:
        return NotHeld(f"cannot look back: the journal in {str(state_dir)!r} holds no event yet; ask again later")
    if isinstance(until, BeforeIncident):
        return _no_such_incident(state_dir, until.incident)
    base = _base(state_dir / JOURNAL)
    seq, at = (base.seq, base.at) if base is not None else (first[0], first[1].at)
    return NotHeld(
        f"cannot tell how it was then: the earliest moment that the journal holds is {rfc3339(at)}, "
        f"event #{seq}; name that one or a later one"
    )


def _no_such_incident(state_dir: Path, incident: str) -> NotHeld:
    opened = next((step.event for step in steps(state_dir) if isinstance(step.event, IncidentOpened)), None)
    if opened is None:
        return NotHeld(
            f"cannot find incident {incident!r}: the journal holds none; ask again when something has happened"
        )
    return NotHeld(
        f"cannot find incident {incident!r}: the journal holds none of that name, and the earliest that it holds is "
        f"{opened.incident}, opened at {rfc3339(opened.at)}; 'selfheal incidents' lists the latest"
    )
