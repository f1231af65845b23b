"""What may be decided?

Decisions are data: pure functions in `decide` and `verify` return them, the edges in `supervise` and `recover` carry
them out. They stand here because the stages know no more of each other than this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from selfheal.events import Alternative, BreakerOpened, BreakerTried, Cause, Ranked, Similar, Verified
from selfheal.vocabulary import GuardCode, Outcome, Policy, StartReason, WorkState
from selfheal.world import Agent, Incident, World

# --- what was found out before a decision ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sign:
    """What a platform tells that may explain a failure; `decisive` where it does so as a rule. `cause` is a slug."""

    cause: str
    evidence: str
    decisive: bool = False


@dataclass(frozen=True, slots=True)
class Clues:
    """What a look at the agent itself gave when its incident was opened.

    `log` are the last lines of the run in question, oldest first. `state` is the letter that /proc has for its process
    and `waits_in` the place in the kernel where that waits; both are empty where there is none, or it may not be seen.
    `signs` are those of the platform that runs it, where one does.
    """

    log: tuple[str, ...] = ()
    state: str = ""
    waits_in: str = ""
    signs: tuple[Sign, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why an incident is, likeliest first; what it looked like, and which of the past looked like that.

    `ranked` is how likely each is the cause where several agents were looked at. `again` says that it was only looked
    at once more: then what is the same as before is no news.
    """

    causes: tuple[Cause, ...]
    look: tuple[str, ...] = ()
    similar: tuple[Similar, ...] = ()
    ranked: Ranked | None = None
    again: bool = False


# --- the reflex: a process has ended ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended. Code and signal are both None where they cannot be known."""

    code: int | None
    signal: int | None
    ran_s: float

    @property
    def clean(self) -> bool:
        return self.code == 0


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again, in this very callback."""

    reason: StartReason = "reflex"


@dataclass(frozen=True, slots=True)
class Delay:
    """Start it again at `due_at`."""

    due_at: float
    why: str


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Restarting does not help; one trial at `retry_at`."""

    retry_at: float
    why: str


@dataclass(frozen=True, slots=True)
class Finish:
    """It ended as it should; none follows."""


@dataclass(frozen=True, slots=True)
class Leave:
    """It stays down for now, and why."""

    why: str


Reflex = Restart | Delay | Quarantine | Finish | Leave
DecideReflex = Callable[[Agent, Ending, float], Reflex]

# --- reason: an incident is open -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do before `until`; None: before something happens."""

    until: float | None = None


@dataclass(frozen=True, slots=True)
class Diagnose:
    """Gather evidence and rank the causes."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """It is about to end: write down by which `shares` of its causes the attempts are learned from."""

    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Hold:
    """Something could be done and shall not be, yet; `until` is when to look again, `code` the guard that says so."""

    reason: str
    until: float | None
    code: GuardCode | None = None
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Apply `fix` to `agent`. `trial` means that an open breaker lets it through once.

    `policy` is by which rule it was chosen, `ladder` what the fixed order would have chosen. `passed` are the guards
    that let it pass.
    """

    fix: str
    agent: str
    cause: str
    reason: str
    alternatives: tuple[Alternative, ...]
    trial: bool = False
    policy: Policy = "look_ahead"
    ladder: str = ""
    passed: tuple[GuardCode, ...] = ()


@dataclass(frozen=True, slots=True)
class Suggest:
    """`plan` is only said: nothing is done by it."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Undo:
    """Take back what the attempt of this number did: it has not helped."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Ask:
    """A person must approve `plan` first, by `until` at the latest; None: within the time that is configured."""

    plan: Plan
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Judge:
    """An attempt has been verified, one way or the other."""

    verdict: Verified


@dataclass(frozen=True, slots=True)
class Switch:
    """A breaker opens, since a fix is needed too often; or is on trial, since its agent is well without it."""

    event: BreakerOpened | BreakerTried


@dataclass(frozen=True, slots=True)
class Resolve:
    """It is over; `good_at` is the first good sign."""

    reason: str
    good_at: float


@dataclass(frozen=True, slots=True)
class Suppress:
    """It is nobody's trouble any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Escalate:
    """A person is needed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Close:
    """Planned work is over: done, or given up, and why."""

    outcome: Outcome
    state: WorkState
    reason: str


Step = (
    Rest
    | Diagnose
    | Hold
    | Plan
    | Suggest
    | Undo
    | Ask
    | Judge
    | Switch
    | Attribute
    | Resolve
    | Suppress
    | Escalate
    | Close
)
NextStep = Callable[[World, Incident, float], Step]
