"""Does the demo's fleet, real programs on a real machine, come back from everything that a test does to it?

One demo for all tests in here, in their order.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from selfheal.cli.client import Document
from tests.real.daemon_process import LOOPBACK, House, Program, house, until

# Checks once a second, two failures in a row, a hung process that gets a second to end, three seconds to verify; and
# two recoveries at once for a fleet of nine, that also misbehaves by itself meanwhile.
HEALED_S = 40.0

STEP = re.compile(r"^  \d\d:\d\d:\d\d\.\d{3} +\+\d", re.MULTILINE)


@pytest.fixture(scope="module")
def demo() -> Iterator[House]:
    with house() as place:
        words = ("demo", "--state-dir", str(place.state_dir), "--listen", f"{LOOPBACK}:{place.port}")
        place.lives.append(Program(words, place.folder, place.environment, place.folder / "demo"))
        until(lambda: place.state_dir.joinpath("selfheal.sock").exists(), what=lambda: place.log)
        until(lambda: len(place.agents()) == 9)
        place.until_state("healthy")
        yield place


def strike(demo: House, number: int, *names: str) -> dict[str, int]:
    """Send a signal to the processes of these agents; returns them."""
    return {name: until(partial(struck, demo, name, number)) for name in names}


def struck(demo: House, name: str, number: int) -> int:
    """Strike one process; returns 0 where there is none, or it has just ended by itself, as some of the fleet do."""
    pid = demo.pid(name)
    try:
        os.kill(pid, number) if pid else None
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return 0
    return 0 if number == signal.SIGSTOP and state in "ZX" else pid


def wait_for_others(demo: House, struck: dict[str, int]) -> None:
    """Wait until every agent has another process and is well."""

    def all_back() -> bool:
        agents = demo.agents()
        return all(
            agents[name].text("state") == "healthy" and agents[name].count("pid") != pid for name, pid in struck.items()
        )

    until(all_back, HEALED_S, lambda: demo.say("agents").out)


def shows(incident: Document, sign: str) -> bool:
    """Whether it began with this sign, or came to it while it was open: some of the fleet fails by itself meanwhile."""
    evidence = (text for cause in incident.parts("causes") for text in cause.texts("evidence"))
    return sign in incident.text("sign") or any(sign in text for text in evidence)


def told(demo: House, name: str, sign: str, *, before: int) -> Document:
    """The incident of an agent that has a sign, once it is resolved; `why` tells it step by step."""

    def resolved() -> Document | None:
        fresh = demo.incidents(name)[: len(demo.incidents(name)) - before]
        found = [one for one in fresh if shows(one, sign) and one.text("state") == "resolved"]
        return found[0] if found else None

    incident = until(resolved, HEALED_S, lambda: demo.say("why", name).out)
    assert incident is not None
    why = demo.say("why", incident.text("id"))
    assert why.code == 0
    assert f"incident {incident.text('id')}: {name}" in why.out
    assert sign in why.out
    assert len(STEP.findall(why.out)) >= 4
    return incident


def test_every_agent_that_is_killed_is_back_at_once(demo: House) -> None:
    before = {name: len(demo.incidents(name)) for name in demo.agents()}
    wait_for_others(demo, strike(demo, signal.SIGKILL, *before))
    for name, count in before.items():
        incident = told(demo, name, "SIGKILL", before=count)
        assert incident.parts("attempts")[0].flag("reflex")
        assert incident.text("cause") == "killed"
        assert (incident.number("recovery_seconds") or 99.0) < 10.0


def test_every_agent_that_hangs_is_noticed_and_restarted_by_a_fix(demo: House) -> None:
    before = {name: len(demo.incidents(name)) for name in demo.agents()}
    wait_for_others(demo, strike(demo, signal.SIGSTOP, *before))
    for name, count in before.items():
        incident = told(demo, name, "SIGSTOP", before=count)
        fixes = [one.text("fix") for one in incident.parts("attempts") if not one.flag("reflex")]
        assert fixes[:1] == ["restart"]
        assert incident.text("cause") == "hung"


def test_what_a_person_stops_stays_stopped_and_those_who_need_it_are_left_alone(demo: House) -> None:
    demo.until_state("healthy", "cache", "api", limit_s=HEALED_S)
    api = demo.pid("api")
    assert demo.say("stop", "cache").code == 0
    assert (demo.agent("cache").text("state"), demo.pid("cache")) == ("stopped", 0)
    until(lambda: demo.agent("api").text("state") != "healthy")
    assert demo.say("start", "cache").code == 0
    demo.until_state("healthy", "cache", "api", limit_s=HEALED_S)
    wait_for_others(demo, strike(demo, signal.SIGKILL, "cache"))
    demo.until_state("healthy", "cache", "api", limit_s=HEALED_S)
    assert demo.pid("api") == api
    assert demo.say("why", "cache").code == 0


def test_the_end_of_the_demo_leaves_no_process(demo: House) -> None:
    assert len([one for one in demo.marked() if one.leads]) in (8, 9)  # one may be about to be started again
    demo.daemon.signal(signal.SIGINT)
    ended = demo.daemon.ended()
    assert ended.code == 0
    assert "The fleet was up for" in ended.out
    assert ended.err == ""
    assert demo.marked() == []
