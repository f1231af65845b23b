"""Who may ask a daemon, who may give it orders, and are a person's orders carried out and remembered?"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from tests.real.daemon_process import LOOPBACK, SOON_S, House, house, until

TOKEN = "correct-horse-battery-staple"
SCRAPE = "only-for-the-metrics-page"

FLEET = """
[daemon]
public_reads = false
[agents.one]
command = ["sleep", "1000"]
"""


def status(place: House, method: str, path: str, token: str = "") -> int:
    """Ask over TCP as any program would."""
    connection = HTTPConnection(LOOPBACK, place.port, timeout=SOON_S)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        connection.request(method, path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def answers(place: House, token: str = "") -> dict[str, int]:
    """What is answered to a read, a scrape, an order and the questions of a platform."""
    return {
        "read": status(place, "GET", "/observability/summary", token),
        "scrape": status(place, "GET", "/metrics", token),
        "order": status(place, "POST", "/control/agents/one/restart", token),
        "health": status(place, "GET", "/healthz", token),
    }


@pytest.fixture(scope="module")
def open_house() -> Iterator[House]:
    """No token is set."""
    with house(FLEET) as place:
        yield place


def test_on_loopback_without_a_token_all_may_read_and_nobody_on_tcp_may_order(open_house: House) -> None:
    assert answers(open_house) == {"read": 200, "scrape": 200, "order": 403, "health": 200}
    assert answers(open_house, "guessed") == {"read": 200, "scrape": 200, "order": 403, "health": 200}
    refusal = open_house.over_tcp().ask("POST", "/control/agents/one/stop").body
    assert "SELFHEAL_TOKEN" in refusal.text("detail")


def test_the_socket_of_the_state_directory_takes_every_order(open_house: House) -> None:
    assert open_house.order("agents/one/restart").status == 200
    assert open_house.say("status", "--url", f"http://{LOOPBACK}:{open_house.port}").code in (0, 3)
    assert open_house.say("stop", "one", "--url", f"http://{LOOPBACK}:{open_house.port}").code == 5


def test_with_a_token_only_who_has_it_may_read_or_order() -> None:
    with house(FLEET, SELFHEAL_TOKEN=TOKEN, SELFHEAL_SCRAPE_TOKEN=SCRAPE) as place:
        assert answers(place) == {"read": 401, "scrape": 401, "order": 401, "health": 200}
        assert answers(place, SCRAPE) == {"read": 401, "scrape": 200, "order": 401, "health": 200}
        assert answers(place, TOKEN) == {"read": 200, "scrape": 200, "order": 200, "health": 200}
        assert answers(place, TOKEN[:-1]) == {"read": 401, "scrape": 401, "order": 401, "health": 200}
        assert place.order("pause").status == 200, "the socket needs none"
        url = f"http://{LOOPBACK}:{place.port}"
        assert place.say("restart", "one", "--url", url).code == 0
        wrong = place.say("restart", "one", "--url", url, SELFHEAL_TOKEN="wrong")
        assert wrong.code == 5
        assert "SELFHEAL_TOKEN" in wrong.err


def test_public_reads_open_the_reads_and_never_the_control() -> None:
    with house(FLEET.replace("false", "true"), SELFHEAL_TOKEN=TOKEN) as place:
        assert answers(place) == {"read": 200, "scrape": 200, "order": 401, "health": 200}


# --- orders --------------------------------------------------------------------------------------------------------


def test_orders_of_a_person_are_carried_out_and_remembered() -> None:
    with house(FLEET) as place:
        place.until_state("healthy")
        first = place.pid("one")
        assert place.say("restart", "one").code == 0
        assert place.pid("one") not in (0, first)
        assert place.say("stop", "one").code == 0
        assert (place.pid("one"), place.agent("one").text("state")) == (0, "stopped")
        assert place.marked() == []
        assert place.stop() == 0

        place.boot()
        assert (place.pid("one"), place.agent("one").text("state")) == (0, "stopped")
        assert place.say("status").code == 0, "it is as somebody wished"
        place.daemon.kill()

        place.boot()
        assert place.agent("one").text("state") == "stopped"
        assert place.say("start", "one").code == 0
        place.until_state("healthy")
        assert place.say("stop", "nobody").code == 1
        assert place.say("approve", "inc-1").code == 1


def test_while_healing_is_paused_nothing_is_done_but_by_a_person() -> None:
    fleet = FLEET + 'checks = [{ process = true, interval = 0.2 }]\n[agents.two]\ncommand = ["sleep", "1000"]\n'
    with house(fleet + "[guard]\nverify = 0\n") as place:
        place.until_state("healthy")
        assert place.say("pause").code == 0
        place.daemon.kill()
        place.boot()
        assert place.get("summary").flag("paused"), "it is kept over a restart"
        os.kill(place.pid("one"), signal.SIGKILL)
        until(lambda: place.incidents("one"))
        until(lambda: place.agent("one").text("state") == "unhealthy")
        assert place.say("restart", "two").code == 0
        assert place.pid("one") == 0
        assert place.say("resume").code == 0
        place.until_state("healthy")
        assert place.healed("one").parts("attempts")


# --- approval ------------------------------------------------------------------------------------------------------

ASKING = """
[guard]
verify = "0.3s"
cooldown = 0
[agents.site]
kind = "service"
checks = [{ command = ["test", "-e", "well"], interval = 0.1, fall = 1 }]
fixes = ["mend"]
[fixes.mend]
command = ["sh", "-c", "echo mended {agent} >> mended; touch well"]
approval = true
"""


def waiting(place: House) -> str:
    """The incident that asks for an approval."""
    (place.folder / "well").unlink()

    def asks() -> list[str]:
        return [one.text("id") for one in place.incidents() if one.text("state") == "waiting_approval"]

    return until(asks, what=lambda: [one.raw for one in place.incidents()])[0]


def test_a_fix_that_needs_leave_waits_for_it_and_the_first_answer_is_final() -> None:
    with house() as place:
        mended, well = place.folder / "mended", place.folder / "well"
        well.touch()
        place.boot(ASKING)
        incident = waiting(place)
        assert not mended.exists()
        assert place.order(f"incidents/{incident}/approve").status == 200
        assert place.healed("site").text("id") == incident
        assert mended.read_text() == "mended site\n"
        assert "approved" in place.say("why", incident).out
        late = place.say("reject", incident)
        assert late.code == 5

        refused = waiting(place)
        assert refused != incident
        place.daemon.kill()
        place.boot()
        assert place.say("reject", refused).code == 0
        until(lambda: place.get(f"incidents/{refused}").text("state") == "escalated")
        assert mended.read_text() == "mended site\n"
        well.touch()
        assert place.healed("site").text("id") == refused


LOUD = """
[agents.loud]
command = ["sh", "-c", "env; exec sleep 1000"]
environment = { MY_API_KEY = "only-the-program-knows", MODE = "production" }
environment_file = "loud.env"
ready = { command = ["true"] }
checks = [{ command = ["sh", "-c", "echo $MODE has $MY_API_KEY $A_TOKEN; exit 1"], interval = 0.2, fall = 1 }]
fixes = ["tell"]
[fixes.tell]
command = ["sh", "-c", "env"]
"""


def test_the_secrets_of_an_agent_are_shown_nowhere_whatever_its_programs_print() -> None:
    with house() as place:
        (place.folder / "loud.env").write_text("A_TOKEN=of-the-file\nDATABASE_URL=postgres://app:of-the-url@db/x\n")
        place.boot(LOUD)
        until(lambda: any(fix.text("outcome") for one in place.incidents("loud") for fix in one.parts("attempts")))
        asked = ("agents/loud", "logs", "incidents", "fixes", "rca", "traces")
        told = [json.dumps(place.get(path, agent="loud").raw) for path in asked]
        place.stop()
        kept = [*place.state_dir.glob("*.json"), *(place.state_dir / "journal").iterdir()]
        shown = [*told, place.log, *(file.read_bytes().decode(errors="replace") for file in kept)]
        assert "production has ***" in "".join(told)
        for secret in ("only-the-program-knows", "of-the-file", "of-the-url"):
            assert not any(secret in text for text in shown)
