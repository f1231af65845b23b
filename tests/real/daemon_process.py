"""How does a test run a daemon as a process, talk to it, and leave nothing of it behind?

Every daemon is a process of its own, with its own environment, files and signals. It is forked from one that has
loaded the program already: that takes a second each time otherwise, and these tests start a hundred of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple, TypeVar

from selfheal.cli import main
from selfheal.cli.client import Answer, Client, Document
from selfheal.cli.place import Address, StateDir
from selfheal.clock import RealClock
from selfheal.errors import DaemonUnreachable
from selfheal.supervise.marks import Marked, find_marked

T = TypeVar("T")

CLOCK = RealClock()
LOOPBACK = "127.0.0.1"
PYTHON = f'"{sys.executable}", "-IS"'
"""The first words of a program in Python, as they stand in a list of the configuration."""
# What a daemon is given of our own environment: nothing that would change what it does.
ENVIRONMENT = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "NO_COLOR": "1"}
# Two busy cores, and some hundred processes beside this one.
SOON_S = 15.0

NURSERY = multiprocessing.get_context("forkserver")
NURSERY.set_forkserver_preload(["selfheal.machine", "selfheal.cli.stage", "tests.real.daemon_process", "pytest"])


def until(condition: Callable[[], T], limit_s: float = SOON_S, what: Callable[[], object] = lambda: "") -> T:
    """Return what the condition gives as soon as it is true; fail, with `what`, where that takes too long."""
    end, pause = CLOCK.monotonic() + limit_s, Event()
    while not (value := condition()):
        assert CLOCK.monotonic() < end, f"not within {limit_s:g} s: {what()}"
        pause.wait(0.01)
    return value


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as sock:
        sock.bind((LOOPBACK, 0))
        port: int = sock.getsockname()[1]
        return port


# --- a program that runs -------------------------------------------------------------------------------------------


class Ended(NamedTuple):
    """How a verb ended, and what it said."""

    code: int
    out: str
    err: str


class Program:
    """`selfheal WORDS` as a process."""

    def __init__(self, words: tuple[str, ...], folder: Path, environment: Mapping[str, str], said: Path) -> None:
        self.out, self.err = said.with_suffix(".out"), said.with_suffix(".err")
        for file in (self.out, self.err):
            file.touch(mode=0o600)
        arguments = (words, str(folder), dict(environment), str(self.out), str(self.err))
        self._process = NURSERY.Process(target=_perform, args=arguments, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """As by `kill -9`; returns when it is gone."""
        self._process.kill()
        self._process.join(SOON_S)

    def wait(self, limit_s: float = SOON_S) -> int:
        """Return the exit code; negative where a signal ended it."""
        self._process.join(limit_s)
        code = self._process.exitcode
        assert code is not None, f"still running after {limit_s:g} s; its last words: {self.out.read_text()[-2000:]}"
        return code

    def ended(self, limit_s: float = SOON_S) -> Ended:
        code = self.wait(limit_s)
        return Ended(code, self.out.read_text(), self.err.read_text())


def _perform(words: tuple[str, ...], folder: str, environment: dict[str, str], out: str, err: str) -> None:
    """What the forked process does: become `selfheal WORDS` in every respect that the program can see."""
    for path, number in ((out, 1), (err, 2)):
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[1:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.exit(main(words))


# --- a daemon ------------------------------------------------------------------------------------------------------


@dataclass
class House:
    """A folder with a configuration, and the daemons that live in it one after the other."""

    folder: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(ENVIRONMENT))
    port: int = field(default_factory=free_port)
    state_dir: Path = field(init=False)
    lives: list[Program] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state_dir = self.folder / "state"

    # --- its life ---

    def configure(self, toml: str) -> None:
        """Write the configuration; the address to listen on and Python are filled in."""
        (self.folder / "selfheal.toml").write_text(toml.replace("{python}", PYTHON))

    def start(self) -> Program:
        """Start a daemon, and wait for nothing."""
        environment = {"SELFHEAL_LISTEN": f"{LOOPBACK}:{self.port}", **self.environment}
        said = self.folder / f"daemon-{len(self.lives)}"
        where = ("--config", str(self.folder / "selfheal.toml"), "--state-dir", str(self.state_dir))
        self.lives.append(Program(("run", *where), self.folder, environment, said))
        return self.daemon

    def boot(self, toml: str | None = None) -> Program:
        """Start a daemon, with a new configuration where one is given; returns when its first sweep is done."""
        if toml is not None:
            self.configure(toml)
        daemon = self.start()
        until(lambda: self.ready or not daemon.alive, what=lambda: self.log)
        assert daemon.alive, daemon.ended()
        return daemon

    def stop(self, limit_s: float = SOON_S) -> int:
        """Stop the daemon as a person would, and return its exit code."""
        self.daemon.signal(signal.SIGTERM)
        return self.daemon.wait(limit_s)

    @property
    def daemon(self) -> Program:
        """The one that lives now, or the last one."""
        return self.lives[-1]

    @property
    def ready(self) -> bool:
        try:
            return self.client.ask("GET", "/readyz").status == 200
        except DaemonUnreachable:
            return False

    @property
    def log(self) -> str:
        """All that the daemon that lives now has written."""
        return self.daemon.out.read_text() + self.daemon.err.read_text()

    def logged(self, event: str) -> list[Document]:
        """The lines of its log that tell of an event."""
        lines = (line for line in self.daemon.out.read_text().splitlines() if line.startswith("{"))
        return [entry for entry in map(Document, map(json.loads, lines)) if entry.text("event") == event]

    # --- talking to it ---

    @property
    def client(self) -> Client:
        """Talks over the Unix socket."""
        return Client(StateDir(self.state_dir, "the test"))

    def over_tcp(self, token: str = "") -> Client:
        return Client(Address(False, LOOPBACK, self.port, "", token))

    def get(self, path: str, **query: object) -> Document:
        return self.client.get(f"/observability/{path}", **query).body

    def order(self, path: str, body: object = None) -> Answer:
        return self.client.ask("POST", f"/control/{path}", body)

    def say(self, *words: str, **environment: str) -> Ended:
        """Run a verb against this daemon, to its end."""
        return self.begin(*words, **environment).ended()

    def begin(self, *words: str, **environment: str) -> Program:
        """Run a verb, and wait for nothing."""
        said = Path(tempfile.mkdtemp(dir=self.folder, prefix="said-")) / "verb"
        given = {**self.environment, "SELFHEAL_STATE_DIR": str(self.state_dir), **environment}
        return Program(words, self.folder, given, said)

    # --- its fleet ---

    def agent(self, name: str) -> Document:
        return self.get(f"agents/{name}")

    def agents(self) -> dict[str, Document]:
        return {agent.text("name"): agent for agent in self.get("agents").parts("items")}

    def pid(self, name: str) -> int:
        """The process of an agent; 0 where it has none."""
        return self.agent(name).count("pid")

    def until_state(self, state: str, *names: str, limit_s: float = SOON_S) -> None:
        """Wait until these agents, or all, are in a state."""

        def there() -> bool:
            agents = self.agents()
            return all(agents[name].text("state") == state for name in names or agents)

        until(there, limit_s, lambda: {name: one.text("state") for name, one in self.agents().items()})

    def incidents(self, agent: str | None = None) -> list[Document]:
        """Incidents, newest first."""
        found = self.get("incidents", limit=1000).parts("items")
        return [one for one in found if agent is None or one.text("agent") == agent]

    def healed(self, agent: str, since: int = 0, limit_s: float = SOON_S) -> Document:
        """Wait until the newest incident of an agent that has at least one more than `since` is resolved."""

        def over() -> Document | None:
            known = self.incidents(agent)
            return known[0] if len(known) > since and known[0].text("state") == "resolved" else None

        found = until(over, limit_s, lambda: [one.raw for one in self.incidents(agent)])
        assert found is not None
        return found

    # --- its processes ---

    def marked(self) -> list[Marked]:
        """Every live process that a daemon of this house started, or what it started itself."""
        marker = hashlib.blake2b(os.fsencode(self.state_dir.resolve()), digest_size=6).hexdigest()
        return find_marked(marker, CLOCK.now())

    def clean(self) -> None:
        """End everything: the daemons first, for they would start the rest anew."""
        for program in self.lives:
            program.kill()
        until(self._nobody_left, what=self.marked)

    def _nobody_left(self) -> bool:
        left = self.marked()
        for one in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.run.pid, signal.SIGKILL)
        return not left


@contextmanager
def house(toml: str | None = None, **environment: str) -> Iterator[House]:
    """A house, with a daemon in it where it is configured; both are gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="sh-"))
    place = House(folder)
    place.environment |= environment
    try:
        if toml is not None:
            place.boot(toml)
        yield place
    finally:
        place.clean()
        until(partial(_is_gone, folder), what=lambda: list(folder.rglob("*")))


def _is_gone(folder: Path) -> bool:
    """Remove a folder; a job on data that has outlived its daemon may still write into it for a moment."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


# --- the stream of events ------------------------------------------------------------------------------------------


class Stream:
    """Reads the event stream in a thread for as long as it lasts: `told` has the data of each event by its number.

    `door` is a port of this machine, or the path of a Unix socket.
    """

    def __init__(self, door: int | Path, since: int | None = None, token: str = "") -> None:
        self.told: dict[int, str] = {}
        self.ended = ""
        """How it came to an end; empty while it has not."""
        self.began = Event()
        self._door = door
        self._since = since
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def join(self, limit_s: float = SOON_S) -> None:
        self._thread.join(limit_s)
        assert self.ended, "the stream goes on"

    def _read(self) -> None:
        connection = HTTPConnection(LOOPBACK, self._door if isinstance(self._door, int) else None, timeout=SOON_S)
        try:
            if isinstance(self._door, Path):
                connection.sock = _connected(self._door)
            begin = f"?since={self._since}" if self._since is not None else ""
            connection.request("GET", f"/observability/events{begin}", headers=self._headers)
            self._take(connection.getresponse())
            self.ended = "cleanly"
        except (OSError, HTTPException) as why:
            self.ended = repr(why)
        finally:
            self.began.set()
            connection.close()

    def _take(self, response: HTTPResponse) -> None:
        parts: dict[str, str] = {}
        while line := response.readline():
            self.began.set()
            name, _, value = line.decode().rstrip("\n").partition(": ")
            parts[name] = value
            if not name and "id" in parts:  # an empty line ends an event
                self.told[int(parts["id"])] = parts["data"]
                parts.clear()


def _connected(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(SOON_S)
    sock.connect(str(path))
    return sock
