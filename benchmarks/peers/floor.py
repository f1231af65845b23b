"""The least that anybody can do: posix_spawn and waitpid, and nothing else."""

from __future__ import annotations

from benchmarks.fleet import Fleet, Peer


def configure(fleet: Fleet) -> list[str]:
    return [*fleet.programs.floor, str(fleet.size), *fleet.tiny]


FLOOR = Peer("C floor", configure, there=True, comes_by="the project")
