"""Which file does a command mean, and why could it not be started?

A program is looked up on the PATH of the one for whom it runs, and relative to that one's directory, before anything
is started: so a missing program is told from a program that ended with 127.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from selfheal.errors import SpawnFailed

# What a refused start means, beyond what was looked at before it: why, what to do, and the cause.
_REASONS: dict[int, tuple[str, str, str]] = {
    errno.ENOENT: (
        "the interpreter that its first line names does not exist",
        "install that or correct the line",
        "missing_program",
    ),
    errno.ENOEXEC: (
        "it is neither a program for this machine nor a script",
        "begin the script with a line such as '#!/bin/sh'",
        "bad_configuration",
    ),
    errno.E2BIG: ("its arguments and environment are too long", "shorten them", "bad_configuration"),
    errno.EACCES: ("permission was denied", "give the user of selfheal the right to run it", "permission"),
    errno.EPERM: ("it is not permitted", "give the user of selfheal the right to run it", "permission"),
    errno.ETXTBSY: ("its file is just being written", "try again when that has ended", "unknown"),
    errno.ENOMEM: ("there is no memory left", "free some, or run fewer agents", "out_of_memory"),
    errno.EAGAIN: ("no more processes are allowed", "raise the limit (ulimit -u, pids.max)", "out_of_memory"),
    errno.EMFILE: ("selfheal has no file descriptor left", "raise its limit (ulimit -n)", "out_of_fds"),
    errno.ENFILE: ("the system has no file descriptor left", "raise fs.file-max", "out_of_fds"),
    errno.ENOSPC: ("no space is left on the disk", "free some", "disk_full"),
    errno.EDQUOT: ("the disk quota is used up", "free some space", "disk_full"),
}


def find_program(name: str, directory: Path, environment: Mapping[str, str]) -> str:
    """The absolute path of the program, or SpawnFailed. `directory` is absolute; a relative PATH starts there."""
    check_directory(name, directory)
    if "/" in name:
        searched, path = str(directory / name), None
    else:
        entries = environment.get("PATH", os.defpath).split(os.pathsep)
        searched, path = name, os.pathsep.join(str(directory / entry) for entry in entries)
    found = shutil.which(searched, path=path)
    if found is not None:
        return found
    there = shutil.which(searched, mode=os.F_OK, path=path)
    if there is not None:
        raise SpawnFailed(f"cannot start {name!r}: {there!r} is not executable; run 'chmod +x' on it", "permission")
    where = "there is no such file" if path is None else f"it is in no directory of PATH ({environment.get('PATH')})"
    raise SpawnFailed(f"cannot start {name!r}: {where}; install it or correct the command", "missing_program")


def check_directory(name: str, directory: Path) -> None:
    """Raises SpawnFailed where `name` could not be started in `directory`."""
    if not directory.is_dir():
        what = "is not a directory" if directory.exists() else "does not exist"
        raise SpawnFailed(
            f"cannot start {name!r}: its directory {str(directory)!r} {what}; create it or correct 'directory'",
            "bad_configuration",
        )
    if not os.access(directory, os.X_OK):
        raise SpawnFailed(
            f"cannot start {name!r}: its directory {str(directory)!r} may not be entered; give the user of selfheal "
            f"the right to",
            "permission",
        )


def spawn_failed(name: str, error: OSError | ValueError) -> SpawnFailed:
    """What to raise where the system refused to start a program that was found."""
    if isinstance(error, ValueError):  # a NUL byte, or a '=' in a name
        return SpawnFailed(
            f"cannot start {name!r}: {error}; correct its command or environment",
            "bad_configuration",
        )
    why, cure, cause = _REASONS.get(error.errno or 0, (error.strerror or str(error), "see the errno", "unknown"))
    return SpawnFailed(f"cannot start {name!r}: {why}; {cure}", cause)
