"""What can go wrong in a way that a caller acts on?

    SelfhealError
    ├── ConfigInvalid         wrong use or bad configuration      exit 2
    ├── StateDirHeld          another daemon holds the directory  exit 1
    ├── StateDirUnusable      the system refuses what is needed there     exit 1
    ├── AddressTaken          the port to listen on is in use     exit 1
    ├── DaemonUnreachable     no daemon answers                   exit 4
    ├── RefusedByPolicy       the daemon may, but will not        exit 5
    ├── UnknownName           no such agent or incident           exit 1
    ├── SpawnFailed           a program could not be started
    ├── CheckFailed           a check looked and saw a failure
    ├── FixFailed             a fix was applied and did not work
    ├── DataFailed            data could not be looked at, copied or put back
    ├── RenderFailed          Render's API did not do, or not tell, what it was asked
    ├── JournalUnavailable    the journal cannot be written now
    ├── KnowledgeInvalid      what was to be taught is wrong      exit 2
    ├── NotSaved              an order was carried out, and may be forgotten
    └── StateFileDamaged      a state file could not be read

Messages say what happened, why, and what to do, and start with "cannot". Facts are attributes; nobody parses messages.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from selfheal.vocabulary import CheckResult


class SelfhealError(Exception):
    """The root of everything that selfheal raises on purpose."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the configuration. `line` is 1-based, None where it cannot be known."""

    file: str
    line: int | None
    key: str
    wrong: str
    right: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line is not None else self.file
        return f"{place}: {self.key}: {self.wrong}; {self.right}"


class ConfigInvalid(SelfhealError):
    """The configuration cannot be used; `problems` holds every reason at once."""

    exit_code = 2

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class StateDirHeld(SelfhealError):
    """Another daemon works on this state directory. `pid` is None where the holder left no name."""

    def __init__(self, path: Path, pid: int | None) -> None:
        holder = f"process {pid}" if pid is not None else "another process"
        super().__init__(
            f"cannot use state directory {str(path)!r}: {holder} holds it; stop that daemon first "
            f"or give this one a directory of its own with --state-dir"
        )
        self.path = path
        self.pid = pid


class StateDirUnusable(SelfhealError):
    """The system refuses what a daemon needs in its state directory. `why` may name the file."""

    def __init__(self, path: Path, why: OSError) -> None:
        named = why.filename is not None and Path(why.filename) != path
        what = f"{why.strerror or why}: {why.filename!r}" if named else f"{why.strerror or why}"
        cure = _STATE_DIR_CURES.get(why.errno or 0, "make it writable for this user")
        super().__init__(f"cannot use state directory {str(path)!r}: {what}; {cure} or choose another with --state-dir")
        self.path = path


_STATE_DIR_CURES: Mapping[int, str] = {
    errno.ENOSPC: "free space",
    errno.EDQUOT: "free space",
    errno.EEXIST: "move away what has that name",
    errno.EISDIR: "move away what has that name",
    errno.ELOOP: "move away what has that name",
}


class AddressTaken(SelfhealError):
    """The address to serve on cannot be bound."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(
            f"cannot listen on {address!r}: {why}; stop what uses it or choose another address with --listen"
        )
        self.address = address


class DaemonUnreachable(SelfhealError):
    """No daemon answers where it was looked for."""

    exit_code = 4


class RefusedByPolicy(SelfhealError):
    """The daemon understood, and its guards, pause or policy forbid it."""

    exit_code = 5


class KnowledgeInvalid(SelfhealError):
    """What was to be taught cannot be taken; `errors` has every reason at once."""

    exit_code = 2

    def __init__(self, errors: tuple[str, ...]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


class UnknownName(SelfhealError):
    """There is no agent or incident of that name."""


class SpawnFailed(SelfhealError):
    """A program could not be started. `cause` is a slug of `causes.CAUSES`."""

    def __init__(self, message: str, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


class CheckFailed(SelfhealError):
    """A check looked and saw a failure: the expected way for a check to say no.

    `cause` is a slug of `causes.CAUSES` where the check knows it; else the result is all that is known. `silent`
    says that nothing came back, neither from a service nor from its host: it may be the network between, or our own.
    """

    def __init__(self, reason: str, result: CheckResult = "failed", cause: str = "", *, silent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.result: CheckResult = result
        self.cause = cause
        self.silent = silent or result == "timeout"


class FixFailed(SelfhealError):
    """A fix was applied and did not work; the message is its output, redacted before it is kept."""


class DataFailed(SelfhealError):
    """Data could not be looked at, copied, proved or put back; `cause` is a slug where it is known."""

    def __init__(self, message: str, cause: str = "") -> None:
        super().__init__(message)
        self.cause = cause


class RenderFailed(SelfhealError):
    """Render's API did not do, or not tell, what it was asked: that says nothing of the service that was meant.

    `status` is that of its answer, 0 where there was none; `request_id` is what Render's support asks for.
    `may_be_done` says that nobody knows whether what was asked for was done.
    """

    def __init__(self, message: str, status: int = 0, request_id: str = "", *, may_be_done: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id
        self.may_be_done = may_be_done

    @property
    def passes(self) -> bool:
        """Whether it is trouble that goes away by itself: no answer, a limit, an error of Render's own."""
        return self.status in (0, 429) or self.status >= 500


class JournalUnavailable(SelfhealError):
    """The journal cannot be made durable now (a full disk, as a rule). The daemon goes on in memory and says so."""


class NotSaved(SelfhealError):
    """A person's order was carried out, and the journal cannot keep it now; the daemon may forget it with its end."""

    def __init__(self, why: str) -> None:
        super().__init__(f"done, but not saved: {why}; it is lost if the daemon ends before the disk has room")


class StateFileDamaged(SelfhealError):
    """A state file could not be read; it was kept aside as `kept_as`."""

    def __init__(self, path: Path, why: str, kept_as: Path) -> None:
        super().__init__(
            f"cannot read state file {str(path)!r}: {why}; it was kept as {kept_as.name!r} "
            f"and its content is built again from the journal"
        )
        self.path = path
        self.why = why
        self.kept_as = kept_as
