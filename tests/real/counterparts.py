"""Where are the servers against which checks are tested?

Real programs from packages, started by the test that needs them. On a machine that lacks one its tests are skipped with
the reason; in CI, which installs them all, that is a failure.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import pytest

# Where Debian keeps what is not on the PATH of every user.
_PLACES = (
    "/usr/sbin",
    "/sbin",
    "/usr/lib/nagios/plugins",
    *(str(place) for place in sorted(Path("/usr/lib/postgresql").glob("*/bin"))),
)


def program(name: str, package: str) -> str:
    """The path of a program; without it the test that asks ends here, naming the Debian package that has it."""
    found = shutil.which(name, path=os.pathsep.join(_searched()))
    return found if found is not None else absent(f"{name} is not there; 'apt-get install {package}' brings it")


def absent(reason: str) -> str:
    """Skip the test that asks; in CI nothing may be absent."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def needs_torch() -> None:
    """Skip the test that asks where torch is not installed; in CI that is a failure, but where no index had it."""
    if find_spec("torch") is None:
        reason = "torch is not installed (the extra lstm; CI installs requirements-lstm.lock)"
        pytest.skip(reason) if os.environ.get("WITHOUT_TORCH") else absent(reason)


def _searched() -> Iterable[str]:
    yield from os.get_exec_path()
    yield from _PLACES
