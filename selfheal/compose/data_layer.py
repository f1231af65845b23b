"""What is done for the data of the fleet: who writes them, who works on them, and when are they backed up?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from selfheal.compose.backups import Backups
from selfheal.compose.custody import Custody
from selfheal.compose.fleet import Fleet
from selfheal.compose.sinks import sinks_of
from selfheal.compose.writers import Spawn, Writers
from selfheal.data.sinks import AnySink
from selfheal.ledger import Ledger
from selfheal.loops import Loop
from selfheal.ports import Ports
from selfheal.supervise.supervisor import Supervisor

# A backup is due once an hour or so: nobody needs it to the second.
LOOK_S = 5.0


class DataLayer:
    """The writers, the custody of the data, and the backups."""

    def __init__(
        self,
        ledger: Ledger,
        ports: Ports,
        supervisor: Supervisor,
        fleet: Fleet,
        state_dir: Path,
        spawn: Spawn,
        redact: Callable[[str], str],
    ) -> None:
        self._state_dir = state_dir
        self._fleet = fleet
        self.writers = Writers(ledger, ports.clock, supervisor, fleet.plans, spawn)
        self.custody = Custody(ledger, ports, fleet.plans, self.writers, state_dir, self._vault, self._sinks, redact)
        backups = Backups(ledger, ports.clock, fleet.plans, self.custody)
        self.loop = Loop("backups", backups.look, every_s=LOOK_S, idle=backups.has_none)

    def _sinks(self) -> tuple[AnySink, ...]:
        """Who gets each proved backup too."""
        return sinks_of(self._fleet.config.backup)

    def _vault(self) -> Path:
        """Where the backups are."""
        return self._fleet.config.backup.directory or self._state_dir / "backups"
