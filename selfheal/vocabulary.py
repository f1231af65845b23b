"""Which words may appear in the API, the metrics and the configuration?

Closed vocabularies, one tuple or `Literal` each. Causes have a table of their own in `selfheal.causes`.
"""

from __future__ import annotations

from typing import Literal, get_args

Layer = Literal["application", "infrastructure", "data"]

AgentState = Literal[
    "starting", "healthy", "degraded", "unhealthy", "recovering", "quarantined", "stopped", "maintenance"
]
IncidentState = Literal["open", "recovering", "verifying", "waiting_approval", "resolved", "escalated", "suppressed"]
CheckResult = Literal["ok", "failed", "timeout", "inconclusive", "error"]
Outcome = Literal["succeeded", "failed", "relapsed", "timed_out", "undone", "interrupted", "rejected"]
BreakerState = Literal["closed", "open", "half_open"]
# How an agent may fail that can be foreseen: what is used up, and that it dies as it often did. Words and units of each
# are in `selfheal.modes`.
FailureMode = Literal[
    "out_of_memory",
    "out_of_fds",
    "disk_full",
    "out_of_inodes",
    "out_of_connections",
    "queue_full",
    "certificate_expired",
    "limit_reached",
    "crash",
]
# What became of a prediction. Nobody knows whether what was averted would have come: it counts neither for nor against.
PredictionOutcome = Literal["happened", "averted", "withdrawn"]
# Which model foresees: the trend towards a limit, the rate of its deaths so far, or one that was trained.
PredictionModel = Literal["trend", "hazard", "boost", "lstm"]
FleetStatus = Literal["ok", "degraded", "critical"]
# How a service that a platform runs is, and what can be done to it there.
ServiceState = Literal["well", "deploying", "suspended", "failed"]
ServiceAct = Literal[
    "restart", "cancel_deploy", "roll_back", "redeploy", "redeploy_clear_cache", "resume", "scale", "fail_over"
]
# What an agent may use, of that which can be raised while it runs: bytes of memory, open files.
Limit = Literal["memory", "fds"]
RestartPolicy = Literal["always", "on-failure", "never"]
# What may be changed on purpose. `fix` is what was done by selfheal itself.
ChangeKind = Literal["deploy", "configuration", "scale", "restart", "stop", "fix"]
StandbyKind = Literal["spare", "zygote"]
# How a run came to its first line: anew, or as a process that has waited there with its imports done.
StartWay = Literal["cold", "spare", "zygote"]

# How far a fix may go by itself: without a word, after a person's yes, never (only said), not even thought of.
Mode = Literal["auto", "ask", "suggest", "off"]
# What a fix may break: 0 nothing, 1 as a restart, 2 as a roll-back, 3 as a restore of data.
Tier = Literal[0, 1, 2, 3]
# Where evidence for a cause comes from. What is seen of the process by the kernel, of the data themselves, or by the
# system when it refuses to start a program is direct; all else may be the mark of something else. `past` is an incident
# that looked like this one, `ranking` what several channels say together of where it is: neither is a sign of its own.
Channel = Literal[
    "kernel", "data", "start", "exit", "log", "check", "dependency", "change", "external", "past", "ranking"
]
NO_SECOND_SIGN: frozenset[Channel] = frozenset({"past", "ranking"})
DIRECT: frozenset[Channel] = frozenset({"kernel", "data", "start"})
# By which rule a fix is chosen: what is expected to end it soonest, or the fixed order.
Policy = Literal["look_ahead", "ladder"]
# What came of a question to a language model. `invalid` is an answer in a wrong form, `rejected` one that names what
# was not offered.
ModelOutcome = Literal["ok", "error", "timeout", "invalid", "rejected"]
Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)  # the least first

# The steps of the guard, in their order: each may hold an act back, or bar a fix, and its slug says which did.
GuardCode = Literal[
    "target",
    "duplicate",
    "maintenance",
    "paused",
    "data_held",
    "interrupted",
    "recovering",
    "dependency",
    "storm",
    "dry_run",
    "concurrency",
    "agent_budget",
    "fleet_budget",
    "cooldown",
    "mode",
    "policy",
    "breaker",
    "rejected",
    "precondition",
    "repeated",
    "confidence",
    "fix_budget",
    "approval",
]

# Why a run of an agent began. `reflex` is the restart in the callback that saw the death, `adopted` a process that
# outlived an earlier daemon, `trial` the half-open attempt of an open breaker, `maintenance` planned before a failure,
# `schedule` at its time, `reload` the start of a process whose configuration has changed.
StartReason = Literal[
    "first",
    "reflex",
    "backoff",
    "fix",
    "person",
    "trial",
    "adopted",
    "dependency",
    "maintenance",
    "schedule",
    "reload",
]

AGENT_STATES: tuple[AgentState, ...] = get_args(AgentState)
INCIDENT_STATES: tuple[IncidentState, ...] = get_args(IncidentState)
CHECK_RESULTS: tuple[CheckResult, ...] = get_args(CheckResult)
GUARD_CODES: tuple[GuardCode, ...] = get_args(GuardCode)
MODES: tuple[Mode, ...] = get_args(Mode)
MODEL_OUTCOMES: tuple[ModelOutcome, ...] = get_args(ModelOutcome)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
LIMITS: tuple[Limit, ...] = get_args(Limit)
FAILURE_MODES: tuple[FailureMode, ...] = get_args(FailureMode)

# Open incidents are all that are neither over nor silenced.
INCIDENT_OVER: frozenset[IncidentState] = frozenset({"resolved", "suppressed"})

# Every step of the guard, with what it says where it holds an act back, or bars a fix.
GUARDS: dict[GuardCode, str] = {
    "target": "there is no such agent to act on",
    "duplicate": "something is being done to it already",
    "maintenance": "it is in maintenance",
    "paused": "healing is paused",
    "data_held": "it is stopped for the sake of another",
    "interrupted": "how far came what was interrupted is looked at first",
    "recovering": "it answers again",
    "dependency": "something that it depends on is not well, or may not be",
    "storm": "much of the fleet fails at once, and one is healed first",
    "dry_run": "it is a dry run",
    "concurrency": "as much is being done at once as may be",
    "agent_budget": "enough was done to it for now",
    "fleet_budget": "enough was done to the fleet for now",
    "cooldown": "it was healed a moment ago",
    "mode": "the mode of the fix does not let it be done",
    "policy": "its restart policy forbids it",
    "breaker": "the breaker of the fix is open",
    "rejected": "a person said no",
    "precondition": "the fix cannot be applied as things are",
    "repeated": "the fix has just failed against this",
    "confidence": "the cause is not sure enough for what the fix risks",
    "fix_budget": "the fix was applied often enough for now",
    "approval": "a person is asked first",
}
