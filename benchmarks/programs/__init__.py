"""Which programs are supervised, and what is the least that can supervise them?

Both are built when a measurement begins: a static program starts as fast as a program can, so that what is measured
is the supervisor. Where there is no C compiler the same two are run by the Python interpreter.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_SOURCES = Path(__file__).parent
_COMPILE_S = 60.0


@dataclass(frozen=True, slots=True)
class Programs:
    """Commands: `tiny` takes the path of a pipe, `floor` a count and a command. `compiled` says from which source."""

    tiny: tuple[str, ...]
    floor: tuple[str, ...]
    compiled: bool

    @property
    def tree(self) -> tuple[str, ...]:
        """Becomes `tiny` with six helpers: takes their pipes, its own first, and then the command `tiny`."""
        return ("/bin/sh", str(_SOURCES / "tree.sh"))


def build(directory: Path) -> Programs:
    """Compile into `directory`."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        print("No C compiler is found: the programs are run by Python, and every figure holds its start.", flush=True)
        return Programs(_interpreted("tiny"), _interpreted("floor"), compiled=False)
    for name in ("tiny", "floor"):
        command = [compiler, "-O2", "-Wall", "-static", "-o", str(directory / name), str(_SOURCES / f"{name}.c")]
        subprocess.run(command, check=True, timeout=_COMPILE_S)
    return Programs((str(directory / "tiny"),), (str(directory / "floor"),), compiled=True)


def _interpreted(name: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", str(_SOURCES / f"{name}.py"))
