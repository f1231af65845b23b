"""Does a person hear of what needs one, once and for certain, and does nobody hear of a secret?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from tests.real.daemon_process import LOOPBACK, House, Stream, free_port, house, until

TOKEN, PATH_SECRET, QUERY_SECRET = "token-f00dfeed-1", "hook-f00dfeed-2", "hook-f00dfeed-3"
PASSWORD, PRINTED, SAID, KEY = "pass-f00dfeed-4", "pass-f00dfeed-5", "pass-f00dfeed-6", "sk-f00dfeed-7-0123456789"
SECRETS = (TOKEN, PATH_SECRET, QUERY_SECRET, PASSWORD, PRINTED, SAID, KEY)

FLEET = f"""
[guard]
verify = "0.3s"
[notify]
webhook = "http://{LOOPBACK}:{{port}}/{PATH_SECRET}?token={QUERY_SECRET}"

[agents.site]
kind = "service"
fixes = ["mend"]
checks = [
    {{ command = ["sh", "-c", "test -e well || ! echo refused: password={SAID}"], interval = 0.1, fall = 1 }},
    {{ http = "http://user:{PASSWORD}@{LOOPBACK}:{{closed}}/?api_key={KEY}", interval = 0.1, fall = 1 }},
]
[fixes.mend]
command = ["sh", "-c", "echo cannot log in with --password {PRINTED}, password={PRINTED}; exit 1"]

[agents.well]
kind = "service"
checks = [{{ command = ["true"], interval = 0.2 }}]
"""


@dataclass
class Inbox:
    """What came in at a webhook."""

    taken: list[dict[str, object]] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)


@contextmanager
def webhook(inbox: Inbox, port: int) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            inbox.taken.append(body)
            inbox.paths.add(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer((LOOPBACK, port), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def everything_shown(place: House) -> str:
    """All that can be asked of the daemon, over HTTP and by its verbs, and all that it has told until now."""
    pages = (
        *("summary", "agents", "agents/site", "incidents", "predictions", "anomalies", "maintenance", "fixes"),
        *("strategies", "rca", "traces", "metrics", "scorecard", "logs"),
        *(f"incidents/{one.text('id')}" for one in place.incidents()),
    )
    shown = [json.dumps(place.get(page).raw) for page in pages]
    shown += [place.say(*words).out for words in (("status",), ("why", "site"), ("incidents",), ("agents", "site"))]
    told = Stream(place.port, 0)
    until(lambda: any("AlertDelivered" in event for event in told.told.values()))
    return "\n".join([*shown, *told.told.values()])


def test_an_alert_arrives_once_though_its_receiver_was_down_and_so_does_its_end() -> None:
    inbox, port = Inbox(), free_port()
    with house(SELFHEAL_SCRAPE_TOKEN=TOKEN, OPENAI_API_KEY=KEY) as place:
        place.boot(FLEET.replace("{port}", str(port)).replace("{closed}", str(free_port())))
        until(lambda: [one for one in place.incidents("site") if one.text("state") == "escalated"])
        assert place.get("summary").parts("alerts")
        with webhook(inbox, port):
            until(lambda: inbox.taken)
            shown = everything_shown(place)
            (incident,) = place.incidents("site")
            (alert,) = inbox.taken
            assert (alert["key"], alert["resolved"]) == (incident.text("id"), False)
            assert (alert["agent"], alert["severity"]) == ("site", "critical")
            assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(alert["at"]))
            assert inbox.paths == {f"/{PATH_SECRET}?token={QUERY_SECRET}"}
            assert place.say("stop", "site").code == 5, "it is no process of ours"
            place.daemon.kill()
            place.boot((place.folder / "selfheal.toml").read_text().replace("    { http", "    # { http"))
            (place.folder / "well").touch()
            until(lambda: len(inbox.taken) > 1)
            end = inbox.taken[1]
            assert (end["key"], end["resolved"]) == (alert["key"], True)
            shown += everything_shown(place)
            assert place.stop() == 0
            assert len(inbox.taken) == 2
        shown += json.dumps(inbox.taken)
        assert "check command" in shown
        assert "cannot log in with" in shown
        found = [secret for secret in SECRETS if secret in shown]
        for path in (*place.folder.glob("daemon-*"), *place.state_dir.rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                found += [f"{secret} in {path.name}" for secret in SECRETS if secret.encode() in content]
        assert found == []
