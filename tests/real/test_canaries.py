"""Is a secret anywhere, whoever was given it? Each variable that may hold one holds a canary; all is looked through.

The fleet does what fleets do with secrets: it prints its environment, dies of a URL with a password, and its checks and
fixes tell what they were called with. What is compressed on the disk is looked into as well, and every verb that reads.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from selfheal.cli import GROUPS, parser_of
from selfheal.serve.documents import DOCUMENTS
from tests.real.daemon_process import LOOPBACK, House, Stream, house, until
from tests.real.gateways import gateway, pushes_to
from tests.real.receivers import Receiver, receiver
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
storm_floor = 99
[notify]
group = 0
webhook = "http://hook:canary-hookpass-f00d@127.0.0.1:{posts}/?token=canary-hooktoken-f00d"
apprise = ["json://bot:canary-apprise-f00d@127.0.0.1:1/?token=canary-apprisetoken-f00d"]

[agents.prints]
command = ["sh", "-c", "env; echo postgres://bot:$DB_PASSWORD@db/x refused >&2; sleep 0.3; exit 1"]
environment = { MAIL_PASSWORD = "canary-own-00f00d" }

[agents.raises]
command = [{python}, "raises.py"]

[agents.site]
kind = "service"
fixes = ["tell"]
checks = [{ command = ["sh", "-c", "echo token=$STRIPE_API_KEY; env; exit 1"], interval = 0.2, fall = 1 }]
[fixes.tell]
command = ["sh", "-c", "env; echo Authorization: Bearer $GITHUB_TOKEN https://x/?access_token=$JWT_SECRET; exit 1"]

[agents.calls]
kind = "service"
fixes = ["call"]
checks = [{ command = ["false"], interval = 0.2, fall = 1 }]
[fixes.call]
http = "http://ops:canary-fixpass-f00d@127.0.0.1:1/{agent}?access_token=canary-fixtoken-f00d"
headers = { Authorization = "Bearer canary-fixheader-f00d" }

[agents.starts]
kind = "service"
fixes = ["gone"]
checks = [{ command = ["false"], interval = 0.2, fall = 1 }]
[fixes.gone]
command = ["/no/such/program", "--password=canary-fixword-f00d"]

[agents.told]
kind = "service"
checks = [{ command = ["true"], interval = 1 }]

[agents.api]
kind = "service"
checks = [{ http = "http://bot:canary-userinfo-f00d@127.0.0.1:1/?token=canary-query-f00d", interval = 0.2, fall = 1 }]

[agents.cache]
kind = "service"
checks = [{ redis = "redis://app:canary-redis-f00d@127.0.0.1:1/0", interval = 0.2, fall = 1 }]

[agents.db]
kind = "service"
checks = [{ postgres = "postgresql://app:canary-pg-f00d@127.0.0.1:1/shop", interval = 0.2, fall = 1 }]
"""
RAISES = """
import os
url = f"postgres://bot:{os.environ['DB_PASSWORD']}@db/x?api_key={os.environ['JWT_SECRET']}"
raise ConnectionError(f"cannot connect: {url}")
"""
# A configuration that does not hold: what is wrong with it is quoted.
WRONG = """
[notify]
webhook = "ftp://hook:canary-wrongpass-f00d@127.0.0.1/?token=canary-wrongtoken-f00d"
webhook_secret = ["canary-wrongsecret-f00d"]
apprise = "json://bot:canary-wrongapprise-f00d@127.0.0.1/"
[agents.site]
kind = "service"
environment = { API_TOKEN = 5, DB_PASSWORD = ["canary-wrongenv-f00d"] }
checks = [{ http = "htp://bot:canary-wronguser-f00d@127.0.0.1:1/", redis = "redis://:canary-wrongredis-f00d@[/0" }]
[fixes.call]
http = "ops:canary-wrongfix-f00d@nowhere"
headers = { Authorization = ["Bearer canary-wrongheader-f00d"] }
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
    "kb/signatures", "kb/incidents", "kb/export",
)  # fmt: skip
# Each verb that prints facts, and of what it is asked. `{id}` is an incident.
READS: dict[str, tuple[str, ...]] = {
    "status": (), "agents": ("site",), "health": (), "version": (), "logs": ("prints",), "kb labels": (),
    "config check": ("selfheal.toml",), "config show": ("selfheal.toml",), "config schema": (), "kb causes": (),
    "incidents": (), "incidents show": ("{id}",), "why": ("{id}",), "explain": ("{id}",), "replay": (),
    "strategies": (), "predictions": (), "anomalies": (), "maintenance": (), "scorecard": (), "kb weights": (),
    "kb list": (), "kb show": ("system.no_space",), "kb similar": ("{id}",),
}  # fmt: skip
# The others change something.
ORDERS = {
    "start", "stop", "restart", "scale", "reload", "approve", "reject", "pause", "resume", "mute", "kb confirm",
    "kb correct", "kb add", "kb remove", "kb restore", "kb import", "backup", "verify", "restore", "anomalies dismiss",
}  # fmt: skip
# And these know no daemon: they read the numbers that they are given.
ALONE = {"rca", "detect", "backtest", "train", "predict"}


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


def layers(data: bytes) -> Iterator[bytes]:
    """What a file holds, as it is and unpacked."""
    yield data
    for start in (found.start() for found in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", data)):
        try:
            yield zlib.decompressobj().decompress(data[start:])
        except zlib.error:
            continue


def kept(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file below a folder, and what it holds."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        whole = b"\n".join(layers(path.read_bytes()))
        yield f"file {path.relative_to(folder)}", whole.decode(errors="replace")


def shown(place: House, chat: Telegram, posts: Receiver) -> dict[str, str]:
    """All that anybody can get to see."""
    found = {f"GET {one}": json.dumps(place.client.ask("GET", f"/observability/{one}").body.raw) for one in PAGES}
    found["GET /metrics"] = page(place, "/metrics")
    for incident in place.incidents():
        name = incident.text("id")
        for where in (f"incidents/{name}", f"incidents/{name}/report"):
            found[f"GET {where}"] = json.dumps(place.get(where).raw)
        found |= said(place, ("why", name), ("explain", name), ("incidents", "show", name, "--markdown"))
    for verb, asked in READS.items():
        words = (*verb.split(), *(word.replace("{id}", place.incidents("site")[0].text("id")) for word in asked))
        found |= said(place, words, (*words, "--json"))
    found |= said(place, ("config", "check", "wrong.toml"), ("run", "--config", "wrong.toml", "--state-dir", "other"))
    stream = Stream(place.port, 0, canary("SELFHEAL_TOKEN"))
    until(lambda: len(stream.told) > 10)
    found["stream"] = "\n".join(stream.told.values())
    found["webhook"] = "\n".join(post.body.decode() for post in posts.posts)
    found["telegram"] = "\n".join(text for message in chat.messages.values() for text in message.texts)
    return found


def test_every_verb_that_prints_facts_is_looked_at() -> None:
    verbs = [verb for group in GROUPS for verb in group.verbs]
    telling = {verb.name for verb in verbs if "--json" in parser_of(verb).format_help()}
    assert telling - ORDERS - ALONE == set(READS)


@pytest.mark.timeout(180)
def test_no_canary_is_in_any_log_message_answer_or_file() -> None:
    names = [*OURS, *THEIRS]
    token = "123456789:AAcanarytelegramf00d5eedf00d5eedf00d5"
    with telegram(token=token) as chat, gateway() as front, receiver() as posts, house() as place:
        place.environment |= {name: canary(name) for name in names}
        place.environment |= {
            "TELEGRAM_BOT_TOKEN": token, "TELEGRAM_CHAT_ID": str(CHAT), "TELEGRAM_API_URL": chat.url,
            "DATABASE_URL": f"postgres://app:{canary('url')}@db.example/app", "SELFHEAL_LOG_LEVEL": "debug",
        }  # fmt: skip
        (place.folder / "wrong.toml").write_text(WRONG)
        (place.folder / "raises.py").write_text(RAISES)
        pushes_to(front.port, place).boot(FLEET.replace("{posts}", str(posts.port)))
        place.client.ask("POST", "/webhooks/alertmanager", FOREIGN)
        until(lambda: escalated(place) >= {"site", "calls", "starts"}, 30.0)
        until(lambda: all(place.incidents(name) for name in ("prints", "told", "api", "raises", "cache", "db")))
        until(lambda: chat.messages and posts.posts)
        front.until_ready()
        found = shown(place, chat, posts)
        for one in ("summary", "agents", "incidents", "fixes"):
            found[f"gateway {one}"] = front.ask(f"/observability/{one}").body.decode()
        found["gateway metrics"] = front.ask("/metrics").body.decode()
        place.stop()
        found |= {"log": place.log, "gateway log": front.log}
        files = dict(kept(place.folder))
    # What the agents write by themselves, and what the user did.
    own = {"file selfheal.toml", "file wrong.toml", *(f"file state/logs/{name}.log" for name in ("prints", "raises"))}
    found |= {name: text for name, text in files.items() if name not in own}
    assert own <= files.keys()
    assert_looked_into(found)
    secrets = re.compile("canary-[a-z0-9-]*f00d|AAcanarytelegram|the token of the daemon that pushes")
    leaks = {where: sorted(set(secrets.findall(text))) for where, text in found.items() if secrets.search(text)}
    assert leaks == {}


def escalated(place: House) -> set[str]:
    return {one.text("agent") for one in place.incidents() if one.text("state") == "escalated"}


def assert_looked_into(found: dict[str, str]) -> None:
    """What is looked through does tell of what happened: an empty page holds no secret either."""
    assert "PATH=" in found["logs prints"], "it did print its environment"
    assert "ConnectionError: cannot connect" in json.dumps(found), "it did raise"
    assert {f"file state/{name}" for name in DOCUMENTS} <= found.keys()
    journal = [text for name, text in found.items() if name.startswith("file state/journal/")]
    assert all("site" in text for text in (found["file state/traces.json"], "".join(journal)))
    (snapshot,) = [text for name, text in found.items() if name.endswith(".snapshot")]
    assert "exit code 1" in snapshot or "exit 1" in snapshot
    assert all(
        "site" in found[name] for name in ("webhook", "telegram", "stream", "log", "config show selfheal.toml --json")
    )
    fixes = {fix for fix in ("tell", "call", "gone") if f'"fix": "{fix}"' in found["GET incidents"]}
    assert fixes == {"tell", "call", "gone"}
    assert "wrong.toml" in found["config check wrong.toml"]
