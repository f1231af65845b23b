"""How does a verb meet a daemon without one? A server that shows a world through the daemon's own views."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel

from selfheal.learn.strategies import Lessons
from selfheal.serve.views import fleet, foresight, incidents, maintenance
from selfheal.serve.views.anomalies import anomalies, dismissals, levels
from selfheal.serve.views.markdown import markdown
from selfheal.serve.views.report import report
from selfheal.vitals import Vitals
from selfheal.world import World

Reply = tuple[int, object]


@dataclass
class Daemon:
    """What is answered, and what was asked: `asked` holds method, path, query and body of each request."""

    world: World
    now: float
    token: str = ""
    special: dict[str, Callable[[Mapping[str, str]], Reply]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], object]] = field(default_factory=list)

    def reply(self, method: str, path: str, query: dict[str, str], body: object) -> Reply:
        self.asked.append((method, path, query, body))
        if path in self.special:
            return self.special[path](query)
        if method == "POST":
            return 200, {"done": path.rpartition("/")[2], "target": None}
        return self._facts(path, query.get("agent"))

    def _facts(self, path: str, agent: str | None) -> Reply:
        world, vitals = self.world, Vitals()
        match path.removeprefix("/observability").strip("/").split("/"):
            case ["healthz"]:
                return 200, {"status": "ok"}
            case ["summary"]:
                return 200, fleet.summary(world, self.now, loops={}, scorecard={}, ready=True, trouble=None)
            case ["agents"]:
                return 200, {"items": fleet.agents(world, vitals)}
            case ["agents", name] if name in world.agents:
                return 200, fleet.agent_detail(world, vitals, name, self.now)
            case ["incidents"]:
                return 200, {"items": [incidents.incident_view(one) for one in incidents.incidents(world)]}
            case ["incidents", name] if name in world.incidents:
                return 200, incidents.incident_detail(world.incidents[name])
            case ["predictions"]:
                return 200, {"items": foresight.predictions(world, self.now)}
            case ["anomalies"]:
                return 200, {
                    "items": anomalies(world, self.now),
                    "suppressed_total": dict(world.anomalies.counted),
                    "dismissals": dismissals(world.anomalies, self.now),
                    "levels": levels(world.anomalies),
                }
            case ["maintenance"]:
                works = [one for one in maintenance.work(world) if agent in (None, one.agent)]
                return 200, {"items": works, "totals": maintenance.totals(world)}
            case ["scorecard"]:
                figure = {"value": 0.93, "count": 40, "interval": (0.81, 0.98)}
                recovery = {"value": 0.4, "count": 9, "interval": None}
                return 200, {"rca_accuracy": figure, "recovery_p95_seconds": recovery, "uptime": {"value": None}}
            case _:
                return self._told(path)

    def _told(self, path: str) -> Reply:
        """What is told afterwards, and what was learned."""
        world, lessons = self.world, Lessons(self.world, self.now)
        match path.removeprefix("/observability").strip("/").split("/"):
            case ["incidents", name, "report"] if name in world.incidents:
                return 200, markdown(report(world, world.incidents[name], self.now, {}))
            case ["strategies"]:
                return 200, {"items": incidents.strategies(world, lessons)}
            case ["fixes"]:
                return 200, {"items": [], "shadow": incidents.shadows(lessons)}
            case _:
                return problem(404, f"cannot find {path!r}; ask for another")


def problem(status: int, detail: str) -> Reply:
    """An error as the daemon tells it."""
    return status, {"type": "about:blank", "title": "problem", "status": status, "detail": detail}


@contextmanager
def served(daemon: Daemon, state_dir: Path) -> Iterator[None]:
    """Serve over the socket in a state directory. The path must be short here: it is bound as it stands."""
    with _running(_UnixServer(str(state_dir / "selfheal.sock"), _handler(daemon))):
        yield


@contextmanager
def served_on_tcp(daemon: Daemon) -> Iterator[str]:
    """Serve on a free loopback port; gives the URL."""
    server = HTTPServer(("127.0.0.1", 0), _handler(daemon))
    with _running(server):
        yield f"http://127.0.0.1:{server.server_port}"


class _UnixServer(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


@contextmanager
def _running(server: UnixStreamServer | HTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(daemon: Daemon) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def _answer(self, method: str) -> None:
            parts = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            status, facts = daemon.reply(method, parts.path, query, json.loads(sent) if sent else None)
            if daemon.token and self.headers.get("Authorization") != f"Bearer {daemon.token}":
                status, facts = problem(401, "cannot show this without a token")
            content = (facts if isinstance(facts, str) else json.dumps(facts, default=_plain)).encode()
            self.send_response_only(status)
            self.send_header("Content-Type", "text/markdown" if isinstance(facts, str) else "application/json")
            self.send_header("Date", self.date_time_string(daemon.now))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def address_string(self) -> str:
            return "test"

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _plain(value: object) -> object:
    assert isinstance(value, BaseModel)
    return value.model_dump(mode="json", by_alias=True)
