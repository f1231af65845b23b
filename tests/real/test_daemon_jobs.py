"""Do limits hold, jobs run to their end, and lines of a log mean ready, with a daemon and processes that are real?"""

from __future__ import annotations

from selfheal.events import RunScheduled, encode
from tests.real.daemon_process import CLOCK, house, until
from tests.real.journal_files import opened

# Its helper holds 60 MB, itself next to nothing.
HEAVY = """
[guard]
verify = 0
[agents.heavy]
command = [{python}, "-c", '''
import subprocess, sys
subprocess.Popen([sys.executable, "-ISc", "import time; held = b'x' * 60_000_000; time.sleep(600)"])
import time
time.sleep(600)
''']
limits = { memory = "50MB" }
checks = [{ process = true, interval = "200ms" }]
"""


def test_memory_is_that_of_the_whole_tree_and_at_the_limit_the_agent_is_restarted() -> None:
    with house(HEAVY) as place:
        first = place.pid("heavy")
        until(lambda: place.pid("heavy") not in (0, first), 40.0, lambda: place.log[-2000:])
        (incident, *_) = place.incidents("heavy")
        assert incident.text("cause") == "out_of_memory"
        assert "is over 50 MB" in str(incident.raw)


JOBS = """
[agents.migrate]
command = ["sh", "-c", "echo $$ >> ran; umask >> ran; cut -d' ' -f19 /proc/self/stat >> ran; sleep 0.3"]
oneshot = true
umask = "027"
nice = 5
[agents.web]
command = ["sh", "-c", "ls ran && exec sleep 80"]
depends_on = ["migrate"]
[agents.slow]
command = ["sleep", "81"]
oneshot = true
restart = "never"
timeout = "300ms"
[agents.yearly]
command = ["sh", "-c", "echo ran >> years"]
schedule = "30 3 1 7 *"
"""


def test_a_oneshot_runs_once_with_its_umask_and_priority_and_others_start_after_it() -> None:
    with house(JOBS) as place:
        place.until_state("healthy", "web")
        agents = place.agents()
        assert agents["migrate"].text("state") == "stopped"
        ran = (place.folder / "ran").read_text().split()
        assert ran[1:] == ["0027", "5"]
        assert (place.folder / "ran").stat().st_mode & 0o777 == 0o640
        assert agents["yearly"].text("state") == "stopped"
        due = agents["yearly"].moment("next_run")
        assert due is not None
        assert due.timestamp() > CLOCK.now()
        assert (due.month, due.day, due.hour, due.minute) == (7, 1, 3, 30)
        assert "runs next in" in place.say("agents").out
        until(lambda: place.agent("slow").count("pid") == 0, what=lambda: place.agent("slow").raw)
        (incident,) = place.incidents("slow")
        assert "did not come to its end within 0.3 s" in str(incident.raw)
        assert place.incidents("migrate") == []
        assert place.incidents("yearly") == []


POLITE = """
[agents.migrate]
command = ["sh", "-c", "trap 'echo asked >> ran; exit 0' TERM; while :; do sleep 0.02; done"]
oneshot = true
restart = "never"
timeout = "500ms"
[agents.web]
command = ["sleep", "84"]
depends_on = ["migrate"]
"""


def test_a_oneshot_that_took_too_long_has_failed_also_where_it_ends_with_0_when_it_is_asked_to() -> None:
    with house(POLITE) as place:
        until((place.folder / "ran").exists, what=lambda: place.log)
        until(lambda: place.agent("migrate").count("pid") == 0, what=lambda: place.agent("migrate").raw)
        (ended,) = place.logged("agent.exited")
        assert (ended.count("code"), ended.flag("expected")) == (0, False)
        assert place.agent("migrate").text("state") == "unhealthy"
        assert place.logged("agent.finished") == []
        assert place.agent("web").count("pid") == 0, "what it depends on was not done"


STUBBORN = """
[agents.export]
command = ["sh", "-c", "trap '' TERM; trap 'echo closed >> ran; exit 1' USR1; echo >> up; while :; do sleep 0.02; done"]
oneshot = true
restart = "never"
timeout = "500ms"
stop = { signal = "USR1", timeout = "20s" }
"""


def test_a_oneshot_that_took_too_long_is_asked_to_end_as_its_configuration_says() -> None:
    with house(STUBBORN) as place:
        until((place.folder / "up").exists, what=lambda: place.log)
        until(lambda: place.agent("export").count("pid") == 0, what=lambda: place.agent("export").raw)
        assert (place.folder / "ran").read_text() == "closed\n"
        (ended,) = place.logged("agent.exited")
        assert (ended.number("ran_s") or 99.0) < 10.0, "it would have been killed after 20 s"


WHOSE = """
[agents.{name}]
command = ["sh", "-c", "umask > told; cut -d' ' -f19 /proc/self/stat >> told; pwd >> told; echo $FLAVOUR >> told"]
oneshot = true
directory = "{name}"
environment_file = "{name}.env"
umask = "{umask}"
nice = {nice}
"""


def test_each_agent_has_its_own_umask_priority_directory_and_environment_file() -> None:
    with house() as place:
        wanted = {"sour": ("0077", "7"), "sweet": ("0002", "3")}
        for name in wanted:
            (place.folder / name).mkdir()
            (place.folder / f"{name}.env").write_text(f"FLAVOUR={name}\n")
        toml = "".join(WHOSE.format(name=name, umask=mask[1:], nice=nice) for name, (mask, nice) in wanted.items())
        place.boot(toml)
        for name, (mask, nice) in wanted.items():
            until(lambda name=name: place.agent(name).text("state") == "stopped", what=lambda: place.log)  # type: ignore[misc]
            told = place.folder / name / "told"
            assert told.read_text().split() == [mask, nice, str(place.folder / name), name]
            assert told.stat().st_mode & 0o777 == 0o666 & ~int(mask, 8)


def test_a_scheduled_run_that_was_missed_while_no_daemon_ran_is_made_up_for() -> None:
    """Its time is written into the journal: to wait for it would take a minute."""
    nightly = '[agents.nightly]\ncommand = ["sh", "-c", "echo ran >> nights"]\nschedule = "0 3 * * *"\n'
    with house(nightly + "catch_up = true") as place:
        assert place.stop() == 0
        assert not (place.folder / "nights").exists()
        journal, _, _ = opened(place.state_dir / "journal")
        journal.append(encode(RunScheduled(CLOCK.now() - 7200.0, "nightly", CLOCK.now() - 3600.0)))
        journal.close()
        place.boot()
        until((place.folder / "nights").exists, what=lambda: place.log)
        until(lambda: place.agent("nightly").text("state") == "stopped")
        assert place.incidents("nightly") == []
        assert (place.folder / "nights").read_text() == "ran\n"


TALKS = """
[agents.db]
command = ["sh", "-c", "echo starting; sleep 0.4; echo 'db: listening on port 5'; exec sleep 82"]
ready = { log = "/listening on port [0-9]+/", timeout = "10s" }
[agents.web]
command = ["sh", "-c", "exec sleep 83"]
depends_on = ["db"]
"""


def test_a_line_of_its_own_log_makes_an_agent_ready_and_none_of_an_earlier_run() -> None:
    with house(TALKS) as place:
        place.until_state("healthy")
        (ready,) = [one for one in place.logged("agent.ready") if one.text("agent") == "db"]
        assert 0.35 < (ready.number("took_s") or 0.0) < 3.0
        assert place.order("agents/db/restart").status == 200
        first, second = (one for one in place.logged("agent.ready") if one.text("agent") == "db")
        assert 0.35 < (second.number("took_s") or 0.0) < 3.0, "the line of the first run is in the same file"
        assert (place.state_dir / "logs" / "db.log").read_text().count("listening") == 2
        assert first.raw != second.raw
        place.stop()
        place.boot()
        place.until_state("healthy")
        (again,) = [one for one in place.logged("agent.ready") if one.text("agent") == "db"]
        assert (again.number("took_s") or 0.0) > 0.35


def test_a_log_that_was_there_before_is_no_part_of_the_first_run() -> None:
    with house() as place:
        log = place.state_dir / "logs" / "db.log"
        log.parent.mkdir(parents=True, mode=0o700)
        log.write_text("db: listening on port 4\n")
        place.boot(TALKS)
        place.until_state("healthy")
        (ready,) = [one for one in place.logged("agent.ready") if one.text("agent") == "db"]
        assert (ready.number("took_s") or 0.0) > 0.35
