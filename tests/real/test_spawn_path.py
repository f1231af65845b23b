"""Does the daemon never fork, whatever it starts? A fork copies the page tables: 20 ms at 400 MB, each time.

The kernel is asked, by strace: each process that it begins must share its memory until it executes (CLONE_VFORK).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.daemon_process import ENVIRONMENT, House, free_port, until

STRACE = shutil.which("strace")
# As root it also becomes another user, which must not fork either.
USER = '\nuser = "nobody"' if os.geteuid() == 0 else ""
FLEET = f"""
[guard]
attempts_per_hour = 0

[agents.crash]
command = ["sleep", "0.2"]
limits = {{ fds = 100, memory = "100MB" }}
[agents.other]
command = ["sleep", "0.2"]{USER}
[agents.asked]
command = ["sleep", "1000"]
checks = [{{ command = ["true"], interval = 0.2 }}, {{ process = true, interval = 0.2 }}]
"""
ENOUGH = 4
BEGINS = re.compile(r"(?:fork|vfork|clone3?)\(.*\) += (\d+)$")


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
def test_every_process_that_the_daemon_begins_shares_its_memory_until_it_executes(tmp_path: Path) -> None:
    place, trace = House(tmp_path, port=free_port()), tmp_path / "trace"
    place.configure(FLEET)
    (tmp_path / "state").mkdir(mode=0o700)
    daemon = _traced(place, trace)
    try:
        until(lambda: place.ready or daemon.poll() is not None, limit_s=45.0)
        if daemon.poll() is not None and "ptrace" in (tmp_path / "said").read_text():
            pytest.skip("strace may not trace here")
        until(lambda: all(place.agent(name).count("restarts") >= ENOUGH for name in ("crash", "other")), limit_s=45.0)
        _tracee(trace, signal.SIGTERM)
        daemon.wait(15.0)
    finally:
        daemon.kill()
        place.clean()
    ours, begun = _begun(trace)
    assert len(begun) > 2 * ENOUGH
    assert [call for call in begun if "CLONE_VFORK" not in call and not call.startswith("vfork")] == []
    assert len(ours) > 1  # threads were seen as such


def _traced(place: House, trace: Path) -> subprocess.Popen[bytes]:
    assert STRACE is not None
    words = [STRACE, "-f", "--seccomp-bpf", "-qq", "-e", "trace=fork,vfork,clone,clone3", "-o", str(trace)]
    where = ["--config", str(place.folder / "selfheal.toml"), "--state-dir", str(place.state_dir)]
    environment = {**ENVIRONMENT, **place.environment, "SELFHEAL_LISTEN": f"127.0.0.1:{place.port}"}
    with (place.folder / "said").open("wb") as said:
        return subprocess.Popen(
            [*words, sys.executable, "-m", "selfheal", "run", *where],
            cwd=place.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )


def _tracee(trace: Path, number: int) -> None:
    """Send a signal to the daemon: strace itself would only stop tracing."""
    os.kill(int(trace.read_text().split(maxsplit=1)[0]), number)


def _begun(trace: Path) -> tuple[set[int], list[str]]:
    """The threads of the daemon, and the calls by which it began processes."""
    lines = trace.read_text().splitlines()
    ours = {int(lines[0].split(maxsplit=1)[0])}
    begun: list[str] = []
    unfinished: dict[int, str] = {}
    for line in lines:
        who = int(line.split(maxsplit=1)[0])
        if line.endswith("<unfinished ...>"):
            unfinished[who] = line.removesuffix("<unfinished ...>")
            continue
        whole = unfinished.pop(who, "") + line
        found = BEGINS.search(whole)
        if found is None or who not in ours:
            continue
        if "CLONE_THREAD" in whole:
            ours.add(int(found[1]))
        else:
            begun.append(whole.split(maxsplit=1)[1])
    return ours, begun
