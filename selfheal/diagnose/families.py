"""What kind of number is a metric, and which way is bad?

Told by the words in its name, whatever their spelling, order and units: `container_cpu_usage`, `CpuUsageRate(%)` and
`cpu` are one family. A name that says nothing is of a family of its own, of which both ways may be bad.
"""

from __future__ import annotations

import re
from typing import Literal

Family = Literal["resource", "latency", "error", "success", "load", "other"]

# Looked for in this order: `http_errors_total` is about errors, `request_latency` about latency.
_WORDS: tuple[tuple[Family, frozenset[str]], ...] = (
    ("success", frozenset({"availability", "success", "successes", "successful", "successrate", "uptime"})),
    (
        "error",
        frozenset(
            {
                "error", "errors", "err", "errs", "errorrate", "fail", "fails", "failed", "failure", "failures",
                "fault", "faults", "5xx", "500", "503", "4xx", "exception", "exceptions", "reject",
                "rejected", "rejections", "timeout", "timeouts", "drop", "dropped", "drops", "retries", "retry",
                "restarts", "throttled", "throttles", "oom", "deadlock", "deadlocks",
            }
        ),
    ),
    (
        "latency",
        frozenset(
            {
                "latency", "latencies", "lat", "duration", "durations", "delay", "time", "rt", "rtt", "response",
                "wait", "p50", "p90", "p95", "p99", "p999", "lag",
            }
        ),
    ),
    (
        "resource",
        frozenset(
            {
                "cpu", "mem", "memory", "rss", "heap", "disk", "diskio", "io", "fs", "socket", "sockets", "fd", "fds",
                "threads", "thread", "goroutines", "gc", "swap", "connections", "connection", "conn", "pool", "queue",
                "backlog", "pending", "usage", "utilization", "utilisation", "saturation", "load1", "inodes", "handles",
                "syscall", "syscalls", "read", "write", "reads", "writes",
            }
        ),
    ),
    (
        "load",
        frozenset(
            {
                "request", "requests", "req", "reqs", "rps", "qps", "tps", "ops", "workload", "load", "throughput",
                "traffic", "calls", "count", "hits", "rate", "receive", "received", "rx", "transmit", "transmitted",
                "tx", "network", "net", "bytes", "packets", "messages",
            }
        ),
    ),
)  # fmt: skip
_PART = re.compile(r"[A-Z]?[a-z]+\d*|[A-Z]+(?![a-z])\d*|\d+[a-z]*")
_GLUED = re.compile(r"(cpu|mem|lat|err|rss|disk|latency|error|p\d\d)\d*")


def family(metric: str) -> Family:
    """The family of a metric, by its name."""
    parts = [part.lower() for part in _PART.findall(metric)]
    parts += [match[1] for part in parts if (match := _GLUED.match(part)) is not None]
    for kind, words in _WORDS:
        if any(part in words for part in parts):
            return kind
    return "other"


def is_average(metric: str) -> bool:
    """Whether a metric says of itself that it is a mean: of several of a family that is the one to add up."""
    parts = {part.lower() for part in _PART.findall(metric)}
    return not parts.isdisjoint({"average", "avg", "mean"})
