"""circus with its defaults. It looks for deaths every five seconds, so that is what its figures show."""

from __future__ import annotations

from benchmarks.fleet import Fleet, Peer
from benchmarks.peers.places import FROM_LOCK, has_script, script


def configure(fleet: Fleet) -> list[str]:
    configuration = f"""\
[circus]
endpoint = ipc://{fleet.directory}/endpoint
pubsub_endpoint = ipc://{fleet.directory}/pubsub

[watcher:tiny]
cmd = {" ".join(fleet.tiny)}
numprocesses = {fleet.size}
copy_env = True
"""
    (fleet.directory / "circus.ini").write_text(configuration, encoding="utf-8")
    return [script("circusd"), str(fleet.directory / "circus.ini")]


def stop(fleet: Fleet) -> list[str]:
    return [script("circusctl"), "--endpoint", f"ipc://{fleet.directory}/endpoint", "stop", "tiny"]


CIRCUS = Peer("circus", configure, has_script("circusd"), FROM_LOCK, stop, looks_only=True)
