"""When is a backup due, and when is an old one proved once more?"""

from __future__ import annotations

from collections.abc import Iterator

from selfheal.clock import Clock
from selfheal.compose.custody import Custody
from selfheal.compose.fleet import Fleet
from selfheal.config.data import BackupConfig, data_of
from selfheal.data.own import OWN
from selfheal.errors import SelfhealError
from selfheal.ledger import Ledger
from selfheal.world import Agent, Holdings

# A backup that failed is tried again after this, or after its interval where that is shorter.
AGAIN_S = 300.0
# One old backup of each agent, by chance, is proved once more this often.
PROVED_EVERY_S = 86_400.0
# Of our own state there is little to back up before that, and a start has other work.
OWN_FIRST_S = 600.0


class Backups:
    """Makes the backups that are due, one after the other."""

    def __init__(self, ledger: Ledger, clock: Clock, fleet: Fleet, custody: Custody) -> None:
        self._ledger = ledger
        self._clock = clock
        self._fleet = fleet
        self._custody = custody

    async def look(self) -> None:
        """Do what is due now. What fails is recorded, told, and tried again later."""
        for name, config in self._configured():
            world, now = self._ledger.world, self._clock.now()
            agent, holdings = world.agents.get(name), world.holdings.get(name, Holdings())
            if not (is_quiet(agent) if agent is not None else now - world.started_at >= OWN_FIRST_S):
                continue
            try:
                if is_due(holdings, config, now):
                    await self._custody.back_up(name)
                elif is_doubtful(holdings, now):
                    await self._custody.verify(name, "any")
            except SelfhealError:
                continue  # recorded by the custody

    def are_rare(self) -> bool:
        """Whether no agent has backups: then there is at most our own state, once a day or so."""
        return not any(self._of_agents())

    def _configured(self) -> list[tuple[str, BackupConfig]]:
        own = self._fleet.config.backup.own_state
        return [*self._of_agents(), *([(OWN, own)] if own else [])]

    def _of_agents(self) -> Iterator[tuple[str, BackupConfig]]:
        for name, plan in self._fleet.plans.items():
            data = data_of(plan.config)
            if data is not None and data.backup is not None:
                yield name, data.backup


def is_quiet(agent: Agent) -> bool:
    """Whether its data are sound as far as is known, and nothing is done to them."""
    return agent.wanted and not agent.failing and not agent.fixing


def is_due(holdings: Holdings, config: BackupConfig, now: float) -> bool:
    """Whether a backup should be made by now."""
    if holdings.failed_at is not None and now - holdings.failed_at < min(AGAIN_S, config.every):
        return False
    return holdings.backup is None or now - holdings.backup.at >= config.every


def is_doubtful(holdings: Holdings, now: float) -> bool:
    """Whether no backup was proved for long."""
    return holdings.verified_at is not None and now - holdings.verified_at >= PROVED_EVERY_S
