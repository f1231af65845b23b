"""One job on data, in a process of its own: `python -m selfheal.data`.

The job stands in the environment (it may hold a password), the answer goes to stdout as one line of JSON, progress
into a file where one is named. It ends with the daemon that started it, and gives way to everything else.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import msgspec

from selfheal.data.jobs import JOB, PROGRESS, AnyJob, Failed, Mend, Prepare, Swap, Told, decode
from selfheal.data.work import run
from selfheal.errors import DataFailed

# Progress is looked at by people: finer steps are of no use.
_STEP = 0.01
_NICE = 10


class _Progress:
    """Writes how far the job is, now and then. That nobody can read it must not end the job."""

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None
        self._told = ("", 0.0)

    def __call__(self, doing: str, share: float) -> None:
        if self._path is None or (doing == self._told[0] and share - self._told[1] < _STEP):
            return
        self._told = (doing, share)
        with contextlib.suppress(OSError):
            unfinished = self._path.with_name(f"{self._path.name}.tmp")
            unfinished.write_bytes(msgspec.json.encode({"doing": doing, "share": share}))
            unfinished.replace(self._path)


def main() -> int:
    """Do the job of the environment; returns the exit code."""
    job: AnyJob = decode(os.environ.pop(JOB).encode())
    os.umask(0o077)
    if not isinstance(job, Prepare | Swap | Mend):  # nobody waits for the others
        os.nice(_NICE)
    try:
        answer = run(job, _Progress(os.environ.pop(PROGRESS, "")))
        told = Told(done=msgspec.Raw(msgspec.json.encode(answer)))
    except DataFailed as why:
        told = Told(failed=Failed(str(why), why.cause))
    except (OSError, MemoryError) as why:
        told = Told(failed=Failed(f"{type(why).__name__}: {why}"))
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
