"""What is done for the data of the fleet: who writes them, who works on them, and when are they backed up?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from selfheal.compose.backups import Backups
from selfheal.compose.custody import Custody
from selfheal.compose.fleet import Fleet
from selfheal.compose.writers import Spawn, Writers
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
        self.writers = Writers(ledger, ports.clock, supervisor, fleet.plans, spawn)
        self.custody = Custody(ledger, ports, fleet, self.writers, state_dir, spawn, redact)
        backups = Backups(ledger, ports.clock, fleet, self.custody)
        self.loop = Loop("backups", backups.look, every_s=LOOK_S, idle=backups.are_rare)
