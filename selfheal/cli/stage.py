"""How is the demo put on: where, at which address, and how is its story told on the terminal?"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TextIO

from selfheal import machine
from selfheal.cli.config import load_config
from selfheal.cli.output import Cell, at, coloured, paint, say
from selfheal.config.load import Overrides
from selfheal.demo import fleet
from selfheal.demo.narrator import Line, Narrator, report
from selfheal.events import Event
from selfheal.store.lock import StateLock, usable
from selfheal.telemetry.logs import RollingFile
from selfheal.world import EMPTY, World

# As the documentation and every other verb say it.
USUAL_PORT = 8787
LOG_NAME = "demo.log"
LOG_SIZE = 2_000_000  # an hour's worth; the hour before is kept as well
_NAME_WIDTH = 9


class Teller:
    """Prints each event that is worth it as one line, and keeps the world for the report."""

    def __init__(self, stream: TextIO) -> None:
        self.world: World = EMPTY
        self._stream: TextIO | None = stream
        self._colour = coloured(stream)
        self._narrator = Narrator()

    def __call__(self, world: World, event: Event) -> None:
        self.world = world
        line = self._narrator.tell(world, event)
        if line is not None:
            self.print(Cell(at(line.at).astimezone().strftime("%H:%M:%S  "), "quiet"), *_cells(line))

    def print(self, *cells: Cell) -> None:
        """Print one line. Where nobody can read it any more the demo still goes on to its end."""
        if self._stream is None:
            return
        try:
            print("".join(paint(cell, self._colour) for cell in cells), file=self._stream, flush=True)
        except OSError:
            self._stream = None


def perform(
    state_dir: Path | None,
    listen: str | None,
    seconds: float | None,
    environment: Mapping[str, str],
    stream: TextIO,
) -> int:
    """Run the demo until its time is over or a person ends it; returns the exit code."""
    directory = _directory(state_dir, environment)
    config = _set_up(directory)
    address = listen or environment.get("SELFHEAL_LISTEN") or usual_address()
    loaded = load_config(config, environment, Overrides(state_dir=directory, listen=address))
    teller = Teller(stream)
    program = program_of(sys.argv[0], environment)
    introduce = partial(_introduce, teller, directory, address, len(loaded.config.agents), seconds, program)
    with usable(directory):
        rolling = RollingFile(directory / LOG_NAME, LOG_SIZE)
    with closing(rolling) as log:
        code = machine.run(
            loaded,
            narrator=teller,
            seconds=seconds,
            clear_leftovers=True,
            ends_with_terminal=True,
            log_stream=log,
            opened=introduce,
        )
    teller.print()
    for line in report(teller.world):
        teller.print(Cell(line.text, line.tone))
    return code


def program_of(started_as: str, environment: Mapping[str, str]) -> str:
    """What a person types in another terminal to run this very program."""
    script = Path(started_as).absolute()
    if script.name != "selfheal":
        return f"{shlex.quote(sys.executable)} -m selfheal"
    found = shutil.which("selfheal", path=environment.get("PATH", ""))
    return "selfheal" if found is not None and script.samefile(found) else shlex.quote(str(script))


def _directory(given: Path | None, environment: Mapping[str, str]) -> Path:
    if given is not None:
        return given.absolute()
    if environment.get("SELFHEAL_STATE_DIR"):
        return Path(environment["SELFHEAL_STATE_DIR"]).absolute()
    return fleet.usable_directory(environment)


def _set_up(directory: Path) -> Path:
    """Empty the directory of an earlier demo, and write the configuration of this one."""
    with usable(directory):
        fleet.refuse_strangers(directory)
    with StateLock.acquire(directory), usable(directory):
        fleet.empty(directory)
        return fleet.write_config(directory, fleet.free_ports())


def usual_address() -> str:
    """Where the demo listens when nobody says where."""
    if fleet.is_free(fleet.LOOPBACK, USUAL_PORT):
        return f"{fleet.LOOPBACK}:{USUAL_PORT}"
    port = fleet.free_ports(("page",))["page"]
    say(f"Port {USUAL_PORT} is taken, so this demo listens on port {port}.")
    return f"{fleet.LOOPBACK}:{port}"


def _introduce(teller: Teller, directory: Path, address: str, agents: int, seconds: float | None, program: str) -> None:
    end = f"after {seconds:g} s" if seconds is not None else "at Ctrl-C"
    teller.print(Cell(f"{agents} small programs, most of which will fail. It ends {end}, with a report.", "strong"))
    teller.print(Cell("the page    "), Cell(f"http://{address}/", "busy"))
    teller.print(Cell("the log     "), Cell(str(directory / LOG_NAME), "quiet"))
    teller.print(Cell("ask it      "), Cell(f"{program} status --state-dir {shlex.quote(str(directory))}", "quiet"))
    teller.print()


def _cells(line: Line) -> tuple[Cell, Cell]:
    return Cell(f"{line.agent or 'selfheal':<{_NAME_WIDTH}} ", "strong"), Cell(line.text, line.tone)
