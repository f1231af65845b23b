"""pm2 in the foreground (pm2-runtime, which is its daemon without the client), without what it does beside."""

from __future__ import annotations

import json

from benchmarks.fleet import Fleet, Peer
from benchmarks.peers.places import program

_RUNTIME, _CLIENT = program("pm2-runtime"), program("pm2")


def configure(fleet: Fleet) -> list[str]:
    first, *arguments = fleet.tiny
    app = {
        "script": first,
        "args": arguments,
        "interpreter": "none",
        "exec_mode": "fork",
        "autorestart": True,
        "vizion": False,  # no look at version control at each start
        "pmx": False,  # no instrumentation of a program that is no JavaScript
        "out_file": "/dev/null",
        "error_file": "/dev/null",
    }
    apps = [{"name": f"tiny{number}"} | app for number in range(fleet.size)]
    (fleet.directory / "tiny.config.json").write_text(json.dumps({"apps": apps}), encoding="utf-8")
    # It would end as soon as none of them runs, which happens when all are killed at once.
    return [str(_RUNTIME), "start", "--no-auto-exit", str(fleet.directory / "tiny.config.json")]


def stop(_fleet: Fleet) -> list[str]:
    return [str(_CLIENT), "stop", "all"]


PM2 = Peer("pm2", configure, _RUNTIME is not None, "'npm install --prefix build/pm2 pm2', with node,", stop)
