"""Does a person see what is not as usual, can they say that it is not worth telling, and does that last?

The daemon, its command line and its state are the real ones. What is measured comes from a plugin that reads a file.
"""

from __future__ import annotations

import json
from urllib.request import urlopen

from selfheal.cli.client import Document
from tests.real.daemon_process import LOOPBACK, House, house, until
from tests.real.telegram_fake import CHAT, TOKEN, Telegram, telegram

PLUGIN = '["sh", "-c", "echo \\"OK | error_rate=$(cat {file})\\""]'


def fleet() -> str:
    """Two services, one of which depends on the other; each is asked so often that it is known in seconds."""
    return "\n".join(
        f'[agents.{name}]\nkind = "service"\ndepends_on = {needs}\n'
        f"checks = [{{ command = {PLUGIN.format(file=name)}, nagios = true, interval = 0.1 }}]\n"
        for name, needs in (("db", []), ("api", ["db"]))
    )


def measure(place: House, value: str) -> None:
    """Let both measure this; written so that no reader finds half of it."""
    for name in ("db", "api"):
        new = place.folder / f"{name}.new"
        new.write_text(value)
        new.rename(place.folder / name)


def thing(place: House, **wanted: object) -> Document | None:
    """The first anomaly in which the error rate of the database has moved, and of which this is so."""
    for one in place.get("anomalies").parts("items"):
        moved = [(part.text("agent"), part.text("signal")) for part in one.parts("signals")]
        if ("db", "error_rate") in moved and all(one.raw[key] == value for key, value in wanted.items()):
            return one
    return None


def learn(place: House) -> None:
    """Wait until some fifty samples were taken: nothing is strange before that."""
    began = checks(place)
    until(lambda: checks(place) >= began + 50, what=lambda: place.log)


def checks(place: House) -> int:
    """How often the database was asked so far."""
    with urlopen(f"http://{LOOPBACK}:{place.port}/metrics", timeout=15.0) as answer:
        text: str = answer.read().decode()
    lines = [line for line in text.splitlines() if line.startswith('selfheal_checks_total{agent="db"')]
    return int(sum(float(line.rpartition(" ")[2]) for line in lines))


def test_what_is_strange_is_shown_dismissed_and_not_told_again_after_a_restart() -> None:
    with house() as place:
        measure(place, "0.01")
        place.boot(fleet())
        learn(place)
        measure(place, "0.5")
        shown: Document = until(lambda: thing(place))  # type: ignore[assignment]
        assert shown.text("direction") == "up"
        assert shown.number("value") == 0.5
        assert shown.moment("since") is not None
        name = shown.text("id")
        listed = place.say("anomalies")
        assert listed.code == 0
        assert name in listed.out
        assert "error_rate ↑  50 %" in listed.out
        assert f"not as usual ({name}" in place.say("why", "db").out

        done = place.say("anomalies", "dismiss", name.removeprefix("ano-"), "--by", "ann")
        assert (done.code, done.err) == (0, f"{name}: dismissed, the same is told less easily\n")
        again = place.say("anomalies", "dismiss", name)
        assert again.code == 5
        assert "dismissed by ann (the command line)" in again.err
        assert "not as usual" not in place.say("why", "db").out
        measure(place, "0.01")
        until(lambda: thing(place, id=name).text("over_at"))  # type: ignore[union-attr]
        place.stop()
        kept = json.loads((place.state_dir / "anomaly_detections.json").read_text())
        assert {one["agent"] for one in kept["dismissals"]} >= {"db"}

        place.boot()
        learn(place)
        measure(place, "0.5")
        until(lambda: place.get("anomalies").part("suppressed_total").count("dismissed") >= 1)
        assert thing(place, dismissed=False) is None
        listed = place.say("anomalies")
        assert f"dismissed {name}" in listed.err
        taken_back = place.say("anomalies", "dismiss", name, "--undo", "--json")
        assert json.loads(taken_back.out)["done"] == "restore"
        assert place.get("anomalies").parts("dismissals") == []
        assert place.say("anomalies", "dismiss", "4711").code == 1


def pressed(chat: Telegram, number: int, data: str) -> str:
    press = chat.press(number, data)
    return until(lambda: chat.answer_to(press))  # type: ignore[return-value]


def test_a_person_on_telegram_says_that_it_was_not_worth_it() -> None:
    given = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": str(CHAT)}
    with telegram() as chat, house(TELEGRAM_API_URL=chat.url, **given) as place:
        measure(place, "0.01")
        place.boot(f"[notify]\ngroup = 0\nanomaly = 0\n{fleet()}")
        learn(place)
        measure(place, "0.9")
        sent = until(lambda: next((one for one in chat.messages.values() if one.buttons), None))
        assert sent is not None
        assert "not as usual" in sent.text
        data = sent.buttons["Not worth it"]
        name = data.split(":")[1]
        assert pressed(chat, sent.number, data.replace(name, "ano-4711")) == "This is no question any more."
        assert pressed(chat, sent.number, data) == f"{name}: the same is told less easily"
        until(lambda: f"{name} was dismissed by telegram:" in sent.text, what=lambda: sent.text)
        assert sent.buttons == {}
        assert "was dismissed by telegram:" in pressed(chat, sent.number, data)
        (one,) = (one for one in place.get("anomalies").parts("items") if one.text("id") == name)
        assert one.text("dismissed_by").startswith("telegram:")


def test_an_order_about_no_anomaly_or_with_wrong_words_is_refused() -> None:
    with house(SELFHEAL_TOKEN="a-token-of-some-length") as place:
        measure(place, "0.01")
        place.boot(fleet())
        assert place.order("anomalies/ano-1/dismiss").status == 404
        assert place.order("anomalies/ano-1/restore").status == 404
        assert place.order("anomalies/ano-1/dismiss", {"by": "x" * 65}).status == 422
        assert place.order("anomalies/ano-1/dismiss", {"wrong": 1}).status == 422
