"""Which programs does the demo run, where, and on which ports?

The fleet is described in `selfheal.toml` beside this file, as a user would write it. What only this machine knows,
free ports and where Python is, is filled in at the start.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from selfheal.errors import SelfhealError

CONFIG_NAME = "selfheal.toml"
LOOPBACK = "127.0.0.1"
SERVED = ("cache", "api", "mailer", "reports", "quotes", "rates")
"""The agents that listen: each has a port, by its name in the template."""

_TEMPLATE = Path(__file__).with_name(CONFIG_NAME)
_PROGRAMS = Path(__file__).with_name("programs")
_DIRECTORY_NAME = "selfheal-demo"
# As the launcher looks for it: only with its help do agents die with us. Without it the next demo clears them away.
_PATH_OF_SETPRIV = "/usr/local/bin:/usr/bin:/bin"
# Never removed: the lock is held while the rest is, and who unlinks it lets two in.
_LOCK_NAME = "lock"


def usual_directory(environment: Mapping[str, str]) -> Path:
    """The same for every demo of this user, so that the next one finds what a killed one left behind."""
    home = environment.get("HOME", "")
    base = environment.get("XDG_STATE_HOME") or (f"{home}/.local/state" if home else "")
    return Path(base) / _DIRECTORY_NAME


def usable_directory(environment: Mapping[str, str]) -> Path:
    """The usual directory, or a temporary one where this user may not write there."""
    wanted = usual_directory(environment)
    if not wanted.is_absolute():
        return _last_resort()
    try:
        wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=wanted):
            return wanted
    except OSError:
        return _last_resort()


def refuse_strangers(directory: Path) -> None:
    """Raise SelfhealError where `directory` holds anything but an earlier demo: the demo begins by emptying it."""
    if not directory.is_dir() or all(entry.name == _LOCK_NAME for entry in directory.iterdir()):
        return
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if (directory / CONFIG_NAME).read_text(encoding="utf-8").startswith(_first_line()):
            return
    raise SelfhealError(
        f"cannot run the demo in {str(directory)!r}: it holds files that no demo left there, and a demo starts by "
        f"emptying its directory; choose one that is empty or not there yet with --state-dir"
    )


def empty(directory: Path) -> None:
    """Remove what an earlier demo left. The caller holds the lock of the directory."""
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != _LOCK_NAME:
            entry.unlink()


def write_config(directory: Path, ports: Mapping[str, int]) -> Path:
    """Write the fleet's `selfheal.toml` into `directory`; `ports` are those of `SERVED`."""
    text = _TEMPLATE.read_text(encoding="utf-8")
    death = "kill" if shutil.which("setpriv", path=_PATH_OF_SETPRIV) else "adopt"
    words = {"python": _quoted(sys.executable), "programs": _quoted(str(_PROGRAMS)), "death": death}
    for name, value in {**words, **{name: str(port) for name, port in ports.items()}}.items():
        text = text.replace(f"{{{name}}}", value)
    path = directory / CONFIG_NAME
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path


def free_ports(names: tuple[str, ...] = SERVED) -> dict[str, int]:
    """A free port on the loopback address for each name. All are held until the last is found: no two are equal."""
    with contextlib.ExitStack() as held:
        sockets = {name: held.enter_context(socket.socket()) for name in names}
        for one in sockets.values():
            one.bind((LOOPBACK, 0))
        return {name: one.getsockname()[1] for name, one in sockets.items()}


def is_free(host: str, port: int) -> bool:
    """Whether one could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _quoted(text: str) -> str:
    """As it stands between the quotes of a TOML string."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _first_line() -> str:
    with _TEMPLATE.open(encoding="utf-8") as file:
        return file.readline()


def _last_resort() -> Path:
    """A directory of this user's under /tmp; a fresh one where somebody else was there first."""
    path = Path(tempfile.gettempdir()) / f"{_DIRECTORY_NAME}-{os.getuid()}"
    with contextlib.suppress(OSError):
        path.mkdir(mode=0o700, exist_ok=True)
        if not path.is_symlink() and path.stat().st_uid == os.getuid():
            return path
    return Path(tempfile.mkdtemp(prefix=f"{_DIRECTORY_NAME}-"))
