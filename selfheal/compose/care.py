"""What is done for an agent besides its process? It is watched, and what is kept of it is dropped when it is gone."""

from __future__ import annotations

from functools import partial

from selfheal.compose.alarms import Alarms
from selfheal.compose.changes import asks_anew
from selfheal.compose.custody import Custody
from selfheal.compose.estate import Estate
from selfheal.compose.fleet import AgentPlan
from selfheal.compose.heartbeats import Heartbeats
from selfheal.compose.notices import Notices
from selfheal.compose.standbys import Standbys
from selfheal.config.render import render_of
from selfheal.history.rings import History
from selfheal.kinds import CheckContext
from selfheal.ledger import Ledger
from selfheal.observe.exporter import scrapes
from selfheal.observe.scheduled import scheduled
from selfheal.observe.scheduler import Scheduler
from selfheal.ports import Ports
from selfheal.supervise.supervisor import Supervisor
from selfheal.vitals import Vitals


class Care:
    """Watches agents, and forgets them."""

    def __init__(
        self,
        ledger: Ledger,
        ports: Ports,
        scheduler: Scheduler,
        supervisor: Supervisor,
        heartbeats: Heartbeats,
        notices: Notices,
        standbys: Standbys,
        vitals: Vitals,
        alarms: Alarms,
        history: History,
        custody: Custody,
        estate: Estate,
    ) -> None:
        self._ledger = ledger
        self._ports = ports
        self._scheduler = scheduler
        self._supervisor = supervisor
        self._heartbeats = heartbeats
        self._notices = notices
        self._standbys = standbys
        self._vitals = vitals
        self._alarms = alarms
        self._history = history
        self._custody = custody
        self._estate = estate

    def watch(self, plan: AgentPlan) -> None:
        """Ask its checks from now on, in place of those it had, and scrape its signals."""
        count = partial(self._alarms.count, plan.name)
        context = CheckContext(
            agent=plan.name,
            clock=self._ports.clock,
            directory=plan.directory,
            environment=plan.environment,
            dialer=self._ports.dialer,
            run=partial(self._supervisor.run_of, plan.name),
            last_beat=partial(self._heartbeats.last, plan.name),
            run_command=self._ports.run_command,
            helpers=partial(self._supervisor.helpers_of, plan.name),
            watched_since=self._ports.clock.now() if plan.launch is None else None,
            examine=partial(self._custody.examine, plan.name) if plan.asset is not None else None,
            look_at_service=partial(self._estate.look, plan.name) if render_of(plan.config) is not None else None,
            count=count,
        )
        checks = [scheduled(one, context, self._ports.checks) for one in plan.checks]
        self._vitals.forget(plan.name)  # else the records of checks that it has no more would stay
        self._scheduler.watch(plan.name, [*checks, *scrapes(plan.config.signals, self._ports.dialer, count)])

    def renew(self, before: AgentPlan, after: AgentPlan) -> None:
        """Take care of an agent as it is configured now."""
        if asks_anew(before, after):
            self.watch(after)
        self._standbys.renew(after.name)

    def forget(self, name: str) -> None:
        """Keep nothing of an agent that is no longer in the configuration, but what has happened."""
        self._standbys.forget(name)
        self._scheduler.forget(name)
        self._heartbeats.forget(name)
        self._notices.forget(name)
        self._alarms.forget(name, self._ports.clock.now())
        self._vitals.forget(name)
        self._history.forget(name)
