"""How does a test run a gateway beside a daemon, and what lies between them?"""

from __future__ import annotations

import signal
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

from selfheal.cli.client import Client, Document
from selfheal.cli.place import Address
from selfheal.errors import DaemonUnreachable
from tests.real.daemon_process import ENVIRONMENT, LOOPBACK, SOON_S, House, Program, free_port, until

TOKEN = "the token of those who read and decide"
PUSH_TOKEN = "the token of the daemon that pushes"
SCRAPE_TOKEN = "the token of those who scrape"


class Got(NamedTuple):
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Gateway:
    """A gateway on a port of its own, one life after the other."""

    folder: Path
    port: int = field(default_factory=free_port)
    lives: list[Program] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    def start(self) -> Program:
        """Start it; returns when it answers."""
        environment = {
            **ENVIRONMENT,
            "SELFHEAL_LISTEN": f"{LOOPBACK}:{self.port}",
            "SELFHEAL_TOKEN": TOKEN,
            "SELFHEAL_SCRAPE_TOKEN": SCRAPE_TOKEN,
            "SELFHEAL_GATEWAY_TOKEN": PUSH_TOKEN,
            **self.environment,
        }
        said = self.folder / f"gateway-{len(self.lives)}"
        program = Program(("gateway",), self.folder, environment, said)
        self.lives.append(program)
        until(lambda: self.answers or not program.alive, what=lambda: self.log)
        assert program.alive, program.ended()
        return program

    def stop(self) -> int:
        self.lives[-1].signal(signal.SIGTERM)
        return self.lives[-1].wait()

    @property
    def log(self) -> str:
        return self.lives[-1].out.read_text() + self.lives[-1].err.read_text()

    @property
    def answers(self) -> bool:
        try:
            return self.client.ask("GET", "/healthz").status == 200
        except DaemonUnreachable:
            return False

    @property
    def client(self) -> Client:
        return Client(Address(False, LOOPBACK, self.port, "", TOKEN))

    def get(self, path: str) -> Document:
        return self.client.ask("GET", f"/observability/{path}").body

    def ask(self, path: str, token: str = TOKEN, method: str = "GET", body: bytes | None = None) -> Got:
        """One request, and its answer as it came."""
        connection = HTTPConnection(LOOPBACK, self.port, timeout=SOON_S)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {token}"} if token else {})
            answer = connection.getresponse()
            return Got(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    @property
    def age_s(self) -> float:
        """How old it says that its knowledge is."""
        return float(self.ask("/healthz").headers.get("x-selfheal-age", "inf"))

    def until_ready(self) -> None:
        until(lambda: self.client.ask("GET", "/readyz").status == 200, what=lambda: self.log)

    def until_state(self, agent: str, state: str, limit_s: float = SOON_S) -> None:
        def there() -> bool:
            return self.get(f"agents/{agent}").text("state") == state

        until(there, limit_s, lambda: self.get(f"agents/{agent}").raw)


@contextmanager
def gateway(**environment: str) -> Iterator[Gateway]:
    """A gateway that runs; it is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        place = Gateway(Path(folder), environment=environment)
        place.start()
        try:
            yield place
        finally:
            for program in place.lives:
                program.kill()


def pushes_to(port: int, place: House) -> House:
    """Let the daemon of a house push to this port."""
    place.environment |= {
        "SELFHEAL_GATEWAY_URL": f"http://{LOOPBACK}:{port}",
        "SELFHEAL_GATEWAY_TOKEN": PUSH_TOKEN,
    }
    return place


class Line:
    """A line between two ends that can be cut: then nothing passes, and nobody is told."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._passing = Event()
        self._passing.set()
        self._sockets: list[socket.socket] = []
        self._listening = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listening.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._passing.clear()

    def mend(self) -> None:
        self._passing.set()

    def close(self) -> None:
        self._passing.set()
        for one in (self._listening, *self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                self._sockets.append(near)
                Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        self._passing.wait()
        try:
            far = socket.create_connection((LOOPBACK, self._to_port), timeout=SOON_S)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        self._sockets.append(far)
        back = Thread(target=self._pass, args=(far, near), daemon=True)
        back.start()
        self._pass(near, far)

    def _pass(self, here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while data := here.recv(65_536):
                self._passing.wait()
                there.sendall(data)
        for one in (here, there):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
