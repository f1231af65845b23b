"""Do real programs that leak get through without an outage, and does everybody hear of it?

Two share a port, as those of the demo do. Somebody asks each tenth of a second for as long as they are worked on.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from itertools import pairwise
from pathlib import Path

from selfheal.cli.client import Document
from selfheal.demo import fleet
from tests.real.daemon_process import LOOPBACK, House, free_port, house, until
from tests.real.telegram_fake import CHAT, TOKEN, telegram

PROGRAM = Path(fleet.__file__).with_name("programs") / "reports.py"
PORT = free_port()
FLEET = f"""
[daemon]
public_reads = true
prevention_interval = 1
[guard]
verify = "2s"
acts_per_agent = 0

[agents.reports]
instances = 2
command = [{{python}}, "-IS", "{PROGRAM}", "{PORT}", "--mb-per-second", "2.5"]
limits = {{ memory = "110MB" }}
checks = [{{ http = "http://{LOOPBACK}:{PORT}/", interval = 1, timeout = 1 }}]
"""


class Asking(threading.Thread):
    """Asks each tenth of a second, and keeps what went wrong.

    In the moment in which one of two lets go of the port, the kernel may have given it a connection: whoever is reset
    before any answer asks again, as a browser does, and is counted.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.asked = 0
        self.failed: list[str] = []
        self.reset = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.1):
            self.asked += 1
            connection = HTTPConnection(LOOPBACK, PORT, timeout=2.0)
            try:
                connection.request("GET", "/")
                if connection.getresponse().status != 200:
                    self.failed.append("status")
            except ConnectionResetError:
                self.reset += 1
            except (OSError, HTTPException) as why:
                self.failed.append(str(why))
            finally:
                connection.close()


@contextmanager
def asking() -> Iterator[Asking]:
    asks = Asking()
    asks.start()
    try:
        yield asks
    finally:
        asks.over.set()
        asks.join()


def done(place: House) -> list[Document]:
    """The work that is over, oldest first."""
    return [one for one in place.get("maintenance").parts("items") if one.text("outcome")][::-1]


def test_two_that_leak_are_renewed_one_after_the_other_and_nobody_outside_notices() -> None:
    with house(FLEET) as place:
        place.until_state("healthy")
        with asking() as asks:
            works = until(lambda: done(place) if len(done(place)) >= 2 else None, 60.0, lambda: place.log)
            count = asks.asked
            until(lambda: asks.asked >= count + 10)
        assert works is not None
        assert asks.failed == []
        assert asks.reset <= 1
        assert asks.asked > 50
        assert {one.text("agent") for one in works[:2]} == {"reports:0", "reports:1"}
        assert {one.text("state") for one in works[:2]} == {"done"}
        assert {one.text("how") for one in works[:2]} == {"one instance after the other"}
        for before, after in pairwise(works[:2]):
            ended, began = before.moment("done_at"), after.moment("begun_at")
            assert ended is not None
            assert began is not None
            assert ended <= began
        assert place.incidents("reports:0") == place.incidents("reports:1") == []

        shown = place.say("maintenance").out
        assert "one instance after the other" in shown
        assert "✔ done" in shown
        said = until(lambda: _totals(place) if _totals(place).count("averted") >= 1 else None)
        assert said is not None
        assert said.count("came_all_the_same") == 0
        schedule = json.loads((place.state_dir / "maintenance_schedule.json").read_text())
        assert {one["agent"] for one in schedule["work"]} == {"reports:0", "reports:1"}
        assert schedule["totals"]["work"]["done"] >= 2
        (latest,) = place.get("maintenance", agent="reports:1", limit=1).parts("items")
        assert latest.text("agent") == "reports:1"
        assert place.get("maintenance", agent="nobody").parts("items") == []


def test_a_person_on_telegram_allows_it_by_a_button() -> None:
    ask = FLEET.replace("instances = 2\n", "").replace('verify = "2s"', 'verify = "2s"\nmodes = { restart = "ask" }')
    with telegram() as chat, house(
        TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_CHAT_ID=str(CHAT), TELEGRAM_API_URL=chat.url
    ) as place:  # fmt: skip
        place.boot(ask.replace("[guard]", "[notify]\ngroup = 0\n[guard]"))
        question = until(lambda: next((one for one in chat.messages.values() if "Approve" in one.buttons), None), 40.0)
        assert question is not None
        assert "may restart be applied to reports, before it fails?" in question.text
        chat.press(question.number, question.buttons["Approve"])
        until(lambda: any("restart of reports: done" in text for text in question.texts), 30.0, lambda: question.texts)
        (work, *_) = done(place)
        assert (work.text("state"), work.text("answered_by")) == ("done", "telegram:user4711")
        assert place.incidents("reports") == []
        chat.say("/why reports")
        until(lambda: any("ahead of time (work-" in text for one in chat.messages.values() for text in one.texts))
        foreseen = [text for one in chat.messages.values() for text in one.texts if "Planned: restart now" in text]
        assert foreseen, "what will be done is told with what is foreseen"


def _totals(place: House) -> Document:
    return place.get("maintenance").part("totals")
