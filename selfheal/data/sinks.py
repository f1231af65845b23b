"""How does a proved backup get to another program's store too, on another machine as a rule?

`restic` and `borg` are run by their command lines, on the copy that was just restored and proved. Their repository and
its password reach them by the environment and by a file: nothing of either stands on a command line, where everybody
can read it. A repository is never made here: an empty folder where a disk should be mounted must not become one.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from selfheal.data.backup import Backup, Keep
from selfheal.errors import DataFailed

_SAID = 300
_LOGIN = re.compile(r"//[^/\s@]*@")


class Sink(msgspec.Struct, frozen=True, kw_only=True):
    """What every sink has. `environment` may hold what it needs for its own storage (keys of S3, …)."""

    repository: str
    password_file: Path
    timeout: float = 3600.0
    environment: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class Restic(Sink, frozen=True, kw_only=True, tag="restic"):
    """A repository of restic."""

    @property
    def name(self) -> str:
        return "restic"

    def hand_over(self, place: Path, backup: Backup, keep: Keep) -> None:
        """Store all that lies in `place`, then forget what is too old. Raises DataFailed with the program's words."""
        tags = f"selfheal,agent={backup.agent}"
        self._restic(place, "backup", "--quiet", "--host", "selfheal", "--tag", f"{tags},id={backup.id}", ".")
        kept = [word for name, count in _counts(keep) for word in (f"--keep-{name}", str(count))]
        choice = ("--host", "selfheal", "--tag", tags, "--group-by", "host")
        self._restic(place, "forget", "--quiet", "--prune", *choice, *kept)

    def _restic(self, place: Path, *words: str) -> None:
        own = {"RESTIC_REPOSITORY": self.repository, "RESTIC_PASSWORD_FILE": str(self.password_file)}
        _run(self, ("restic", *words), place, own)


class Borg(Sink, frozen=True, kw_only=True, tag="borg"):
    """A repository of BorgBackup."""

    @property
    def name(self) -> str:
        return "borg"

    def hand_over(self, place: Path, backup: Backup, keep: Keep) -> None:
        """As of restic. No name of an agent holds a '+', so that none of its archives is taken for another's."""
        archives = f"selfheal+{backup.agent}+"
        self._borg(place, "create", f"::{archives}{backup.id}", ".")
        kept = [word for name, count in _counts(keep) for word in (f"--keep-{name}", str(count))]
        self._borg(place, "prune", "--glob-archives", f"{archives}*", *kept)
        self._borg(place, "compact")

    def _borg(self, place: Path, *words: str) -> None:
        own = {"BORG_REPO": self.repository, "BORG_PASSCOMMAND": shlex.join(["cat", str(self.password_file)])}
        # A copy has no place of its own, and the repository may have moved with its disk.
        own |= {"BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes", "BORG_EXIT_CODES": "modern"}
        _run(self, ("borg", *words), place, own)


AnySink = Restic | Borg


def _counts(keep: Keep) -> Sequence[tuple[str, int]]:
    """Any of them keeps the newest. borg counts what one rule keeps against no other: a rule more keeps one more."""
    return [(name, count) for name, count in msgspec.structs.asdict(keep).items() if count] or [("last", 1)]


def _run(sink: Sink, command: Sequence[str], place: Path, own: Mapping[str, str]) -> None:
    """Run it to its end, in a group of its own that is killed when the time is up.

    The session stays that of the job, by which both are found when the job is given up.
    """
    environment = {**os.environ, **sink.environment, **own}
    what = f"hand the backup over to {command[0]} ({command[0]} {command[1]})"
    try:
        child = subprocess.Popen(
            command, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, process_group=0,
        )  # fmt: skip
    except FileNotFoundError as why:
        raise DataFailed(f"cannot {what}: {command[0]} is not installed; install it, or take it out") from why
    try:
        said, _ = child.communicate(timeout=sink.timeout)
    except subprocess.TimeoutExpired as why:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        raise DataFailed(f"cannot {what}: it took longer than {sink.timeout:g} s; raise its timeout") from why
    if child.returncode:
        raise DataFailed(f"cannot {what}: {_words(said, sink)} (exit code {child.returncode})")


def _words(said: bytes, sink: Sink) -> str:
    """The last words of a program, without what is secret."""
    text = said.decode(errors="replace").replace(sink.repository, _LOGIN.sub("//***@", sink.repository))
    for secret in (*sink.environment.values(), *_login_of(sink.repository)):
        text = text.replace(secret, "***") if secret else text
    text = _LOGIN.sub("//***@", " ".join(text.split()))
    return text if len(text) <= _SAID else f"…{text[-_SAID:]}"


def _login_of(repository: str) -> Sequence[str]:
    """The password in an address, which a program may also show alone."""
    found = re.search(r"//[^/\s@:]*:([^/\s@]+)@", repository)
    return [found[1]] if found else []
