"""What has to be done now and then, whatever happens? Logs are rotated, disks looked at, windows opened and closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from selfheal.compose.fleet import AgentPlan
from selfheal.compose.senses import Senses
from selfheal.compose.windows import window_changes
from selfheal.config.models import LogConfig, WindowConfig
from selfheal.events import LoopFailed
from selfheal.ledger import Ledger
from selfheal.ports import Ports
from selfheal.supervise.rotation import rotate
from selfheal.supervise.supervisor import Supervisor

# A log may outgrow its size by what its agent writes in this time; one that had to be cut is looked at more often.
LOGS_EVERY_S, BUSY_S = 10.0, 1.0


class Upkeep:
    """The bodies of the quiet loops."""

    def __init__(
        self,
        ledger: Ledger,
        ports: Ports,
        supervisor: Supervisor,
        senses: Senses,
        plans: Mapping[str, AgentPlan],
        windows: Callable[[], Sequence[WindowConfig]],
    ) -> None:
        self._ledger = ledger
        self._ports = ports
        self._supervisor = supervisor
        self._senses = senses
        self._plans = plans
        self._windows = windows
        self._log_trouble = ""

    async def windows(self) -> None:
        """Begin and end maintenance."""
        now = self._ports.clock.now()
        self._ledger.record(*window_changes(self._ledger.world, self._windows(), now))

    def has_no_windows(self) -> bool:
        """Whether no maintenance can begin or end."""
        agents = self._ledger.world.agents.values()
        return not self._windows() and all(agent.maintenance_until is None for agent in agents)

    async def rotate_logs(self) -> None:
        """Rotate the logs that have grown too large, each second for as long as there are any.

        One that cannot be rotated is told once, and disturbs no other.
        """
        logs = [(child.launch.log, child.config.log) for child in self._supervisor.children()]
        while await self._rotate(logs):
            await self._ports.clock.sleep(BUSY_S)

    async def _rotate(self, logs: Sequence[tuple[Path, LogConfig]]) -> bool:
        looks = await self._ports.run_in_thread(lambda: [_rotated(path, log) for path, log in logs])
        trouble = next((look for look in looks if isinstance(look, str)), "")
        if trouble and trouble != self._log_trouble:
            self._ledger.record(LoopFailed(self._ports.clock.now(), "logs", trouble, LOGS_EVERY_S))
        self._log_trouble = trouble
        return any(look is True for look in looks)

    async def look_at_disks(self) -> None:
        """How full the disk of each agent is, in bytes and in inodes: signals like others, which can be foreseen."""
        plans = [plan for plan in self._plans.values() if plan.launch is not None]
        used = await self._ports.run_in_thread(lambda: self._used(plan.directory for plan in plans))
        now = self._ports.clock.now()
        for plan in plans:
            if plan.directory in used:
                self._senses.signals(plan.name, now, used[plan.directory])

    async def bury_orphans(self) -> None:
        """Wait for what has ended and lost its parent: we took its place."""
        self._ports.launcher.reap()

    def _used(self, directories: Iterable[Path]) -> dict[Path, dict[str, float]]:
        """The shares of its disk that are used, by directory; those that are gone are left out."""
        found: dict[Path, dict[str, float]] = {}
        for directory in set(directories):
            with suppress(FileNotFoundError):
                inodes = self._ports.inodes_used(directory)
                shares = {"disk": self._ports.disk_used(directory)}
                found[directory] = shares if inodes is None else {**shares, "disk_inodes": inodes}
        return found


def _rotated(path: Path, log: LogConfig) -> bool | str:
    """Whether the log was cut, or why it cannot be."""
    try:
        return rotate(path, log.max_size, log.keep)
    except OSError as why:
        return f"cannot rotate the log {str(path)!r}: {why.strerror}; free space on its disk or make it writable"
