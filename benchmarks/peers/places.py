"""Where is what is measured? Python's programs lie beside the interpreter that measures, the others on the PATH."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

SCRIPTS = Path(sys.executable).parent
_PM2 = Path(__file__).parents[2] / "build" / "pm2" / "node_modules" / ".bin"
FROM_LOCK = "'pip install --require-hashes -r requirements-bench.lock'"


def script(name: str) -> str:
    return str(SCRIPTS / name)


def has_script(name: str) -> bool:
    return (SCRIPTS / name).exists()


def program(name: str) -> str | None:
    """The path of a program that is no Python; None where it is not installed."""
    return shutil.which(name, path=os.pathsep.join([str(_PM2), os.environ.get("PATH", os.defpath), "/usr/sbin"]))
