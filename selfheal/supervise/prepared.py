"""What is the system given for a start, and what is missing for that?

Looked up once per configuration, in the system's own form. What is wrong is told by name before anything is started.
"""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import signal
from dataclasses import dataclass
from functools import lru_cache

from selfheal.errors import SpawnFailed
from selfheal.supervise.launcher import Launch
from selfheal.supervise.program import find_program, spawn_failed

# An ignored signal stays ignored in the child: Python ignores PIPE and XFSZ, nohup HUP.
DEFAULT_SIGNALS = frozenset(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})

_LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND
_LOG_MODE = 0o600
_CAP_SYS_RESOURCE = 24  # linux/capability.h

# A thousand agents have one environment but for a few words, and share its bytes.
_encoded = lru_cache(maxsize=4096)(os.fsencode)


@dataclass(slots=True)
class Prepared:
    """What the system is given, in its own form. `environment` is ours alone: the mark is put into it at each start.

    `max_fds`, the soft limit and the hard one, is to be set from outside; None where there is no such limit, or a word
    before the command sets it.
    """

    launch: Launch
    program: str
    argv: tuple[bytes, ...]
    environment: dict[bytes, bytes]
    file_actions: tuple[tuple[int, int, str, int, int] | tuple[int, int, int], ...]
    umask: int | None
    max_fds: tuple[int, int] | None


def prepare(launch: Launch) -> Prepared:
    """Look up all that a start needs. Raises SpawnFailed with what is missing."""
    program = find_program(launch.argv[0], launch.directory, launch.environment)
    _check_priority(launch)
    _check_log(launch)
    argv = launch.argv
    trampoline = _trampoline(launch)
    if trampoline:
        argv = (*trampoline, program, *argv[1:])
        program = trampoline[0]
    return Prepared(
        launch=launch,
        program=program,
        argv=tuple(map(os.fsencode, argv)),
        environment={_encoded(name): _encoded(value) for name, value in launch.environment.items()},
        file_actions=(
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(launch.log), _LOG_FLAGS, _LOG_MODE),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ),
        umask=int(launch.umask, 8) if launch.umask is not None else None,
        max_fds=_files(launch) if not _is_out_of_reach(launch) else None,
    )


def _check_priority(launch: Launch) -> None:
    """Whether we may give the priority that is asked for; what is started is too late a moment to find out."""
    if launch.nice is None or os.geteuid() == 0:
        return
    best = min(os.getpriority(os.PRIO_PROCESS, 0), 20 - resource.getrlimit(resource.RLIMIT_NICE)[0])
    if launch.nice < best:
        raise SpawnFailed(
            f"cannot start {launch.agent!r} with nice {launch.nice}: this user may not go below {best}; run selfheal "
            f"as root, raise its limit (ulimit -e), or raise 'nice'",
            "permission",
        )


def _check_log(launch: Launch) -> None:
    """Open the log as the child will, so that its failure is not taken for the program's."""
    try:
        launch.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(launch.log, _LOG_FLAGS, _LOG_MODE))
    except OSError as error:
        known = spawn_failed(launch.argv[0], error)
        cause = "bad_configuration" if known.cause in {"missing_program", "unknown"} else known.cause
        raise SpawnFailed(
            f"cannot start {launch.agent!r}: its log {str(launch.log)!r} cannot be opened ({error.strerror}); "
            f"make it writable or set another 'log.file'",
            cause,
        ) from error


def _trampoline(launch: Launch) -> tuple[str, ...]:
    """The words before a command that change how it runs; none where it needs none, since they double its start.

    The priority comes first: another user may not raise it. It is told as the difference from our own.
    """
    words: tuple[str, ...] = ()
    if launch.nice is not None:
        raised = launch.nice - os.getpriority(os.PRIO_PROCESS, 0)
        words = (_tool("nice", launch.agent, "'nice' needs", "coreutils"), "-n", str(raised))
    files = _files(launch)
    if files is not None and _is_out_of_reach(launch):
        soft, hard = within_reach(files)
        prlimit = _tool("prlimit", launch.agent, "'user' needs beside 'limits.fds'", "util-linux")
        words = (*words, prlimit, f"--nofile={soft}:{hard}", "--")
    privileges = _as_user(launch.agent, launch.user) if launch.user is not None else ()
    if launch.dies_with_daemon:
        privileges = (*privileges, "--pdeathsig=KILL")
    if privileges:
        setpriv = _tool("setpriv", launch.agent, "'user' and 'on_daemon_death' need", "util-linux")
        words = (*words, setpriv, *privileges, "--")
    return words


def _files(launch: Launch) -> tuple[int, int] | None:
    """The soft and the hard limit of open files."""
    return None if launch.max_fds is None else (launch.max_fds, max(launch.max_fds, launch.most_fds or 0))


def within_reach(files: tuple[int, int]) -> tuple[int, int]:
    """A soft and a hard limit held to our own hard one, which only root may exceed."""
    own = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return min(files[0], own), min(files[1], own)


def _tool(name: str, agent: str, needed: str, package: str) -> str:
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")
    if found is None:
        raise SpawnFailed(
            f"cannot start {agent!r}: {name!r} is missing, which {needed}; install {package} or remove that setting",
            "missing_program",
        )
    return found


def _is_out_of_reach(launch: Launch) -> bool:
    """Whether we may set the limits of what we start only until it is another user's, in a race with it.

    So it is in a container, where root is without that capability as a rule.
    """
    if launch.user is None or not _as_user(launch.agent, launch.user):
        return False
    with open("/proc/self/status", encoding="utf-8") as status:
        capable = next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))
    return not capable >> _CAP_SYS_RESOURCE & 1


def _as_user(agent: str, user: str) -> tuple[str, ...]:
    """What setpriv is told to become `user`; nothing where we are that user already."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError as error:
        raise SpawnFailed(
            f"cannot start {agent!r}: there is no user {user!r}; create it or correct 'user'", "bad_configuration"
        ) from error
    if entry.pw_uid == os.geteuid():
        return ()
    if os.geteuid() != 0:
        raise SpawnFailed(
            f"cannot start {agent!r} as {user!r}: only root may become another user; run selfheal as root or as "
            f"{user!r}, or remove 'user'",
            "permission",
        )
    return (f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups")
