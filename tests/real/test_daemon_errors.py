"""What becomes of a daemon that cannot start, or only in part?"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.daemon_process import ENVIRONMENT, LOOPBACK, House, house, until

SLEEPER = '[agents.sleeper]\ncommand = ["sleep", "1000"]\n'


def refused(place: House, code: int, *options: str) -> str:
    """Start a daemon that must end with this code and have started nothing; returns its words."""
    ended = place.begin("run", "--config", "selfheal.toml", *options).ended()
    assert (ended.code, ended.out) == (code, ""), ended
    assert "Traceback" not in ended.err
    assert place.marked() == []
    return ended.err


def test_every_mistake_of_a_configuration_is_said_at_once_and_nothing_is_begun() -> None:
    with house() as place:
        place.configure(
            '[daemon]\nlisten = "nowhere"\n'
            '[agents.a]\ncommand = "sleep 1000"\ndepends_on = ["b"]\nenviroment = { A = "1" }\n'
            '[agents.c]\ncommand = "sleep 1000"\nenvironment_file = "missing.env"\n'
            'checks = [{ http = "http://127.0.0.1:1/", expect = { body = "re:(" }, fall = 0 }]\n'
        )
        said = refused(place, 2).splitlines()
        for wrong in (
            "selfheal.toml:2: daemon.listen: ",
            "selfheal.toml:5: agents.a.depends_on[0]: ",
            "selfheal.toml:6: agents.a.enviroment: ",
            "selfheal.toml:9: agents.c.environment_file: ",
            "selfheal.toml:10: agents.c.checks[0].fall: ",
        ):
            assert [line for line in said if line.startswith(wrong) and "; " in line], (wrong, said)
        assert not place.state_dir.exists()


def test_a_public_address_without_a_token_is_refused() -> None:
    with house() as place:
        place.configure(SLEEPER)
        said = refused(place, 2, "--listen", "0.0.0.0:0")
        assert "SELFHEAL_TOKEN" in said
        assert len(said.splitlines()) == 1


def test_a_taken_port_is_said_before_anything_is_started() -> None:
    """As a person does it: all others in here are forked from a program that is loaded already."""
    with house() as place, socket.create_server((LOOPBACK, 0)) as server:
        place.configure(SLEEPER)
        taken = f"{LOOPBACK}:{server.getsockname()[1]}"
        command = [sys.executable, "-m", "selfheal", "run", "--listen", taken]
        ended = subprocess.run(
            command, cwd=place.folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=20, check=False
        )
        assert (ended.returncode, ended.stdout) == (1, "")
        assert taken in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
        assert place.marked() == []


def test_a_held_state_directory_names_who_holds_it() -> None:
    with house(SLEEPER) as place:
        place.until_state("healthy")
        second = place.begin("run", "--config", "selfheal.toml", "--listen", f"{LOOPBACK}:0").ended()
        assert (second.code, second.out) == (1, "")
        assert str(place.daemon.pid) in second.err
        assert len(second.err.splitlines()) == 1
        assert len(place.marked()) == 1
        assert place.ready


def test_a_state_directory_that_cannot_be_written_is_an_error() -> None:
    with house() as place:
        place.configure(SLEEPER)
        (place.folder / "file").touch()
        said = refused(place, 1, "--state-dir", "file/state")
        assert "file/state" in said
        assert "--state-dir" in said
        assert len(said.splitlines()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_state_directory_on_a_read_only_disk_is_an_error() -> None:
    with house() as place:
        place.configure(SLEEPER)
        place.state_dir.mkdir()
        if not mounted(place.state_dir):
            pytest.skip("this machine does not let root mount")
        try:
            said = refused(place, 1)
        finally:
            subprocess.run(["umount", str(place.state_dir)], check=True)
        assert "Read-only file system" in said
        assert len(said.splitlines()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_state_directory_on_a_full_disk_is_an_error() -> None:
    with house() as place:
        place.configure(SLEEPER)
        place.state_dir.mkdir()
        if not mounted(place.state_dir, "nr_inodes=2"):  # its root and the lock
            pytest.skip("this machine does not let root mount")
        try:
            said = refused(place, 1)
        finally:
            subprocess.run(["umount", str(place.state_dir)], check=True)
        assert "No space left on device: " in said
        assert said.endswith("; free space or choose another with --state-dir\n")
        assert len(said.splitlines()) == 1


@pytest.mark.parametrize("name", ["logs", "run", "journal", "selfheal.sock", "lock"])
def test_what_is_in_the_way_in_the_state_directory_is_named_with_a_cure_that_helps(name: str) -> None:
    with house() as place:
        place.configure(SLEEPER)
        place.state_dir.mkdir()
        if name in ("selfheal.sock", "lock"):
            (place.state_dir / name).mkdir()
        else:
            (place.state_dir / name).touch()
        ended = place.begin("run", "--config", "selfheal.toml", "--listen", f"{LOOPBACK}:0").ended()
        assert ended.code == 1
        (said,) = ended.err.splitlines()
        assert said.startswith(f"cannot use state directory {str(place.state_dir)!r}: ")
        assert f"{name}'; move away what has that name or choose another with --state-dir" in said


def mounted(path: Path, options: str = "size=64k,ro") -> bool:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_one_agent_that_cannot_run_keeps_none_of_the_others_from_it() -> None:
    fleet = """
        [agents.missing]
        command = ["no-such-program", "--ever"]
        [agents.blind]
        command = ["sleep", "1000"]
        checks = [{ command = ["no-such-check"], interval = 0.2 }, { process = true, interval = 0.2 }]
        ready = { command = ["true"] }
        [agents.well]
        command = ["sleep", "1000"]
    """
    with house(fleet) as place:
        place.until_state("quarantined", "missing")
        place.until_state("healthy", "well")
        place.until_state("degraded", "blind")
        why = place.say("why", "missing")
        assert why.code == 0
        assert "no-such-program" in why.out
        assert "missing_program" in why.out
        assert "quarantined" in why.out
        assert place.say("status").code == 3

        def broken() -> list[str]:
            checks = place.agent("blind").parts("checks")
            return [one.text("reason") for one in checks if one.text("result") == "error"]

        assert "no-such-check" in until(broken)[0]
        assert place.incidents("blind") == [], "nothing is done to an agent because a check of it is broken"
        assert place.ready
        assert place.stop() == 0
