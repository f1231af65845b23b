"""How does a daemon run on this machine? Real processes, files, sockets, signals; one daemon a state directory."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import TypeVar
from urllib.parse import quote

import structlog
from pydantic import SecretStr

from selfheal.clock import SteadyClock
from selfheal.compose.chat import Chat
from selfheal.compose.model_child import ModelChild
from selfheal.compose.push import Pushes
from selfheal.compose.secrets import secrets_of
from selfheal.compose.worker import Worker
from selfheal.config.address import is_loopback, split_address, url_from_here
from selfheal.config.load import Loaded
from selfheal.config.model import doors, missing_for_models
from selfheal.config.models import Config
from selfheal.config.render import API_KEY, API_URL
from selfheal.config.render_mode import missing_at_render
from selfheal.daemon import Daemon, Narrator
from selfheal.diagnose.similar import similar
from selfheal.durable import make_private
from selfheal.events import StateDamaged
from selfheal.gateway.post import Poster
from selfheal.keeper import HELD_BACK, VARIABLE
from selfheal.kinds import Notifier
from selfheal.learn.scorecard import figures
from selfheal.loops import Loop
from selfheal.ml.client import Child
from selfheal.net import Dialer
from selfheal.notify.apprise import AppriseNotifier
from selfheal.notify.telegram import Line, TelegramNotifier, account
from selfheal.notify.webhook import WebhookNotifier
from selfheal.observe import CHECKS
from selfheal.observe.dial import probe_tcp
from selfheal.observe.http_client import probe_http
from selfheal.ports import ModelAccess, Ports
from selfheal.recover import FIXES, told_against
from selfheal.recover.calls import call_http
from selfheal.render.api import DEFAULT_URL, RenderApi
from selfheal.render.wire import HttpTransport
from selfheal.serve.app import create_app
from selfheal.serve.auth import Access
from selfheal.serve.listener import bind_tcp, bind_unix, serve
from selfheal.serve.ports import Sources, Tail
from selfheal.signatures import shipped
from selfheal.store.key import read_key
from selfheal.store.lock import StateLock, usable
from selfheal.store.migrations import migrate
from selfheal.supervise import proc
from selfheal.supervise.listeners import listeners
from selfheal.supervise.oneshot import CommandRunner
from selfheal.supervise.posix import PosixLauncher
from selfheal.telemetry.logs import LogStream, configure, set_level
from selfheal.telemetry.recent import RecentLines
from selfheal.telemetry.redact import Redactor
from selfheal.telemetry.systemd import ServiceManager

SOCKET_NAME = "selfheal.sock"
KEY_NAME = "key"
# A thread that computes gives the loop its turn after this; Python's own 5 ms would be added to whatever is urgent.
TURN_S = 0.001

_T = TypeVar("_T")


def run(
    loaded: Loaded,
    *,
    narrator: Narrator | None = None,
    seconds: float | None = None,
    clear_leftovers: bool = False,
    ends_with_terminal: bool = False,
    log_stream: LogStream | None = None,
    opened: Callable[[], None] = lambda: None,
) -> int:
    """Run a daemon until it is told to stop, or for `seconds`; returns the exit code.

    `clear_leftovers` ends what an earlier daemon left running instead of adopting it; `ends_with_terminal` makes of
    SIGHUP an orderly stop; `opened` is called once the addresses are ours, before anything starts. Raises
    SelfhealError where it cannot start: a held state directory, a taken address.
    """
    config = loaded.config.daemon
    sys.setswitchinterval(TURN_S)
    redactor = Redactor.from_environment(os.environ, secrets_of(loaded))
    with StateLock.acquire(config.state_dir) as lock:
        logs = configure(config.log_level, config.log_format, redactor, log_stream or sys.stdout)
        try:
            with usable(config.state_dir):
                damages = migrate(config.state_dir, SteadyClock().now())
                _prepare(config.state_dir, lock.shared)
                doors = _Doors(loaded, logs.recent, damages)
            opened()
            return asyncio.run(_live(loaded, doors, redactor, narrator, seconds, clear_leftovers, ends_with_terminal))
        finally:
            logs.stop()


async def _live(
    loaded: Loaded,
    doors: _Doors,
    redactor: Redactor,
    narrator: Narrator | None,
    seconds: float | None,
    clear_leftovers: bool,
    ends_with_terminal: bool,
) -> int:
    log = structlog.get_logger("selfheal")
    _say_what_is_missing(log, loaded.config, told=bool(_notifiers(loaded.config, doors.line)))
    with usable(loaded.config.daemon.state_dir):
        ports = _ports(loaded, doors)
        daemon = Daemon(loaded, ports, redactor, log, narrator, clear_leftovers, doors.damages)
    _heed_signals(daemon, log, ends_with_terminal)
    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, daemon.stop)
    log.info("serve", page=f"http://{doors.address}/", socket=str(loaded.config.daemon.state_dir / SOCKET_NAME))
    try:
        await daemon.run(doors.loops)
    finally:
        if ports.render is not None:
            await ports.render.close()
    return 0 if not daemon.runner.fatal else 1


def _heed_signals(daemon: Daemon, log: structlog.stdlib.BoundLogger, ends_with_terminal: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, partial(_told, daemon, log, number.name))
    if not ends_with_terminal:
        loop.add_signal_handler(signal.SIGHUP, daemon.reloader.soon)
    elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # under nohup it stays, as was asked for
        loop.add_signal_handler(signal.SIGHUP, partial(_left_alone, daemon, log))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)  # a keeper starts us with them blocked: now we can answer


def _told(daemon: Daemon, log: structlog.stdlib.BoundLogger, name: str) -> None:
    """The first signal stops the daemon in order; the second one ends it at once, its agents with it."""
    if daemon.stopping.is_set():
        log.warning("stop.now", signal=name)
        daemon.supervisor.kill_fleet()
        os._exit(1)
    log.info("stop.asked", signal=name)
    daemon.stop()


def _left_alone(daemon: Daemon, log: structlog.stdlib.BoundLogger) -> None:
    """The terminal is gone. Kernel and shell may both say so: that is one word, not two."""
    if not daemon.stopping.is_set():
        _told(daemon, log, signal.SIGHUP.name)


def _say_what_is_missing(log: structlog.stdlib.BoundLogger, config: Config, *, told: bool) -> None:
    if not told:
        log.info("alerts.local", why="nobody is named to be told: alerts are in the log and on the page alone")
    for why in missing_for_models(config.model, os.environ):
        log.info("diagnosis.rules", why=why)
    if config.daemon.render_mode:
        with usable(config.daemon.state_dir):
            on_a_disk = config.daemon.state_dir.stat().st_dev != Path("/").stat().st_dev
        for why in missing_at_render(config.daemon, os.environ, on_a_disk=on_a_disk):
            log.warning("render.missing", why=why)


def _prepare(state_dir: Path, shared: str) -> None:
    if shared:
        structlog.get_logger("selfheal").warning("state.shared", directory=str(state_dir), why=shared)
    for name in ("logs", "run"):
        make_private(state_dir / name)


def _ports(loaded: Loaded, doors: _Doors) -> Ports:
    clock = SteadyClock()
    marker = hashlib.blake2b(os.fsencode(loaded.config.daemon.state_dir.resolve()), digest_size=6).hexdigest()
    dialer = Dialer()
    launcher = PosixLauncher(asyncio.get_running_loop(), clock, marker)
    structlog.get_logger("selfheal").info("limits", **launcher.enforced)
    return Ports(
        pid=os.getpid(),
        clock=clock,
        chance=SystemRandom(),
        environment=dict(os.environ),
        agent_variables=doors.agent_variables,
        checks=CHECKS,
        launcher=launcher,
        dialer=dialer,
        run_command=CommandRunner(clock),
        run_fix=CommandRunner(clock, leaves_helpers=True),
        call_http=call_http,
        run_job=Worker(CommandRunner(clock, whole_session=True), loaded.config.daemon.state_dir),
        probe_http=partial(probe_http, dialer=dialer),
        probe_tcp=partial(probe_tcp, dialer=dialer),
        run_in_thread=_in_thread,
        disk_used=_disk_used,
        inodes_used=_inodes_used,
        listeners=listeners,
        stolen=proc.stolen_s,
        notifiers=_notifiers(loaded.config, doors.line),
        renewed=partial(_renewed, line=doors.line),
        render=_render(os.environ, clock),
        model=_model(os.environ, clock),
        learner=Child(os.environ),
        manager=ServiceManager.from_environment(os.environ, _ourselves()),
    )


def _render(environment: Mapping[str, str], clock: SteadyClock) -> RenderApi | None:
    """Render's API, where there is a key for it."""
    key = environment.get(API_KEY, "").strip()
    if not key:
        return None
    transport = HttpTransport(environment.get(API_URL, "").strip() or DEFAULT_URL, SecretStr(key))
    return RenderApi(transport, clock, SystemRandom())


def _model(environment: Mapping[str, str], clock: SteadyClock) -> ModelAccess | None:
    """The way to language models, where there is a key for one and its maker's package."""
    known = doors(environment)
    return ModelAccess(ModelChild(CommandRunner(clock), environment), known) if known else None


def _ourselves() -> frozenset[int]:
    """Whom a service manager may mean when it means us: this process, or its keeper."""
    keeper = os.environ.get(VARIABLE, "")
    return frozenset((os.getpid(), *((int(keeper),) if keeper.isdecimal() else ())))


def _notifiers(config: Config, line: Line | None) -> tuple[Notifier, ...]:
    notify, found = config.notify, list[Notifier]()
    if notify.webhook is not None:
        found.append(WebhookNotifier(notify.webhook, notify.webhook_secret, SteadyClock()))
    if line is not None:
        found.append(TelegramNotifier(line))
    found += [AppriseNotifier(number, url) for number, url in enumerate(notify.apprise, 1)]
    return tuple(found)


def _renewed(config: Config, *, line: Line | None) -> tuple[Notifier, ...]:
    set_level(config.daemon.log_level)
    return _notifiers(config, line)


def _in_thread(work: Callable[[], _T], /) -> Awaitable[_T]:
    return asyncio.to_thread(work)


def _disk_used(path: Path) -> float:
    usage = shutil.disk_usage(path)
    return usage.used / (usage.used + usage.free) if usage.total else 0.0


def _inodes_used(path: Path) -> float | None:
    """None where a file system counts none."""
    found = os.statvfs(path)
    return 1.0 - found.f_ffree / found.f_files if found.f_files else None


class _Doors:
    """The two listeners, bound before anything else starts: a taken address must not cost a running fleet."""

    def __init__(self, loaded: Loaded, recent: RecentLines, damages: Sequence[StateDamaged]) -> None:
        self._config = loaded.config.daemon
        self._recent = recent
        self._bound: dict[str, socket.socket] = {}
        self._url = url_from_here(*self._bind("tcp").getsockname()[:2])
        self._bind("unix")
        key, damage = read_key(self._config.state_dir / KEY_NAME, SteadyClock().now())
        self._access = self._opened_by(key)
        known = account(os.environ, key)
        self.line = Line(known) if known is not None else None
        self.damages = (*damages, *((damage,) if damage is not None else ()))

    @property
    def address(self) -> str:
        """Where the page is."""
        return self._config.listen

    def agent_variables(self, agent: str) -> Mapping[str, str]:
        """With what an agent reports to us that it is alive."""
        return {
            "SELFHEAL_HEARTBEAT_URL": f"{self._url}/heartbeat/{quote(agent)}",
            "SELFHEAL_HEARTBEAT_TOKEN": self._access.heartbeat_token(agent),
        }

    def loops(self, daemon: Daemon) -> Sequence[Loop]:
        """The loops of the server: one a listener, over one application."""
        sources = self._sources(daemon)
        app = create_app(sources, daemon.control, daemon.data.custody, daemon.control.teaching, self._access)
        gc.freeze()  # what is built by now stays: to look through it again would stop the loop for 70 ms

        async def listen(name: str) -> None:
            await serve(app, self._bind(name), trusted=name == "unix", stopping=daemon.gone)

        servers = tuple(Loop(f"serve {name}", partial(listen, name), every_s=None) for name in self._bound)
        chat = () if self.line is None else (Loop("chat", self._chat(daemon, self.line), every_s=None),)
        return (*servers, *chat, *self._pushing(daemon, sources))

    def _pushing(self, daemon: Daemon, sources: Sources) -> Sequence[Loop]:
        """The loop that pushes to the gateway, where there is one; like the server, it speaks until the very end."""
        url, token = self._config.gateway_url, self._config.gateway_token
        if url is None or token is None:
            return ()
        poster = Poster(url, token)
        pushes = Pushes(
            sources, daemon.ledger, daemon.control, poster, daemon.judgement.terms,
            daemon.ports.run_in_thread, daemon.ports.chance, daemon.log,
        )  # fmt: skip

        async def push() -> None:
            try:
                await pushes.run(daemon.gone)
            finally:
                await poster.close()

        return (Loop("gateway", push, every_s=None),)

    def _chat(self, daemon: Daemon, line: Line) -> Callable[[], Awaitable[None]]:
        def users() -> Sequence[int]:
            return daemon.config.notify.telegram.users

        chat = Chat(line, daemon.ledger, daemon.ports.clock, daemon.control, users)
        return partial(chat.listen, daemon.stopping)

    def _bind(self, name: str) -> socket.socket:
        """The socket of a listener; bound anew where a server that failed has closed it."""
        bound = self._bound.get(name)
        if bound is None or bound.fileno() < 0:
            config = self._config
            bound = bind_tcp(config.listen) if name == "tcp" else bind_unix(config.state_dir, SOCKET_NAME)
            self._bound[name] = bound
        return bound

    def _opened_by(self, key: bytes) -> Access:
        token, scrape = self._config.token, self._config.scrape_token
        return Access(
            key=key,
            token=token.get_secret_value() if token else None,
            scrape_token=scrape.get_secret_value() if scrape else None,
            public_reads=self._config.public_reads,
            loopback=is_loopback(split_address(self._config.listen)[0]),
        )

    def _sources(self, daemon: Daemon) -> Sources:
        return Sources(
            clock=daemon.ports.clock,
            stopping=daemon.stopping,
            vitals=daemon.vitals,
            shown=daemon.ledger.shown,
            subscribe=daemon.ledger.subscribe,
            events_after=daemon.events_after,
            log_tail=partial(self._log_tail, daemon),
            metrics_text=daemon.metrics.render,
            loops=lambda: daemon.runner.stats,
            down=lambda: daemon.runner.down,
            ready=lambda: daemon.swept,
            trouble=lambda: daemon.trouble,
            windows=lambda: daemon.config.guard.maintenance,
            scorecard=figures,
            lessons=daemon.judgement.lessons,
            draw=daemon.memory.recall.draw,
            past=daemon.memory.recall.past,
            patterns=shipped(),
            similar=similar,
            tables=told_against(FIXES),
        )

    async def _log_tail(self, daemon: Daemon, agent: str | None, count: int, cursor: str, since: float) -> Tail:
        """An agent's log is a file, the daemon's own goes wherever its output does: its last lines are in memory."""
        if agent is None:
            return Tail(*self._recent.page(count, cursor, since))
        return await daemon.evidence.log_tail(agent, count, cursor, since)
