"""selfheal as the whole daemon: API, journal, views, log, a look at each process; no limit of attempts, as others."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

from benchmarks.fleet import START_LIMIT_S, Fleet, Peer
from benchmarks.peers.places import script

_BALLAST = Path(__file__).parents[1] / "programs" / "ballast.py"
_LOOK_S = 0.005
_AGENT = "tiny"


def configure(fleet: Fleet) -> list[str]:
    configuration = f"""\
[daemon]
listen = "{address(fleet)}"
log_format = "json"

[guard]
attempts_per_hour = 0

[agents.{_AGENT}]
command = {json.dumps(fleet.tiny)}
instances = {fleet.size}
checks = [{{ process = true, interval = "{fleet.run.check_every}" }}]
"""
    (fleet.directory / "selfheal.toml").write_text(configuration, encoding="utf-8")
    if fleet.run.ballast_mb:
        return [sys.executable, str(_BALLAST), str(fleet.run.ballast_mb), "run"]
    return [script("selfheal"), "run"]


def stop(_fleet: Fleet) -> list[str]:
    return [script("selfheal"), "stop", _AGENT]  # only where it runs one


def address(fleet: Fleet) -> str:
    """A free address of this machine for the API of this fleet's daemon; the same when asked again."""
    kept = fleet.directory / "address"
    if not kept.exists():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            kept.write_text(f"127.0.0.1:{probe.getsockname()[1]}", encoding="ascii")
    return kept.read_text(encoding="ascii")


def ready_s(fleet: Fleet) -> float:
    """Ask until it is ready; returns the seconds from its exec."""
    host, port = address(fleet).split(":")
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(host, int(port), timeout=1.0)
        with suppress(OSError, http.client.HTTPException), closing(connection):
            connection.request("GET", "/readyz")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return (time.monotonic_ns() - fleet.began_ns) / 1e9
        time.sleep(_LOOK_S)
    raise RuntimeError(f"cannot measure: it was not ready within {START_LIMIT_S:.0f} s")


SELFHEAL = Peer("selfheal", configure, there=True, comes_by="'make'", stop=stop)
