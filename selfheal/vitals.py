"""How is each agent right now, between two events?

Thousands of observations a second change nothing that is worth an event. They end here: the latest record of each
check and the latest value of each signal. One writer, the sink of the checks; readers get frozen records. Nothing in
here outlives the daemon: after a start it is empty and fills within one round of checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from selfheal.kinds import Observation
from selfheal.vocabulary import FailureMode, PredictionModel, StandbyKind


class CheckRecord(msgspec.Struct, frozen=True):
    """A check as it stands.

    `streak` results in a row were, or were not, `ok`, the first of them at `since`. `settled` is the verdict after
    hysteresis, None before there is one. `last` may be an observation that counts for neither side; `errors` in a row
    were none because the check itself broke. `unsure_since` is when the first of those that are inconclusive came.
    `misses` are the times of the latest failures, where they need not be in a row, and `flips` the latest changes
    between well and failed, a bit for each result, the newest lowest.
    """

    check: str
    settled: bool | None = None
    ok: bool = False
    streak: int = 0
    since: float = 0.0
    last: Observation | None = None
    errors: int = 0
    unsure_since: float = 0.0
    misses: tuple[float, ...] = ()
    flips: int = 0

    @property
    def last_at(self) -> float:
        return self.last.at if self.last is not None else 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands by to be an agent's next run. `pid` is None where there is nothing, and `why` says why.

    `rss_bytes` is its memory when it became ready; a zygote's is shared with its children.
    """

    kind: StandbyKind
    ready: bool = False
    pid: int | None = None
    rss_bytes: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Strangeness:
    """How strange all signals of an agent are together. `score`, from 0 to 1 and one half where it hardly ever was, is
    None where no forest could be asked, and `why` says why. `features` are those furthest from what was learned.
    """

    at: float
    score: float | None
    why: str = ""
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Speaker:
    """Which model says how likely a failure of some mode is, and why that one."""

    model: PredictionModel
    why: str


class AgentVitals(msgspec.Struct, frozen=True):
    """Everything in here about one agent, for who keeps the same elsewhere."""

    checks: dict[str, CheckRecord] = {}
    signals: dict[str, float] = {}
    standby: Standing | None = None
    strangeness: Strangeness | None = None


class Vitals:
    """The current check records and signals of every agent."""

    def __init__(self) -> None:
        self.verdicts = 0
        """How often a check has settled on another verdict: what is shown of the fleet has changed then."""
        self._records: dict[str, dict[str, CheckRecord]] = {}
        self._signals: dict[str, dict[str, float]] = {}
        self._standbys: dict[str, Standing] = {}
        self._strangeness: dict[str, Strangeness] = {}
        self.speakers: Mapping[FailureMode, Speaker] = {}
        """Who speaks of each mode that can be learned; replaced as a whole."""

    def checks(self, agent: str) -> Mapping[str, CheckRecord]:
        """The records of an agent's checks, by name; empty where none ran yet."""
        return self._records.get(agent, {})

    def check(self, agent: str, check: str) -> CheckRecord:
        return self.checks(agent).get(check) or CheckRecord(check)

    def signals(self, agent: str) -> Mapping[str, float]:
        """The latest value of each signal of an agent."""
        return self._signals.get(agent, {})

    def put(self, agent: str, record: CheckRecord) -> None:
        records = self._records.get(agent)
        if records is None:
            records = self._records[agent] = {}
        before = records.get(record.check)
        if record.settled != (before.settled if before is not None else None):
            self.verdicts += 1
        records[record.check] = record

    def put_signals(self, agent: str, signals: Mapping[str, float]) -> None:
        known = self._signals.get(agent)
        if known is None:
            known = self._signals[agent] = {}
        known.update(signals)

    def standby(self, agent: str) -> Standing | None:
        """What stands by for an agent; None where nothing shall."""
        return self._standbys.get(agent)

    def put_standby(self, agent: str, standing: Standing) -> None:
        self._standbys[agent] = standing

    def drop_standby(self, agent: str) -> None:
        self._standbys.pop(agent, None)

    def strangeness(self, agent: str) -> Strangeness | None:
        """How strange its signals are together; None before anybody has looked at them."""
        return self._strangeness.get(agent)

    def put_strangeness(self, agent: str, strangeness: Strangeness) -> None:
        self._strangeness[agent] = strangeness

    def reset(self, agent: str) -> None:
        """Forget the records of an agent: a new run owes nothing to the one before."""
        self._records.pop(agent, None)

    def forget(self, agent: str) -> None:
        """Forget everything of an agent that is no longer there."""
        self.reset(agent)
        self._signals.pop(agent, None)
        self._strangeness.pop(agent, None)

    def agents(self) -> set[str]:
        """Every agent of which anything is known."""
        return {*self._records, *self._signals, *self._standbys, *self._strangeness}

    def of(self, agent: str) -> AgentVitals:
        """Everything of an agent. For who has a copy: what is in it changes with the vitals."""
        records, signals = self._records.get(agent, {}), self._signals.get(agent, {})
        return AgentVitals(records, signals, self._standbys.get(agent), self._strangeness.get(agent))

    def put_all(self, agent: str, known: AgentVitals) -> None:
        """Let everything of an agent be as it is known elsewhere."""
        self._records[agent] = known.checks
        self._signals[agent] = known.signals
        if known.standby is not None:
            self._standbys[agent] = known.standby
        else:
            self.drop_standby(agent)
        if known.strangeness is not None:
            self._strangeness[agent] = known.strangeness
        else:
            self._strangeness.pop(agent, None)

    def copy(self) -> Vitals:
        """The vitals as they are now, for a reader in another thread."""
        other = Vitals()
        other._records = {agent: dict(records) for agent, records in self._records.items()}
        other._signals = {agent: dict(signals) for agent, signals in self._signals.items()}
        other._standbys = dict(self._standbys)
        other._strangeness = dict(self._strangeness)
        other.speakers = self.speakers
        return other
