"""How does a test start a real PostgreSQL?"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.counterparts import program
from tests.real.daemon_process import free_port
from tests.real.foreground import home, started

READY = "ready to accept connections"


@dataclass(frozen=True)
class Cluster:
    """The data of a server, within a folder for its other files, and as whom its programs are run: never as root."""

    data: Path
    user: int | None

    @property
    def folder(self) -> Path:
        return self.data.parent

    def give(self, *files: Path) -> None:
        """Let nobody but the server read these."""
        for file in files:
            file.chmod(0o600)
            if self.user is not None:
                os.chown(file, self.user, -1)

    def run(self, name: str, *words: str) -> None:
        argv = (program(name, "postgresql"), *words)
        subprocess.run(argv, check=True, capture_output=True, timeout=60, cwd=self.folder, user=self.user)

    @contextmanager
    def serving(
        self, settings: Mapping[str, object], ready: str = READY, end: signal.Signals = signal.SIGQUIT
    ) -> Iterator[int]:
        """A server on a free port of the loopback until the block ends; its port is given.

        SIGQUIT is a crash to it, after which it has forgotten its statistics; with SIGINT it writes everything down.
        """
        port = free_port()
        own = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        words = [word for key, value in {**own, **settings}.items() for word in ("-c", f"{key}={value}")]
        argv = (program("postgres", "postgresql"), "-D", str(self.data), *words)
        with started(argv, ready, end=end, user=self.user):
            yield port


@contextmanager
def cluster(*more: str) -> Iterator[Cluster]:
    """A new one, whose superuser `boss` needs no password; gone when the block ends. `more` are options of initdb."""
    initdb = program("initdb", "postgresql")
    with home() as (folder, user):
        made = Cluster(folder / "data", user)
        plain = ("--no-sync", "--no-instructions", "--auth=trust", "--locale=C", "--encoding=UTF8")
        made.run(initdb, "-D", str(made.data), "-U", "boss", *plain, *more)
        yield made
