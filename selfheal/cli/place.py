"""Where is the daemon that a verb shall talk to?

`--url` with SELFHEAL_TOKEN, else the Unix socket in the state directory: that of --state-dir, SELFHEAL_STATE_DIR, the
file that SELFHEAL_CONFIG names, ./selfheal.toml, or ./state. Of the file only `daemon.state_dir` is read, so that a
verb works while the rest of it is being edited.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from selfheal.cli.verb import WrongUse

SOCKET = "selfheal.sock"
CONFIG_FILE = "selfheal.toml"
DEFAULT_STATE_DIR = "state"


class Address(NamedTuple):
    """A daemon behind TCP. `prefix` comes before every path, for one behind a proxy."""

    secure: bool
    host: str
    port: int
    prefix: str
    token: str

    def __str__(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.host}:{self.port}{self.prefix}"


class StateDir(NamedTuple):
    """A daemon on this machine. `why` says what made us look there."""

    path: Path
    why: str

    def __str__(self) -> str:
        return str(self.path / SOCKET)


def place_of(arguments: Namespace, environment: Mapping[str, str] = os.environ) -> Address | StateDir:
    """Where the daemon is. Raises WrongUse where what was given leads nowhere."""
    url: str | None = arguments.url
    given: Path | None = arguments.state_dir
    if url is not None:
        return _address(url, environment.get("SELFHEAL_TOKEN", "").strip())
    if given is not None:
        return StateDir(given.absolute(), "--state-dir")
    if environment.get("SELFHEAL_STATE_DIR"):
        return StateDir(Path(environment["SELFHEAL_STATE_DIR"]).absolute(), "SELFHEAL_STATE_DIR")
    config = config_file(environment)
    if config is not None:
        return StateDir(_state_dir_in(config), str(config))
    return StateDir(Path(DEFAULT_STATE_DIR).absolute(), f"there is no {CONFIG_FILE} here")


def config_file(environment: Mapping[str, str] = os.environ, given: Path | None = None) -> Path | None:
    """The configuration in force here: `given`, that of SELFHEAL_CONFIG, or ./selfheal.toml where there is one."""
    if given is not None:
        return given
    if environment.get("SELFHEAL_CONFIG"):
        return Path(environment["SELFHEAL_CONFIG"])
    return Path(CONFIG_FILE) if Path(CONFIG_FILE).exists() else None


def _address(url: str, token: str) -> Address:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise WrongUse(f"cannot use --url {url!r}: it is not the address of a daemon; write --url http://HOST:8787")
    if not (token.isascii() and token.isprintable()):
        raise WrongUse("cannot use SELFHEAL_TOKEN: it holds characters that no token has; set it to the daemon's")
    secure = parts.scheme == "https"
    return Address(secure, parts.hostname, port or (443 if secure else 80), parts.path.rstrip("/"), token)


def _state_dir_in(config: Path) -> Path:
    import tomllib

    try:
        document = tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as why:
        raise WrongUse(
            f"cannot find the daemon by {str(config)!r}: {why}; mend the file or say --state-dir DIR"
        ) from why
    daemon = document.get("daemon")
    written = daemon.get("state_dir") if isinstance(daemon, dict) else None
    return config.parent.absolute() / (written if isinstance(written, str) else DEFAULT_STATE_DIR)
