"""How does a test let a program stand by, and see what became of it?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from selfheal.supervise.launcher import Exit, Launch, Process, Standby
from selfheal.vitals import Standing
from selfheal.vocabulary import StandbyKind, StartWay
from tests.real.processes import Yard, in_a_yard, until

KINDS: tuple[StandbyKind, ...] = ("spare", "zygote")


@dataclass
class Seen:
    """What a launcher told of a standby."""

    told: list[Standing] = field(default_factory=list)

    @property
    def last(self) -> Standing | None:
        return self.told[-1] if self.told else None

    @property
    def ready(self) -> bool:
        return self.last is not None and self.last.ready


def python(place: Yard, *words: str, standby: Standby | None = None, directory: Path | None = None) -> Launch:
    words = words if words[0].startswith("python") else ("python3", *words)
    launch = place.launch(str(Path(sys.executable).with_name(words[0])), *words[1:])  # none of a version manager's
    return replace(launch, standby=standby, directory=directory or launch.directory)


async def standing(place: Yard, launch: Launch) -> Seen:
    """Let a standby become ready, or fail."""
    seen = Seen()
    place.launcher.stand_by(launch, seen.told.append)
    await until(lambda: seen.last is not None and (seen.last.ready or bool(seen.last.why)))
    return seen


async def begun(place: Yard, way: StartWay, *words: str, imports: Sequence[str] = (), generation: int = 7) -> Process:
    """A run that began in this way."""
    launch = python(place, *words, standby=None if way == "cold" else Standby(way, tuple(imports)))
    if way != "cold":
        seen = await standing(place, launch)
        assert seen.ready, seen.last
    process = place.spawn(launch, generation)
    assert process.how == way
    return process


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def told_by(folder: Path, way: StartWay, *words: str, imports: Sequence[str] = ()) -> tuple[str, Exit]:
    """All that a program wrote, and how it ended."""
    (folder / "logs" / "api.log").unlink(missing_ok=True)
    ended: list[Exit] = []

    async def story(place: Yard) -> None:
        ended.append(await place.exit_of(await begun(place, way, *words, imports=imports)))

    in_a_yard(folder, story)
    return (folder / "logs" / "api.log").read_text(), ended[0]


def zygote_of(place: Yard, seen: Seen) -> int:
    """The process that forks those who wait: all others that are there are `seen`."""
    assert seen.last is not None
    (zygote,) = [one.run.pid for one in place.marked() if one.run.pid != seen.last.pid]
    return zygote
