"""What has to be done now and then, whatever happens? Logs are rotated, disks looked at, windows opened and closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from selfheal.compose.fleet import AgentPlan
from selfheal.compose.senses import Senses
from selfheal.compose.windows import window_changes
from selfheal.config.models import WindowConfig
from selfheal.ledger import Ledger
from selfheal.ports import Ports
from selfheal.supervise.rotation import rotate
from selfheal.supervise.supervisor import Supervisor


class Upkeep:
    """The bodies of the quiet loops."""

    def __init__(
        self,
        ledger: Ledger,
        ports: Ports,
        supervisor: Supervisor,
        senses: Senses,
        plans: Mapping[str, AgentPlan],
        windows: Sequence[WindowConfig],
    ) -> None:
        self._ledger = ledger
        self._ports = ports
        self._supervisor = supervisor
        self._senses = senses
        self._plans = plans
        self._windows = windows

    async def windows(self) -> None:
        """Begin and end maintenance."""
        now = self._ports.clock.now()
        self._ledger.record(*window_changes(self._ledger.world, self._windows, now))

    async def rotate_logs(self) -> None:
        """Rotate the logs that have grown too large."""
        for child in tuple(self._supervisor.children()):
            keep = child.config.log
            await self._ports.run_in_thread(partial(_rotate, child.launch.log, keep.max_size, keep.keep))

    async def look_at_disks(self) -> None:
        """How full the disk of each agent is: a signal like any other, and one that can be foreseen."""
        for plan in self._plans.values():
            if plan.launch is not None:
                with suppress(FileNotFoundError):
                    used = await self._ports.run_in_thread(partial(self._ports.disk_used, plan.directory))
                    self._senses.signals(plan.name, self._ports.clock.now(), {"disk": used})


def _rotate(log: Path, max_size: int, keep: int) -> None:
    with suppress(FileNotFoundError):
        rotate(log, max_size, keep)
