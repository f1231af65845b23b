"""What is known of one incident that a cause is looked for in, whoever recorded it?

Pure data. The daemon makes a case of its own signals, and a recorded one is read from a folder. Times are wall seconds.
What was not recorded is empty, and a channel that needs it says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# The candidate that stands for "none of these", beside the services.
NONE = "none"


@dataclass(frozen=True, slots=True)
class Series:
    """A number of one service over time: `at` ascends, `values` are as many, NaN where nothing was measured."""

    service: str
    metric: str
    at: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class LogLine:
    """What a service said, and when."""

    at: float
    service: str
    message: str


@dataclass(frozen=True, slots=True)
class PatternCount:
    """How often a service said something during the incident, and how much more than usual, where only that is kept."""

    service: str
    pattern: str
    count: float
    delta: float


@dataclass(frozen=True, slots=True)
class Span:
    """One operation of a service within a trace. `parent` is the id of the span that called it, empty for the first."""

    at: float
    trace: str
    id: str
    parent: str
    service: str
    operation: str
    duration_ms: float
    status: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was changed on purpose: a deploy, a commit, a flag, a configuration, a restart, a scale."""

    at: float
    service: str
    kind: str
    title: str
    diff: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """What was noticed first, where somebody says so. `metric` may be empty."""

    service: str
    metric: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """How a process of a service ended, not by our will: by a code or a signal; by neither where nobody knows."""

    at: float
    service: str
    code: int | None = None
    signal: int | None = None
    ran_s: float = 0.0


@dataclass(frozen=True, slots=True)
class State:
    """How a service is by what is asked of it.

    `down` says that it has settled on failure, `doubtful` that only its latest answers were bad, either since `since`;
    `local` that its own process is what is wrong, as the kernel says. `answers` says that all its checks have answered
    well since the trouble began. `cause` is a slug, and `says` are the words of what fails.
    """

    service: str
    down: bool = False
    doubtful: bool = False
    since: float = 0.0
    local: bool = False
    answers: bool = False
    cause: str = ""
    says: str = ""


@dataclass(frozen=True, slots=True)
class Use:
    """How much of what it may use a process has used: 1 is all of it."""

    service: str
    what: str
    share: float


@dataclass(frozen=True, slots=True)
class Sign:
    """A line of a service's log that is known to stand for a cause. `precision` is how often that is true."""

    service: str
    cause: str
    precision: float
    line: str


@dataclass(frozen=True, slots=True)
class Case:
    """All that was recorded around `at`, when the trouble began or was noticed.

    `graph` is who calls whom: caller -> callees. A service may appear in some of the parts and not in others. `ends`,
    `states`, `uses` and `signs` are what only a supervisor knows: of a case that was recorded elsewhere there are none.
    """

    at: float
    alert: Alert | None = None
    graph: Mapping[str, Sequence[str]] = field(default_factory=dict)
    series: Sequence[Series] = ()
    logs: Sequence[LogLine] = ()
    patterns: Sequence[PatternCount] = ()
    spans: Sequence[Span] = ()
    changes: Sequence[Change] = ()
    ends: Sequence[End] = ()
    states: Sequence[State] = ()
    uses: Sequence[Use] = ()
    signs: Sequence[Sign] = ()

    def services(self) -> tuple[str, ...]:
        """Every service that appears anywhere, by name."""
        named = {one.service for part in (self.series, self.logs, self.patterns, self.spans) for one in part}
        named.update(one.service for one in self.changes if one.service)
        named.update(one.service for part in (self.ends, self.states, self.uses, self.signs) for one in part)
        named.update(self.graph)
        named.update(callee for callees in self.graph.values() for callee in callees)
        if self.alert is not None:
            named.add(self.alert.service)
        return tuple(sorted(named))
