"""supervice with its defaults, but for `autorestart`."""

from __future__ import annotations

from benchmarks.fleet import Fleet, Peer
from benchmarks.peers.places import FROM_LOCK, has_script, script


def configure(fleet: Fleet) -> list[str]:
    configuration = f"""\
[supervice]
logfile = {fleet.directory}/log
pidfile = {fleet.directory}/pid
socket = {fleet.directory}/socket

[program:tiny]
command = {" ".join(fleet.tiny)}
numprocs = {fleet.size}
autostart = true
autorestart = true
"""
    (fleet.directory / "supervice.conf").write_text(configuration, encoding="utf-8")
    return [script("supervice"), "-c", str(fleet.directory / "supervice.conf"), "-n"]


def stop(fleet: Fleet) -> list[str]:
    return [script("supervicectl"), "-s", f"{fleet.directory}/socket", "stop", "tiny"]


SUPERVICE = Peer("supervice", configure, has_script("supervice"), FROM_LOCK, stop, looks_only=True)
