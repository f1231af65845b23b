"""What may be the cause of a trouble, and what is known of each before anything was seen?

A closed table: its slugs stand in the API, the metrics and the configuration, and each is stable for ever. A user's own
fix may add causes; nothing else grows at run time. Which fixes help against a cause is what the fixes say themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from selfheal.vocabulary import FailureMode, Layer


@dataclass(frozen=True, slots=True)
class CauseClass:
    """A cause: the sentence that a person reads, where it lies, and where to look first.

    `restart_cures` is false where the world has to change first, so that repeating a restart only makes noise, or harm.
    `outside` says that it lies with somebody who is asked: many a program says so in its log and is none the worse.
    """

    says: str
    layer: Layer
    look: str
    restart_cures: bool = True
    outside: bool = False


def _app(says: str, look: str, *, restart: bool = True) -> CauseClass:
    return CauseClass(says, "application", look, restart)


def _infra(says: str, look: str, *, restart: bool = True) -> CauseClass:
    return CauseClass(says, "infrastructure", look, restart)


def _outside(says: str, look: str, *, restart: bool = False) -> CauseClass:
    return CauseClass(says, "infrastructure", look, restart, outside=True)


def _data(says: str, look: str, *, restart: bool = True) -> CauseClass:
    return CauseClass(says, "data", look, restart)


CLASSES: Mapping[str, CauseClass] = {
    # --- how it ended, or does not answer ---
    "crashed": _app("the process ended with an error", "the last lines that it wrote before the end"),
    "exited": _app("the process ended by itself without an error", "whether its work was done: is it a job?"),
    "killed": _app("somebody killed the process", "the kernel's log, and who was logged in at that time"),
    "hung": _app("the process is alive and does not answer", "its stack, and what it waits for in the kernel"),
    "slow": _app("it answers, but slower than it should", "its load, and how fast what it asks answers"),
    "wrong_answer": _app("what it gives is not as expected", "what it said, beside what the check expects"),
    "unreachable": _app("it cannot be reached", "address, port and firewall, from this machine"),
    "already_running": _app(
        "another one of it runs already",
        "other processes and hosts with the same token or lock",
        restart=False,
    ),
    # --- what it needs to start ---
    "port_taken": _app("the port that it wants is already in use", "who holds it: 'ss -ltnp'"),
    "bad_configuration": _app("its configuration is wrong", "the file and line that it names", restart=False),
    "missing_module": _app(
        "a module that it imports is not installed", "the environment that its command names", restart=False
    ),
    "missing_variable": _app(
        "an environment variable that it needs is not set", "`environment` of the agent", restart=False
    ),
    "missing_program": _app("the program to run does not exist", "the path of its command", restart=False),
    "permission": _app(
        "it may not read, write or bind what it needs", "owner and mode of what it names, and its user", restart=False
    ),
    "incompatible": _app(
        "versions of what it is made of do not fit together", "what was updated last, and the lock file", restart=False
    ),
    "bad_deploy": _app("what was deployed last does not work", "what changed between the last two deploys"),
    "deploy_stuck": _infra("a deploy of it comes to no end", "the log of that deploy", restart=False),
    "suspended": _infra("it was suspended", "who suspended it, in the dashboard of the platform", restart=False),
    # --- what runs out ---
    "out_of_memory": _app("it ran out of memory", "its memory over time, beside its limit"),
    "memory_leak": _app("its memory grows without end", "what is kept and never let go, in a heap profile"),
    "out_of_fds": _app("it ran out of file descriptors", "'ls -l /proc/PID/fd', and its limit"),
    "fd_leak": _app("it opens files or sockets and never closes them", "which of /proc/PID/fd grow in number"),
    "out_of_processes": _app("it may start no more processes or threads", "how many it has, and pids.max"),
    "pool_exhausted": _app("all connections that may be are in use", "who holds them: pg_stat_activity, CLIENT LIST"),
    "cpu_starved": _infra(
        "it gets less processor time than it needs", "who else uses the processor, and cpu.stat", restart=False
    ),
    "disk_full": _infra("no space is left on the disk", "'df -h', 'df -i', and what grows", restart=False),
    "log_flood": _app("it writes far more to its log than it should", "the line that repeats, and what it is about"),
    "traffic_surge": _infra("more is asked of it than it can do", "who asks, and since when", restart=False),
    "queue_backlog": _app("work comes in faster than it gets done", "how long the queue is, and whether it shrinks"),
    # --- those whom it asks ---
    "dependency_down": _outside("something that it depends on does not answer", "the dependency itself", restart=True),
    "slow_dependency": _outside("something that it depends on is slow", "the load and the locks of the dependency"),
    "network_loss": _outside("the network between it and others is broken", "'ip route', 'ping', and the provider"),
    "dns_failed": _outside("a name cannot be resolved", "/etc/resolv.conf, and whether the name is right"),
    "tls_expired": _outside("a certificate has expired, or is about to", "its dates, and what should renew it"),
    "tls_untrusted": _outside("a certificate is not to be trusted", "its names, its chain, and the CA bundle here"),
    "credential_expired": _outside(
        "a password, token or key is not accepted", "whether it was changed, revoked, or has expired"
    ),
    "rate_limited": _outside("it asks somebody more often than it may", "how often it asks, and what limit was named"),
    "quota_exhausted": _outside("what it may use of a paid service is used up", "plan and bills of the service"),
    "external_api_down": _outside("a service of others does not work", "the status page of whoever runs it"),
    # --- the machine ---
    "clock_skew": _infra("a clock is wrong", "'timedatectl', here and on the other side", restart=False),
    "host_problem": _infra("the machine, its kernel or its disk fails", "'dmesg -T', and SMART", restart=False),
    # --- data ---
    "stale": _data("what it should keep fresh is old or missing", "what should write it anew, and when that last ran"),
    "corrupted": _data("its data are damaged", "the disk, and who else writes there", restart=False),
    "torn_tail": _data("its last lines are not whole", "how the writer ended", restart=False),
    "missing_data": _data("its data are gone", "mounts, and what was cleaned up or deployed", restart=False),
    "schema_broken": _data(
        "its data are not of the form that they should have", "which migrations have run", restart=False
    ),
    "wal_grown": _data(
        "the log of its database has grown too large", "a reader that never ends its transaction", restart=False
    ),
    "locked": _data("something holds a lock on its data for too long", "who holds it: pg_locks, 'fuser FILE'"),
    "read_only": _data("the database that it writes to takes no writes", "whether it has become a replica"),
    "replica_behind": _data("a replica is too far behind", "load of the primary, disk and network of the replica"),
    "unknown": _app("no cause was found", "its log, and what changed lately"),
}

# The sentence of each cause that the built-in diagnosis can name.
CAUSES: Mapping[str, str] = {slug: one.says for slug, one in CLASSES.items()}

# How a failure of that cause would have been foreseen: what leaks runs out in the end.
MODE_OF: Mapping[str, FailureMode] = {
    "out_of_memory": "out_of_memory", "memory_leak": "out_of_memory",
    "out_of_fds": "out_of_fds", "fd_leak": "out_of_fds",
    "disk_full": "disk_full",
    "pool_exhausted": "out_of_connections",
    "queue_backlog": "queue_full",
    "tls_expired": "certificate_expired",
}  # fmt: skip
# What can be foreseen in two ways has one cause: inodes fill a disk as well.
_ALSO: Mapping[FailureMode, str] = {"out_of_inodes": "disk_full"}
LEAKS: Mapping[str, str] = {"out_of_memory": "memory_leak", "out_of_fds": "fd_leak"}

# Causes that a restart cannot cure.
NOT_CURED_BY_RESTART: frozenset[str] = frozenset(slug for slug, one in CLASSES.items() if not one.restart_cures)

# What passes by itself, as a rule within minutes: what has ended on it is tried again and again, and nobody is called.
PASSING: frozenset[str] = frozenset({"slow_dependency", "network_loss", "dns_failed", "external_api_down"})

# Causes that lie with somebody who is asked.
OUTSIDE: frozenset[str] = frozenset(slug for slug, one in CLASSES.items() if one.outside)


def is_failure(cause: str, mode: FailureMode) -> bool:
    """Whether what has this cause is the failure that was foreseen as that mode."""
    return MODE_OF.get(cause) == mode or _ALSO.get(mode) == cause
