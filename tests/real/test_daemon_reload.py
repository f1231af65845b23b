"""Does a daemon take to an edited file, a new number of instances and orders to many, with real processes?"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest

from tests.real.daemon_process import House, house, until

ONE = '[agents.one]\ncommand = ["sleep", "1000"]\n'
SEVERAL = '[agents.many]\ncommand = ["sh", "-c", "echo {index}; exec sleep 1000"]\ninstances = 2\n'
NEEDS = '[agents.needs]\ncommand = ["sleep", "1000"]\ndepends_on = ["one"]\n'
FLEET = ONE + SEVERAL + NEEDS


@pytest.fixture
def place() -> Iterator[House]:
    with house(FLEET) as place:
        place.until_state("healthy")
        yield place


def pids(place: House) -> dict[str, int]:
    return {name: agent.count("pid") for name, agent in place.agents().items()}


def test_an_unchanged_file_leaves_every_process_and_is_one_event(place: House) -> None:
    before, seq = pids(place), len(place.logged("config.reloaded"))
    done = place.say("reload")
    assert (done.code, done.err) == (0, "the configuration was read again: 4 unchanged\n")
    assert pids(place) == before
    assert len(place.logged("config.reloaded")) == seq + 1


def test_a_reload_says_what_it_has_done_and_touches_nothing_else(place: House) -> None:
    before = pids(place)
    edited = FLEET.replace(NEEDS, "").replace('"sleep", "1000"', '"sleep", "2000"')
    place.configure(
        '[daemon]\nlog_format = "console"\nlog_level = "debug"\n' + edited + '[agents.new]\ncommand = "sleep 1000"'
    )
    done = place.say("reload", "--json")
    assert done.code == 0
    said = json.loads(done.out)
    assert {name: said[name] for name in ("added", "removed", "restarted", "changed", "unchanged", "failed")} == {
        "added": ["new"],
        "removed": ["needs"],
        "restarted": ["one"],
        "changed": [],
        "unchanged": ["many:0", "many:1"],
        "failed": [],
    }
    assert (said["settings"], said["pending"]) == (["daemon.log_level"], ["daemon.log_format"])
    place.until_state("healthy")
    after = pids(place)
    assert after.keys() == {"one", "many:0", "many:1", "new"}
    assert [name for name in before if before[name] == after.get(name)] == ["many:0", "many:1"]
    until(lambda: len(place.marked()) == 4, what=place.marked)
    until(lambda: place.logged("agent.declared"), what=lambda: place.log)


def test_a_bad_file_is_refused_line_by_line_on_every_way_in(place: House) -> None:
    before = pids(place)
    place.configure(FLEET + "nonsense = 1\n[agents.worse]\ninstances = 0")
    said = place.say("reload")
    lines = said.err.splitlines()
    assert (said.code, said.out) == (2, "")
    assert [line.partition("selfheal.toml:")[2].split(": ")[1] for line in lines] == [
        "agents.needs.nonsense",
        "agents.worse",
    ]
    answer = place.order("reload")
    assert (answer.status, answer.body.text("code")) == (422, "config_invalid")
    assert [one.text("where") for one in answer.body.parts("errors")] == ["agents.needs.nonsense", "agents.worse"]
    place.daemon.signal(signal.SIGHUP)
    (refused,) = until(lambda: place.logged("reload.refused"))
    assert (refused.text("level"), len(refused.texts("problems"))) == ("error", 2)
    assert pids(place) == before
    place.daemon.signal(signal.SIGTERM)
    assert place.daemon.wait() == 0


def test_a_signal_takes_the_edited_file(place: House) -> None:
    before = pids(place)
    place.configure(FLEET + '[agents.new]\ncommand = "sleep 1000"')
    place.daemon.signal(signal.SIGHUP)
    until(lambda: "new" in place.agents())
    place.until_state("healthy")
    assert before.items() <= pids(place).items()


def test_a_secret_that_came_with_a_reload_is_masked_like_any_other() -> None:
    with house(ONE) as place:
        place.configure(
            ONE + '[agents.says]\ncommand = "printenv API_TOKEN"\nenvironment = { API_TOKEN = "not-to-be-seen" }'
        )
        assert place.say("reload").code == 0
        until(lambda: place.say("logs", "says").out)
        assert "not-to-be-seen" not in place.say("logs", "says").out


def test_a_new_number_of_instances_holds_over_a_restart_of_the_daemon(place: House) -> None:
    before = pids(place)
    done = place.say("scale", "many", "4")
    assert (done.code, done.err.splitlines()[1:]) == (0, ["  added: many:2, many:3"])
    place.until_state("healthy")
    assert before.items() <= pids(place).items()
    before = pids(place)
    place.daemon.kill()
    place.boot()
    place.until_state("healthy")
    assert pids(place) == before, "adopted, all four"
    assert place.say("scale", "many", "1").code == 0
    assert pids(place).keys() == {"one", "needs", "many:0"}
    until(lambda: len(place.marked()) == 3, what=place.marked)
    assert place.say("scale", "many", "0").code == 5
    assert place.say("scale", "nobody", "2").code == 1


def test_a_pattern_reaches_those_that_it_fits_and_none_where_it_fits_none(place: House) -> None:
    before = pids(place)
    assert place.say("restart", "many:*").code == 0
    after = pids(place)
    assert sorted(name for name in before if before[name] != after[name]) == ["many:0", "many:1"]
    assert place.say("stop", "nothing*").code == 1
    assert pids(place) == after
    assert place.say("stop", "*").code == 0
    assert place.marked() == []
    assert place.say("start", "needs", "one").code == 0
    place.until_state("healthy", "needs", "one")
    assert len(place.marked()) == 2


def test_a_rolling_restart_that_gets_stuck_leaves_the_rest_running(place: House) -> None:
    fails = SEVERAL.replace("echo {index}; exec sleep 1000", "test {index} = 0 || exit 3; exec sleep 1000")
    before = pids(place)
    place.configure(ONE + NEEDS + fails.replace("instances = 2", "instances = 3"))
    done = place.say("reload")
    assert done.code == 1
    assert "not ready: many:1" in done.err
    assert place.say("restart", "many").code == 1
    after = pids(place)
    assert (after["one"], after["needs"]) == (before["one"], before["needs"])
    assert place.agent("many:0").text("state") in ("starting", "healthy")
