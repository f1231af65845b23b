"""Is a secret anywhere, whoever was given it? Each variable that may hold one holds a canary; all is looked through.

The fleet does what fleets do with secrets: it prints its environment, dies of a URL with a password, and its checks and
fixes tell what they were called with.
"""

from __future__ import annotations

import json
import re
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.real.daemon_process import LOOPBACK, House, Stream, house, until
from tests.real.gateways import gateway, pushes_to
from tests.real.telegram_fake import CHAT, Telegram, telegram

# Names that are secret by their meaning, of the daemon and of those it starts.
OURS = ("SELFHEAL_TOKEN", "SELFHEAL_SCRAPE_TOKEN", "RENDER_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_API_KEY")
THEIRS = (
    "AWS_SECRET_ACCESS_KEY", "STRIPE_API_KEY", "DB_PASSWORD", "GITHUB_TOKEN", "SMTP_PASS", "JWT_SECRET",
    "SESSION_SIGNING_KEY", "GOOGLE_APPLICATION_CREDENTIALS_JSON_SECRET",
)  # fmt: skip
FLEET = """
[guard]
verify = "0.3s"
[notify]
group = 0
apprise = ["json://bot:canary-apprise-f00d@127.0.0.1:1/"]

[agents.prints]
command = ["sh", "-c", "env; echo postgres://bot:$DB_PASSWORD@db/x refused >&2; sleep 0.3; exit 1"]
environment = { MAIL_PASSWORD = "canary-own-00f00d" }

[agents.site]
kind = "service"
fixes = ["tell"]
checks = [{ command = ["sh", "-c", "echo token=$STRIPE_API_KEY; env; exit 1"], interval = 0.2, fall = 1 }]
[fixes.tell]
command = ["sh", "-c", "env; echo Authorization: Bearer $GITHUB_TOKEN https://x/?access_token=$JWT_SECRET; exit 1"]

[agents.told]
kind = "service"
checks = [{ command = ["true"], interval = 1 }]

[agents.api]
kind = "service"
checks = [{ http = "http://bot:canary-userinfo-f00d@127.0.0.1:1/?token=canary-query-f00d", interval = 0.2, fall = 1 }]
"""
# What somebody else's monitoring says may hold anything.
FOREIGN = {
    "alerts": [
        {
            "labels": {"alertname": "Down", "agent": "told"},
            "annotations": {"summary": "GET https://u:canary-foreign-f00d@x/?api_key=canary-foreign-f00d failed"},
        }
    ]
}
PAGES = (
    "summary", "agents", "agents/site", "agents/prints", "incidents", "predictions", "anomalies", "maintenance",
    "fixes", "strategies", "rca", "traces", "metrics", "scorecard", "logs", "logs?agent=prints", "chaos",
)  # fmt: skip
VERBS: tuple[tuple[str, ...], ...] = (
    ("status",), ("status", "--json"), ("logs", "prints"), ("config", "show"), ("config", "show", "--json"),
    ("agents", "site"), ("agents", "api", "--json"), ("incidents", "--json"), ("why", "api", "--json"),
    ("anomalies", "--json"), ("predictions", "--json"), ("strategies", "--json"), ("scorecard", "--json"),
    ("kb", "labels", "--json"),
)  # fmt: skip


def canary(name: str) -> str:
    return f"canary-{name.lower().replace('_', '-')}-f00d5eed"


def page(place: House, path: str) -> str:
    connection = HTTPConnection(LOOPBACK, place.port, timeout=15.0)
    connection.request("GET", path, headers={"Authorization": f"Bearer {canary('SELFHEAL_SCRAPE_TOKEN')}"})
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def said(place: House, *verbs: tuple[str, ...]) -> dict[str, str]:
    ended = {" ".join(words): place.say(*words) for words in verbs}
    return {words: one.out + one.err for words, one in ended.items()}


def shown(place: House, chat: Telegram) -> dict[str, str]:
    """All that anybody can get to see."""
    found = {f"GET {one}": json.dumps(place.client.ask("GET", f"/observability/{one}").body.raw) for one in PAGES}
    found["GET /metrics"] = page(place, "/metrics")
    for incident in place.incidents():
        name = incident.text("id")
        for where in (f"incidents/{name}", f"incidents/{name}/report"):
            found[f"GET {where}"] = json.dumps(place.get(where).raw)
        found |= said(place, ("why", name), ("explain", name), ("incidents", "show", name, "--markdown"))
    found |= said(place, *VERBS)
    stream = Stream(place.port, 0, canary("SELFHEAL_TOKEN"))
    until(lambda: len(stream.told) > 10)
    found["stream"] = "\n".join(stream.told.values())
    found["telegram"] = "\n".join(text for message in chat.messages.values() for text in message.texts)
    return found


@pytest.mark.timeout(120)
def test_no_canary_is_in_any_log_message_answer_or_file() -> None:
    names = [*OURS, *THEIRS]
    token = "123456789:AAcanarytelegramf00d5eedf00d5eedf00d5"
    with telegram(token=token) as chat, gateway() as front, house() as place:
        place.environment |= {name: canary(name) for name in names}
        place.environment |= {
            "TELEGRAM_BOT_TOKEN": token, "TELEGRAM_CHAT_ID": str(CHAT), "TELEGRAM_API_URL": chat.url,
            "DATABASE_URL": f"postgres://app:{canary('url')}@db.example/app", "SELFHEAL_LOG_LEVEL": "debug",
        }  # fmt: skip
        pushes_to(front.port, place).boot(FLEET)
        place.client.ask("POST", "/webhooks/alertmanager", FOREIGN)
        until(lambda: any(one.text("state") == "escalated" for one in place.incidents("site")))
        until(lambda: all(place.incidents(name) for name in ("prints", "told", "api")))
        until(lambda: chat.messages)
        front.until_ready()
        found = shown(place, chat)
        for one in ("summary", "agents", "incidents", "fixes"):
            found[f"gateway {one}"] = front.ask(f"/observability/{one}").body.decode()
        found["gateway metrics"] = front.ask("/metrics").body.decode()
        place.stop()
        found |= {"log": place.log, "gateway log": front.log}
        files = [path for path in Path(place.folder).rglob("*") if path.is_file()]
        found |= {f"file {path.name}": path.read_bytes().decode(errors="replace") for path in files}
    del found["file prints.log"], found["file selfheal.toml"]  # what the agent writes by itself, and what the user did
    assert "PATH=" in found["logs prints"], "it did print its environment"
    secrets = re.compile("canary-[a-z0-9-]*f00d|AAcanarytelegram|the token of the daemon that pushes")
    leaks = {where: sorted(set(secrets.findall(text))) for where, text in found.items() if secrets.search(text)}
    assert leaks == {}
