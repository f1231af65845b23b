"""What is the daemon made of, and in which order does it start and stop?

The composition root and the first file to read. It builds every part, joins them, declares the loops and names each
thing that is to be stopped the moment it exists; nothing is decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Container, Sequence
from functools import partial

from selfheal import __version__
from selfheal.agents import AGENT_KINDS
from selfheal.compose.beginnings import beginnings
from selfheal.compose.care import Care
from selfheal.compose.control import FleetControl
from selfheal.compose.counsel import Counsel
from selfheal.compose.data_layer import DataLayer
from selfheal.compose.estate import Estate
from selfheal.compose.evidence import Evidence
from selfheal.compose.fleet import Fleet
from selfheal.compose.heartbeats import Heartbeats
from selfheal.compose.investigation import Investigation
from selfheal.compose.judgement import Judgement
from selfheal.compose.learning import Learning
from selfheal.compose.limits import limits_over
from selfheal.compose.memory import Memory
from selfheal.compose.notices import Notices
from selfheal.compose.outlook import Outlook
from selfheal.compose.prevention import Prevention
from selfheal.compose.reactions import Log, Reactions
from selfheal.compose.readiness import Readiness
from selfheal.compose.reload import Reloader, as_scaled, scales_over
from selfheal.compose.remedies import Remedies
from selfheal.compose.rollup import Rollup
from selfheal.compose.schedule import Schedules
from selfheal.compose.senses import Senses
from selfheal.compose.standbys import Standbys
from selfheal.compose.takeover import take_over
from selfheal.compose.upkeep import LOGS_EVERY_S, Upkeep
from selfheal.compose.views import Views
from selfheal.config.load import Loaded
from selfheal.config.models import Config, process_of
from selfheal.events import (
    DaemonStarted,
    DaemonStopped,
    Event,
    LoopFailed,
    StateDamaged,
    Unknown,
    decode,
)
from selfheal.learn.scorecard import figures
from selfheal.ledger import Ledger
from selfheal.loops import Failure, Loop, LoopRunner
from selfheal.notify.router import Router
from selfheal.notify.rules import rules_of
from selfheal.observe.doubt import Doubt
from selfheal.observe.scheduler import Scheduler
from selfheal.observe.wheel import Wheel
from selfheal.ports import Ports
from selfheal.recover import FIXES
from selfheal.recover.engine import Healer
from selfheal.serve.documents import Material
from selfheal.serve.ports import Reloaded
from selfheal.signatures import shipped
from selfheal.store.documents import Documents
from selfheal.store.reserve import Reserve
from selfheal.supervise.supervisor import Supervisor
from selfheal.supervise.tree import end_runs
from selfheal.teardown import Teardown
from selfheal.telemetry.metrics import Metrics
from selfheal.telemetry.redact import Redactor
from selfheal.vitals import Vitals
from selfheal.world import World

# What the daemon prints may be slow; what it is bound by may not.
STAGE_S = 2.0
# Of the time that a stop may take, the fleet has this share; server, journal and loops need little.
FLEET_SHARE = 0.7
# The loops whose period is a setting of [daemon].
_PERIODS = {"sweep": "self_healing_interval", "prevent": "prevention_interval"}

Narrator = Callable[[World, Event], None]


class Daemon:
    """One daemon over one fleet, built and joined. `run` returns when it was told to stop or cannot go on."""

    def __init__(
        self,
        loaded: Loaded,
        ports: Ports,
        redactor: Redactor,
        log: Log,
        narrator: Narrator | None = None,
        clear_leftovers: bool = False,
        damages: Sequence[StateDamaged] = (),
    ) -> None:
        self.ports = ports
        self.log = log
        self.redact = redactor.redact_text
        self.state_dir = loaded.config.daemon.state_dir
        self.stopping, self.gone = asyncio.Event(), asyncio.Event()
        self.swept = False
        self._clear_leftovers = clear_leftovers
        clock = ports.clock

        # What is known.
        taken = take_over(self.state_dir, ports.run_in_thread, clock)
        self.journal, self._damages = taken.journal, (*damages, *taken.damages)
        self.ledger = Ledger(self.journal, taken.world, self.journal.last_seq)
        self.vitals = Vitals()
        self.memory = Memory(self.ledger, ports, self.state_dir, lambda: self.config.history)
        self.history = self.memory.history
        self.metrics = Metrics(lambda: self.ledger.world, self.vitals, clock, __version__)
        self.views = Views(
            self.ledger, ports, self.journal, Documents(self.state_dir, ports.run_in_thread), Reserve(self.state_dir),
            self.vitals, self.material, self.redact,
        )  # fmt: skip

        # Who runs and watches.
        loaded = as_scaled(loaded, self.ledger.world, redactor.learn, log)
        self.fleet = Fleet(
            loaded, AGENT_KINDS, ports.checks, FIXES, ports.environment, ports.agent_variables,
            lambda: self.ledger.world,
        )  # fmt: skip
        self.plans = self.fleet.plans
        self.judgement = Judgement(self.ledger, self.vitals, self.fleet, ports.chance)
        self.runner = LoopRunner(clock, ports.chance, self._loop_failed, self.metrics.on_loop)
        self.rollup = Rollup(self.ledger, ports, taken, lambda: self.config.daemon.journal_size, self.runner.wake)
        self.wheel = Wheel(asyncio.get_running_loop())
        self.heartbeats = Heartbeats(self.state_dir, clock)
        self.alarms = self.memory.alarms
        self.senses = Senses(
            self.ledger, self.vitals, self.history, self.alarms, self.metrics, self.fleet.settling, self.redact
        )
        self.estate = Estate(ports.render, clock, self.plans, ports.environment, self.senses.signals)
        doubt = Doubt(clock, ports.probe_tcp, ports.stolen, self.runner.spawn, self.fleet.canaries, self.fleet.own_door)
        self.scheduler = Scheduler(
            clock, self.wheel, self.runner.spawn, self.senses.observe, max_probes=ports.dialer.room, doubt=doubt
        )
        notices = Notices(self.heartbeats.beat)
        ports.launcher.listen(notices.hear)
        ready = Readiness(self.plans, ports, self.scheduler, notices, self._broken_checks, self._log_begin)
        self.supervisor = Supervisor(
            self.ledger, clock, ports.launcher, self.judgement.reflex, ready, self.runner.spawn
        )
        self.standbys = Standbys(self.ledger, clock, self.vitals, ports.launcher, self.supervisor)
        self.data = DataLayer(
            self.ledger, ports, self.supervisor, self.fleet, self.state_dir, self.runner.spawn, self.redact
        )
        self.care = Care(
            self.ledger, ports, self.scheduler, self.supervisor, self.heartbeats, notices, self.standbys,
            self.vitals, self.alarms, self.history, self.data.custody, self.estate,
        )  # fmt: skip
        self.schedules = Schedules(self.ledger, clock, self.supervisor, self.runner.spawn)
        self.evidence = Evidence(self.ledger, self.supervisor, ports.run_in_thread, self.redact, self.estate)

        # Who heals, foresees and tells.
        self.remedies = Remedies(
            self.ledger, ports, self.fleet, self.supervisor, self.care, self.data, self.vitals, self.state_dir,
            self.runner.spawn, self.redact, self._scale, self.estate,
        )  # fmt: skip
        self.hands = self.remedies.hands
        self.investigation = Investigation(
            self.ledger, ports, self.vitals, self.history, self.judgement, self.evidence, self.scheduler, self.runner
        )
        self.healer = Healer(
            self.ledger, clock, self.fleet.fixes, self.hands,
            Counsel(
                self.ledger, ports, lambda: self.config.model, self.investigation.next_step, self.evidence.of_incident,
                self.fleet.fixes, self.redact, self.runner,
            ).next_step,
            self.investigation.diagnose, self.evidence.of_incident, self.redact,
            lambda: self.config.guard.approval_timeout, self.runner.spawn, self.fleet.told,
        )  # fmt: skip
        self.learning = Learning(
            self.ledger, ports, self.vitals, self.history, self.memory.recall.points, self.state_dir,
            lambda: self.config.daemon.ml_retrain_interval, self.metrics.learning, log, self.redact,
            Outlook(self.ledger, ports, self.history, self.memory.recall),
        )  # fmt: skip
        self.prevention = Prevention(
            self.ledger, ports, self.fleet, self.memory, self.vitals, self.judgement, self.healer,
            self.learning.foretelling.outlook.said,
        )  # fmt: skip
        self.upkeep = Upkeep(
            self.ledger, ports, self.supervisor, self.senses, self.plans, lambda: self.config.guard.maintenance
        )
        self.router = Router(
            self.ledger, clock, ports.chance, ports.notifiers, self.redact, self.metrics.on_retry,
            lambda: rules_of(self.config.notify),
        )  # fmt: skip
        self.reloader = Reloader(
            self.ledger, ports, self.fleet, self.supervisor, self.care, redactor.learn, self._renew, log
        )
        self.control = FleetControl(
            self.ledger, clock, self.supervisor, self.fleet, self.reloader, self.heartbeats.beat, self.redact
        )
        heed = (
            self.supervisor.heed, self.standbys.heed, self.data.writers.heed, self.healer.heed, self.remedies.heed,
            self.memory.watch.heed,
        )  # fmt: skip
        self.ledger.subscribe(Reactions(self.ledger, self.vitals, heed, self.metrics, self.runner.wake, log, narrator))

    def loops(self) -> tuple[Loop, ...]:
        """Everything that runs for as long as the daemon, the server apart."""
        daemon, manager = self.config.daemon, self.ports.manager
        return (
            Loop("reload", self.reloader.heed, every_s=None),
            Loop("heal", self.healer.heal, every_s=1.0, limit_s=30.0, idle=self.healer.has_nothing_open),
            Loop("sweep", self._sweep, every_s=daemon.self_healing_interval),
            Loop("prevent", self.prevention.foresee, every_s=daemon.prevention_interval, waits_first=True),
            Loop("maintain", self.prevention.work, every_s=5.0, idle=self.prevention.has_nothing_planned),
            Loop("windows", self.upkeep.windows, every_s=5.0, idle=self.upkeep.has_no_windows),
            Loop("schedules", self.schedules.look, every_s=1.0, idle=self.schedules.has_none),
            Loop("notify", self.router.deliver, every_s=1.0, idle=self.router.has_nothing_to_tell),
            Loop("save", self.views.save, every_s=1.0, limit_s=30.0, idle=self.views.is_saved, idle_s=5.0, least_s=1.0),
            *self.memory.loops,
            self.data.loop,
            self.remedies.loop,
            self.estate.loop,
            self.rollup.loop,
            self.investigation.loop,
            *self.learning.loops,
            Loop("logs", self.upkeep.rotate_logs, every_s=LOGS_EVERY_S),
            Loop("disk", self.upkeep.look_at_disks, every_s=30.0),
            Loop("orphans", self.upkeep.bury_orphans, every_s=10.0),
            *((Loop("systemd", self._sign_of_life, every_s=manager.every_s, limit_s=5.0),) if manager.listens else ()),
        )

    async def run(self, serve: Callable[[Daemon], Sequence[Loop]] = lambda daemon: ()) -> None:
        """Start everything, wait for the end, stop everything in reverse order. `serve` gives the server's loops."""
        daemon = self.config.daemon
        teardown = Teardown(lambda stage, why: self.log.error("stop.failed", stage=stage, why=why))
        try:
            teardown.add("journal", self._close_journal, STAGE_S)
            await self.runner.__aenter__()
            teardown.add("runner", self._close_runner, STAGE_S)
            server = serve(self)
            self.runner.start(*server)
            teardown.add("server", partial(self._stop_server, server), STAGE_S)
            self._begin()
            teardown.add("last words", self._last_words, STAGE_S)
            await self._take_over()
            teardown.add("fleet", self._stop_fleet, daemon.stop_timeout * FLEET_SHARE + 1.0)
            for plan in self.plans.values():
                self.care.watch(plan)
            teardown.add("checks", self._stop_watching, STAGE_S)
            self.runner.start(*self.loops())
            teardown.add("loops", lambda: self.runner.stop(*(loop.name for loop in self.loops())), STAGE_S)
            self.runner.spawn("leftovers", self.remedies.clear_away())
            await self.supervisor.start_fleet()
            self.reloader.open()
            await self._told_to_stop()
        finally:
            self.stopping.set()
            self.ports.manager.stopping()
            await teardown.run()

    def stop(self) -> None:
        """Let `run` come to its end."""
        self.stopping.set()

    @property
    def config(self) -> Config:
        return self.fleet.config

    # --- start ---

    def _begin(self) -> None:
        """Record what is new since the last daemon: this one, the damage found, the agents, what was interrupted."""
        now, world = self.ports.clock.now(), self.ledger.world
        self.ledger.record(DaemonStarted(now, __version__, self.ports.pid, self.config.guard.dry_run))
        self.ledger.record(*limits_over(world, self.plans, now))
        overruled = scales_over(world, self.fleet.loaded, now)
        for event in beginnings(self.ledger.world, self.plans, self._damages, overruled, now):
            self.ledger.record(event)
        self.ledger.record(*self.data.writers.left_over(self.ledger.world, now))

    async def _take_over(self) -> None:
        """Adopt the processes of an earlier daemon, or end them where the fleet starts afresh."""
        launcher, clock = self.ports.launcher, self.ports.clock
        if self._clear_leftovers:  # while no agent is known yet, nothing that runs is anybody's
            await self.supervisor.end_strays()
        for plan in self.plans.values():
            process = process_of(plan.config)
            if plan.launch is not None and process is not None:
                self.supervisor.add(plan.name, process, plan.launch, plan.config.depends_on)
        await end_runs(launcher, self.supervisor.adopt(), timeout_s=1.0, clock=clock)
        await self.supervisor.end_strays()

    async def _renew(self, settings: Collection[str]) -> None:
        """Follow settings that have changed, by dotted key; most are asked for anew each time."""
        self.judgement.renew()
        notifiers = self.ports.renewed(self.config)
        if any(key.startswith("notify.") for key in settings):
            self.router.notifiers = notifiers
        for loop in self.loops():
            if f"daemon.{_PERIODS.get(loop.name)}" in settings:
                await self.runner.stop(loop.name)
                self.runner.start(loop)

    async def _told_to_stop(self) -> None:
        """Wait for `stop`, or for a loop to give up without which there is no point."""
        async with asyncio.TaskGroup() as waiting:
            gave_up = waiting.create_task(self.runner.gave_up())
            gave_up.add_done_callback(lambda _: self.stopping.set())
            await self.stopping.wait()
            gave_up.cancel()

    # --- loops ---

    async def _sweep(self) -> None:
        """Ask every check of every agent, and start what nothing holds down any more."""
        self.scheduler.sweep()
        self.supervisor.reconsider()
        self.swept = True
        self.views.renew()
        self.runner.wake("systemd")

    async def _sign_of_life(self) -> None:
        self.ports.manager.alive(ready=self.swept and not self.stopping.is_set())

    # --- what the parts ask each other ---

    def _broken_checks(self, agent: str) -> Container[str]:
        known = self.ledger.world.agents.get(agent)
        return known.broken if known is not None else ()

    def _log_begin(self, agent: str) -> int:
        known = self.ledger.world.agents.get(agent)
        return known.log_begin if known is not None else 0

    async def _scale(self, agent: str, instances: int, by: str) -> Reloaded:
        return await self.reloader.scale(agent, instances, by)

    def _loop_failed(self, failure: Failure) -> None:
        now = self.ports.clock.now()
        error = self.redact(failure.error)
        self.ledger.record(LoopFailed(now, failure.loop, error, failure.retry_s, failure.gave_up))

    # --- what is shown ---

    @property
    def trouble(self) -> str | None:
        """Why the journal or the state files cannot be written now; None when all is well."""
        return self.ledger.trouble or self.views.trouble

    def material(self) -> Material:
        """What the state files are made from, as of now."""
        now, windows = self.ports.clock.now(), self.config.guard.maintenance
        ledger, vitals = self.ledger, self.vitals.copy()
        return Material(ledger.world, vitals, now, figures, self.judgement.lessons, shipped(), windows, ledger.seq)

    async def events_after(self, seq: int, count: int) -> Sequence[tuple[int, Event]]:
        """The first `count` events of the journal with a greater number."""
        records = await self.ports.run_in_thread(lambda: list(self.journal.read(seq, count)))
        events = ((record.seq, decode(record.payload)) for record in records)
        return [(number, event) for number, event in events if not isinstance(event, Unknown)]

    # --- stop ---

    async def _stop_fleet(self) -> None:
        if self.config.daemon.on_stop == "leave":
            self.supervisor.leave_fleet()
        else:
            await self.supervisor.stop_fleet(self.config.daemon.stop_timeout * FLEET_SHARE)

    async def _stop_watching(self) -> None:
        """No check and no fix any more: what ends from here on ends because we end it."""
        self.scheduler.close()
        self.wheel.close()
        await self.runner.stop_errands()
        await self.learning.close()
        self.ports.dialer.close()  # nobody waits for a connection any more

    async def _last_words(self) -> None:
        self.ledger.record(DaemonStopped(self.ports.clock.now(), "told to stop"))
        await self.memory.close()
        await self.views.save_last()  # after the history, which would take the room that is let go for this
        await self.rollup.close()

    async def _stop_server(self, server: Sequence[Loop]) -> None:
        """The last to go: until then it says that the daemon is stopping."""
        self.gone.set()
        await self.runner.join(*(loop.name for loop in server))

    async def _close_runner(self) -> None:
        await self.runner.__aexit__(None, None, None)

    async def _close_journal(self) -> None:
        self.ports.launcher.close()
        self.journal.close()
