"""runit and s6, which keep a small process for each program, and a folder for each to say what it is.

The file `run` of a folder is the program itself where it is compiled, which spares them the start of a shell.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from benchmarks.fleet import Fleet, Peer
from benchmarks.peers.places import program

_RUNSVDIR, _SV = program("runsvdir"), program("sv")
_S6_SVSCAN, _S6_SVC = program("s6-svscan"), program("s6-svc")


def runit(fleet: Fleet) -> list[str]:
    return [str(_RUNSVDIR), "-P", str(_folders(fleet))]


def stop_runit(fleet: Fleet) -> list[str]:
    return [str(_SV), "down", *map(str, _services(fleet))]


def s6(fleet: Fleet) -> list[str]:
    return [str(_S6_SVSCAN), "-c", "1200", str(_folders(fleet))]  # 500 programs are its default


def stop_s6(fleet: Fleet) -> list[str]:
    return [str(_S6_SVC), "-d", *map(str, _services(fleet))]


def _folders(fleet: Fleet) -> Path:
    for service in _services(fleet):
        service.mkdir(parents=True)
        run = service / "run"
        if fleet.programs.compiled and not fleet.run.helpers:
            os.link(fleet.programs.tiny[0], run)  # it finds its pipe in BENCH_PIPE
        else:
            run.write_text(f"#!/bin/sh\nexec {shlex.join(fleet.tiny)}\n", encoding="utf-8")
            run.chmod(0o755)
    return fleet.directory / "services"


def _services(fleet: Fleet) -> list[Path]:
    return [fleet.directory / "services" / f"tiny{number}" for number in range(fleet.size)]


RUNIT = Peer("runit", runit, _RUNSVDIR is not None, "'apt-get install runit'", stop_runit, one_for_each=True)
S6 = Peer("s6", s6, _S6_SVSCAN is not None, "'apt-get install s6'", stop_s6, looks_only=True, one_for_each=True)
