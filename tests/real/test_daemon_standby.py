"""Does the whole daemon heal with what stands by, and leave none of it behind?"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from selfheal.vocabulary import StandbyKind
from tests.real.daemon_process import House, house, until

KINDS: tuple[StandbyKind, ...] = ("spare", "zygote")

PROGRAM = """
import colorsys, sys, time
print("works", flush=True)
time.sleep(1000)
"""

FLEET = """
[guard]
attempts_per_hour = 0
verify = 0
[agents.api]
command = [{python}, "work.py"]
standby = "KIND"
"""

# The interpreter of the other fleet takes no module from the program's folder.
FINDS_ITS_OWN = FLEET.replace("{python}", f'"{sys.executable}"')


def waiting(place: House) -> list[int]:
    return [one.run.pid for one in place.marked() if one.waits]


def next_of(place: House, agent: str = "api") -> int:
    """The process that stands by, once one is ready."""

    def ready() -> int:
        return (
            place.agent(agent).part("standby").count("pid") if place.agent(agent).part("standby").flag("ready") else 0
        )

    until(lambda: ready() > 0, what=lambda: place.agent(agent).part("standby").raw)
    return ready()


def begin(place: House, kind: StandbyKind, more: str = "", program: str = PROGRAM, fleet: str = FLEET) -> None:
    (place.folder / "work.py").write_text(program)
    place.boot(fleet.replace("KIND", kind) + more)
    place.until_state("healthy")


def starts(place: House) -> list[tuple[str, str]]:
    return [(entry.text("reason"), entry.text("how")) for entry in place.logged("agent.started")]


@pytest.mark.parametrize("kind", KINDS)
def test_what_stood_by_is_the_next_run_and_another_comes(kind: StandbyKind) -> None:
    with house() as place:
        begin(place, kind)
        for count in range(1, 4):
            coming, before = next_of(place), place.pid("api")
            assert place.agent("api").part("standby").count("rss") > 1_000_000
            os.kill(before, signal.SIGKILL)
            until(lambda before=before: place.pid("api") not in (0, before))  # type: ignore[misc]
            assert place.pid("api") == coming
            until(lambda count=count: starts(place).count(("reflex", kind)) == count)  # type: ignore[misc]
        assert place.order("agents/api/restart").status == 200
        assert f"{kind} ready" in (next_of(place), place.say("agents", "api").out)[1]
        assert place.stop() == 0
        assert place.marked() == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_daemon_leaves_its_agent_and_nothing_that_waits(kind: StandbyKind) -> None:
    with house() as place:
        begin(place, kind)
        coming = next_of(place)
        os.kill(place.pid("api"), signal.SIGKILL)
        until(lambda: place.pid("api") == coming)
        next_of(place)
        place.daemon.kill()
        until(lambda: waiting(place) == [])
        assert [one.run.pid for one in place.marked()] == [coming]
        place.boot()
        assert place.pid("api") == coming
        assert starts(place) == [("adopted", "cold")]
        coming = next_of(place)
        os.kill(place.pid("api"), signal.SIGKILL)
        until(lambda: place.pid("api") == coming)


def test_a_daemon_that_dies_with_the_message_on_its_way_leaves_one_run_that_is_found() -> None:
    with house() as place:
        begin(place, "spare")
        for _ in range(5):
            coming = next_of(place)
            os.kill(coming, signal.SIGSTOP)  # it has not read yet
            os.kill(place.pid("api"), signal.SIGKILL)
            until(lambda coming=coming: place.pid("api") == coming)  # type: ignore[misc]
            place.daemon.kill()
            os.kill(coming, signal.SIGCONT)
            place.boot()
            place.until_state("healthy")
            assert place.pid("api") == coming
            assert [one.run.pid for one in place.marked() if one.leads and not one.waits] == [coming]


def test_one_that_cannot_import_is_told_once_and_the_agent_starts_anew() -> None:
    with house() as place:
        begin(place, "spare", 'standby_imports = ["no_such_module"]\n')
        why = "ModuleNotFoundError: No module named 'no_such_module'"
        until(lambda: place.agent("api").part("standby").text("why") == why)
        for _ in range(2):
            before = place.pid("api")
            os.kill(before, signal.SIGKILL)
            until(lambda before=before: place.pid("api") not in (0, before))  # type: ignore[misc]
            place.until_state("healthy")
        assert set(starts(place)) == {("first", "cold"), ("reflex", "cold")}
        (told,) = place.logged("standby.failed")
        assert (told.text("agent"), told.text("standby"), told.text("why")) == ("api", "spare", why)
        assert waiting(place) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_agent_has_none_and_a_started_one_gets_one(kind: StandbyKind) -> None:
    with house() as place:
        begin(place, kind)
        next_of(place)
        assert place.order("agents/api/stop").status == 200
        until(lambda: place.marked() == [])
        assert not place.agent("api").part("standby").flag("ready")
        assert place.order("agents/api/start").status == 200
        assert next_of(place) != place.pid("api")


def test_a_crash_loop_keeps_none_while_its_breaker_is_open() -> None:
    program = "import time\ntime.sleep(0.5)\nraise SystemExit(3)\n"
    with house() as place:
        (place.folder / "work.py").write_text(program)
        place.boot(FLEET.replace("KIND", "spare").replace("hour = 0", "hour = 3"))
        place.until_state("quarantined")
        until(lambda: place.marked() == [])
        assert ("reflex", "spare") in starts(place)


@pytest.mark.parametrize("kind", KINDS)
def test_what_waits_counts_for_nothing_of_the_agent(kind: StandbyKind) -> None:
    with house() as place:
        begin(place, kind)
        next_of(place)
        until(lambda: "threads" in place.agent("api").part("signals").raw)
        assert place.agent("api").part("signals").number("threads") == 1
        place.order("agents/api/restart")
        next_of(place)
        assert waiting(place)


@pytest.mark.parametrize("kind", KINDS)
def test_where_agents_die_with_the_daemon_so_does_one_that_stood_by(kind: StandbyKind) -> None:
    with house() as place:
        begin(place, kind, '[daemon]\non_daemon_death = "kill"\n')
        coming = next_of(place)
        os.kill(place.pid("api"), signal.SIGKILL)
        until(lambda: place.pid("api") == coming)
        next_of(place)
        place.daemon.kill()
        until(lambda: place.marked() == [])


@pytest.mark.parametrize("kind", KINDS)
def test_another_configuration_replaces_what_stands_by_and_takes_it_away_with_its_agent(kind: StandbyKind) -> None:
    with house() as place:
        begin(place, kind)
        stale, before = next_of(place), place.pid("api")
        text = (place.folder / "selfheal.toml").read_text()
        place.configure(text + 'environment = { WHICH = "another" }\n')
        assert place.order("reload").status == 200
        until(lambda: stale not in waiting(place))
        assert place.pid("api") not in (0, before, stale)
        coming = next_of(place)
        os.kill(place.pid("api"), signal.SIGKILL)
        until(lambda: place.pid("api") == coming)
        assert "WHICH=another" in Path(f"/proc/{coming}/environ").read_text()
        assert next_of(place)

        running = place.pid("api")  # who stands by is no part of how a process was started
        place.configure(text.replace(f'standby = "{kind}"', "") + 'environment = { WHICH = "another" }\n')
        assert place.order("reload").status == 200
        until(lambda: waiting(place) == [])
        assert place.pid("api") == running
        assert place.agent("api").part("standby").raw == {}
        place.configure(text + 'environment = { WHICH = "another" }\n')
        assert place.order("reload").status == 200
        assert next_of(place)
        assert place.pid("api") == running

        place.configure('[agents.other]\ncommand = ["sleep", "90"]\n')
        assert place.order("reload").status == 200
        until(lambda: waiting(place) == [])
        until(lambda: all(one.agent == "other" for one in place.marked()))


def test_one_that_still_imports_ends_with_a_killed_daemon() -> None:
    hangs = "import time\nopen('hangs', 'w').close()\ntime.sleep(1000)\n"
    with house() as place:
        (place.folder / "hangs.py").write_text(hangs)
        (place.folder / "work.py").write_text(PROGRAM)
        place.boot(FINDS_ITS_OWN.replace("KIND", "spare") + 'standby_imports = ["hangs"]\n')
        until((place.folder / "hangs").exists)
        place.daemon.kill()
        until(lambda: waiting(place) == [])
        assert place.marked()


def test_one_that_a_killed_daemon_left_stopped_is_ended_by_the_next_and_never_adopted() -> None:
    with house() as place:
        begin(place, "spare")
        left, agent = next_of(place), place.pid("api")
        os.kill(left, signal.SIGSTOP)
        place.daemon.kill()
        assert left in waiting(place)
        place.boot()
        until(lambda: left not in [one.run.pid for one in place.marked()])
        assert place.pid("api") == agent
        assert next_of(place) != left


def test_a_zygote_that_is_killed_is_told_once_and_a_person_brings_it_back() -> None:
    with house() as place:
        begin(place, "zygote")
        (zygote,) = set(waiting(place)) - {next_of(place)}
        os.kill(zygote, signal.SIGKILL)
        until(lambda: place.logged("standby.failed"))
        before = place.pid("api")
        assert waiting(place) == []
        os.kill(before, signal.SIGKILL)
        until(lambda: place.pid("api") not in (0, before))
        place.until_state("healthy")
        assert starts(place) == [("first", "cold"), ("reflex", "cold")]
        assert "zygote not ready: killed by SIGKILL while it waited" in place.say("agents", "api").out
        assert place.order("agents/api/restart").status == 200
        assert next_of(place) != place.pid("api")
        assert len(place.logged("standby.failed")) == 1


# --- another configuration ---


@pytest.mark.parametrize("kind", KINDS)
def test_a_reload_of_an_edited_agent_uses_no_stale_standby(kind: StandbyKind) -> None:
    with house() as place:
        begin(place, kind)
        next_of(place)
        old = waiting(place)
        (place.folder / "other.py").write_text(PROGRAM.replace("works", "works otherwise"))
        place.configure(FLEET.replace("KIND", kind).replace('"work.py"', '"other.py", "--more"'))
        answer = place.order("reload")
        assert (answer.status, answer.body.texts("restarted")) == (200, ["api"])
        log = place.state_dir / "logs" / "api.log"
        until(lambda: log.read_text() == "works\nworks otherwise\n", what=log.read_text)
        until(lambda: not set(old) & set(waiting(place)))
        coming = next_of(place)
        os.kill(place.pid("api"), signal.SIGKILL)
        until(lambda: place.pid("api") == coming)
        until(lambda: log.read_text() == "works\nworks otherwise\nworks otherwise\n", what=log.read_text)


def test_a_standby_comes_changes_and_goes_by_a_reload_while_its_agent_runs_on() -> None:
    plain = FLEET.replace('standby = "KIND"\n', "")
    with house() as place:
        begin(place, "spare")
        agent, spare = place.pid("api"), next_of(place)
        place.configure(FLEET.replace("KIND", "spare") + 'limits = { memory = "300MB" }\nstop = { timeout = 3 }\n')
        assert place.order("reload").body.texts("changed") == ["api"]
        assert (next_of(place), place.pid("api")) == (spare, agent)  # this is nothing to it
        for edited, waits in ((FLEET.replace("KIND", "zygote"), 2), (plain, 0), (FLEET.replace("KIND", "spare"), 1)):
            place.configure(edited)
            assert place.order("reload").body.texts("changed") == ["api"]
            if waits:
                assert next_of(place) != spare
            else:
                assert place.agent("api").raw["standby"] is None
            until(lambda waits=waits: len(waiting(place)) == waits)  # type: ignore[misc]
        assert place.pid("api") == agent
        assert starts(place) == [("first", "cold")]


@pytest.mark.parametrize("kind", KINDS)
def test_what_waits_for_an_agent_that_is_no_more_ends_with_it(kind: StandbyKind) -> None:
    with house() as place:
        begin(place, kind, "instances = 2\n")
        next_of(place, "api:0")
        next_of(place, "api:1")
        assert place.order("agents/api/scale", {"instances": 1}).status == 200
        until(lambda: {one.agent for one in place.marked()} == {"api:0"})
        next_of(place, "api:0")
        place.configure('[agents.else]\ncommand = "sleep 1000"\n')
        assert place.order("reload").status == 200
        until(lambda: {one.agent for one in place.marked()} == {"else"})


# --- a deployment ---


@pytest.mark.parametrize("kind", KINDS)
def test_a_deployment_over_the_files_is_no_failure_and_what_stands_by_after_it_is_of_the_new_version(
    kind: StandbyKind,
) -> None:
    with house() as place:
        (place.folder / "library.py").write_text("version = 1\n")
        program = PROGRAM.replace('"works"', "library.version").replace("import colorsys", "import library")
        begin(place, kind, 'standby_imports = ["library"]\n', program, FINDS_ITS_OWN)
        next_of(place)
        old = waiting(place)
        (place.folder / "library.py").write_text("version = 12\n")
        log = place.state_dir / "logs" / "api.log"
        for count in range(1, 3):
            before, coming = place.pid("api"), next_of(place)
            os.kill(before, signal.SIGKILL)
            until(lambda coming=coming: place.pid("api") == coming)  # type: ignore[misc]
            until(lambda count=count: log.read_text() == "1\n" + "12\n" * count, what=log.read_text)  # type: ignore[misc]
            place.until_state("healthy")
            until(lambda: not set(old) & set(waiting(place)))
        assert "standby_runner.py" in Path(f"/proc/{place.pid('api')}/cmdline").read_text()  # it had its imports done
        assert place.logged("standby.failed") == []


# --- what it says of itself ---


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_stood_by_is_ready_when_it_says_so_itself(kind: StandbyKind) -> None:
    program = """
import os, socket, time
while os.path.exists("wait"): time.sleep(0.01)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
    wire.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\\0", 1))
    wire.send(b"READY=1")
time.sleep(1000)
"""
    with house() as place:
        begin(place, kind, "ready = { notify = true }\n", program)
        coming = next_of(place)
        (place.folder / "wait").touch()
        os.kill(place.pid("api"), signal.SIGKILL)
        until(lambda: place.pid("api") == coming)
        assert not place.agent("api").part("standby").flag("ready")  # none before it is ready, and it has said nothing
        (place.folder / "wait").unlink()
        assert next_of(place) != coming
        assert [entry.text("how") for entry in place.logged("agent.started")] == ["cold", kind]
