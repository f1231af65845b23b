"""What does a signal measure, by its name?

Fleets name their signals as they like, and one model shall serve all of them: what a row is made of are roles.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, get_args

Role = Literal[
    "memory", "fds", "disk", "latency", "errors", "queue", "cpu", "restarts", "uptime", "breakers", "anomalies",
    "changes", "other",
]  # fmt: skip
ROLES: tuple[Role, ...] = get_args(Role)

# In this order: `queue_latency` is a latency, `disk_errors` are errors.
_WORDS: tuple[tuple[Role, str], ...] = (
    ("restarts", r"restarts?|crash(es)?|reboots?"),
    ("uptime", r"uptime|age"),
    ("breakers", r"(circuit_)?breakers?|circuits?"),
    ("anomalies", r"anomal(y|ies)|anomaly_score"),
    ("changes", r"changes?|deploys?|deployments?|releases?"),
    ("errors", r"err(or)?s?|fail(ure)?s?|failed|5xx|exceptions?|timeouts?|error_rate|errorrate"),
    ("latency", r"latency|latencies|p50|p9\d|p999?|duration|response|rtt|took|ms|seconds"),
    ("fds", r"fds?|file_?descriptors?|open_?files|handles|sockets|nofile"),
    ("queue", r"queue|queued|backlog|pending|lag|depth|waiting|inflight|connections?|conns?|pool"),
    ("disk", r"disk|filesystem|fs|volume|inodes?|storage|space|partition"),
    ("memory", r"rss|mem|memory|heap|swap|pss|vms|oom"),
    ("cpu", r"cpu|load|load\d+|threads?|requests?|rps|qps|traffic"),
)
_COMPILED = tuple((role, re.compile(rf"(?:^|[^a-z0-9])(?:{words})(?:$|[^a-z0-9])")) for role, words in _WORDS)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@lru_cache(maxsize=4096)
def role_of(signal: str) -> Role:
    """The role of a signal; `other` where its name says nothing. It is asked of the same names again and again."""
    name = _HUMP.sub("_", signal).lower()
    return next((role for role, words in _COMPILED if words.search(name)), "other")


# What a failure of a signal's kind is called, where nobody said it otherwise.
MODES: dict[Role, str] = {
    "memory": "out_of_memory",
    "fds": "out_of_fds",
    "disk": "disk_full",
    "latency": "too_slow",
    "errors": "failing",
    "queue": "queue_full",
    "restarts": "crash_loop",
}
# Failures that nothing announces, as recorded data may call them: nobody foresees a kill.
NO_PRECURSOR = frozenset(
    {
        "bad_deploy", "bad_config", "cut_network", "external", "kill", "killed", "network", "network_cut",
        "network_loss", "network_partition", "power_loss", "sigkill", "unforeseeable",
    }
)  # fmt: skip


def foreseeable(mode: str) -> bool:
    """Whether anything may announce a failure of this mode."""
    return re.sub(r"[^a-z0-9]+", "_", mode.lower()).strip("_") not in NO_PRECURSOR
