"""What does the configuration make of each agent?

Between the file and the parts that act: its process to launch, its checks to schedule, the fixes that fit it.
`Fleet` is what all parts ask and none copies, so that a reload or a change of scale reaches them. Nothing in here runs.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TypeVar
from zlib import crc32

from selfheal.config.address import Endpoint, endpoint_of, is_loopback, split_address, url_from_here
from selfheal.config.data import DataConfig, data_of
from selfheal.config.environment import agent_environment
from selfheal.config.load import Loaded
from selfheal.config.models import AgentConfig, CheckConfig, Config, LimitsConfig, Section, process_of
from selfheal.config.render import RenderConfig, render_of
from selfheal.data.asset import Asset
from selfheal.events import AgentDeclared, StopAsked
from selfheal.kinds import AgentKind, CheckKind, Fix
from selfheal.observe.data import DataCheckConfig
from selfheal.observe.process import ProcessCheckConfig
from selfheal.observe.render import RenderCheckConfig
from selfheal.recover.limits import RAISE_LIMIT, RaiseLimitSettings
from selfheal.recover.own import own_fix
from selfheal.supervise.launcher import Launch, Standby
from selfheal.world import EMPTY, World

NO_LIMITS = LimitsConfig()
# Every process is looked at, whether or not a check says so: cpu, memory, stopped or gone.
PROCESS_CHECK_S = 5.0
# By whose word an agent is not started that is to wait until it is needed.
AUTOSTART = "autostart = false"


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """One agent, ready to be taken into care: `checks` are those configured, then what we add ourselves.

    `launch` is None where there is no process of ours, `asset` where it is no data. `limits` are in force, and more
    than the configuration says where they were raised.
    """

    name: str
    kind: AgentKind
    config: AgentConfig
    checks: tuple[CheckConfig, ...]
    fixes: tuple[Fix, ...]
    directory: Path
    environment: Mapping[str, str]
    launch: Launch | None
    asset: Asset | None = None
    limits: LimitsConfig = NO_LIMITS

    def declared(self, at: float) -> AgentDeclared:
        """The event that tells the world of it."""
        process = process_of(self.config)
        added = self.checks[len(self.config.checks) :] if process is not None else ()
        return AgentDeclared(
            at,
            self.name,
            self.kind.name,
            self.kind.layer,
            self.config.depends_on,
            tuple(check.name for check in self.checks),
            self.launch is not None,
            self.limits.memory,
            self.limits.fds,
            tuple(check.name for check in added),
            process.ends if process else False,
            f"{process.schedule} {process.timezone}" if process and process.schedule else "",
            self.hosts,
            self.version,
            tuple(limit for signals in self.config.signals for limit in signals.limits.items()),
        )

    def held_back(self, at: float) -> tuple[StopAsked, ...]:
        """The word of the file that it is not started with the fleet, for one that is new."""
        process = process_of(self.config)
        return () if process is None or process.autostart else (StopAsked(at, self.name, AUTOSTART),)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The other machines that its checks ask, of an agent that has no process here."""
        if self.launch is not None:
            return ()
        asked = (check.endpoint() for check in self.checks)
        names = (point[0] for point in asked if point is not None and not is_loopback(point[0]))
        return tuple(dict.fromkeys(names))

    @property
    def version(self) -> str:
        """Which version of it this is: as configured, else by what is run."""
        if self.config.version or self.launch is None:
            return self.config.version
        return f"{crc32(repr(self.launch.argv).encode()):08x}"


class Fleet:
    """The configuration in force and the agents that it makes.

    Its mappings are changed in place, by `take`, `hold` and `forget` alone: who holds one always sees what is in force.
    """

    def __init__(
        self,
        loaded: Loaded,
        kinds: Sequence[AgentKind],
        checks: Sequence[CheckKind],
        fixes: Sequence[Fix],
        environment: Mapping[str, str],
        agent_variables: Callable[[str], Mapping[str, str]],
        world: Callable[[], World] = lambda: EMPTY,
    ) -> None:
        self.loaded = loaded
        self.plans: dict[str, AgentPlan] = {}
        self.settling: dict[tuple[str, str], Settling] = {}
        self.fixes: dict[str, Fix] = {}
        self._kinds = kinds
        self._checks = checks
        self._fixes = fixes
        self._environment = environment
        self._agent_variables = agent_variables
        self._world = world
        self.take(loaded, self.draft(loaded))

    @property
    def config(self) -> Config:
        return self.loaded.config

    def canaries(self) -> tuple[Endpoint, ...]:
        """What the user names as hardly ever failing."""
        return tuple(split_address(address) for address in self.config.daemon.canaries)

    def own_door(self) -> tuple[Endpoint, ...]:
        """Where the daemon itself can be reached from this machine."""
        return (endpoint_of(url_from_here(*split_address(self.config.daemon.listen))),)

    def draft(self, loaded: Loaded) -> Mapping[str, AgentPlan]:
        """The agents that a configuration would make, in its order. Raises SpawnFailed as `plan_fleet` does."""
        plans = plan_fleet(loaded, self._kinds, self._fixes, self._environment, self._agent_variables)
        return {plan.name: self._within_limits(plan) for plan in plans}

    def told(self, agent: str, fix: str) -> Section | None:
        """What a fix is told about an agent; None where it is told nothing."""
        plan = self.plans.get(agent)
        return plan.config.healing.get(fix) if plan is not None else None

    def hold(self, name: str) -> tuple[AgentPlan, AgentPlan]:
        """Let the limits of an agent be what the world says by now; returns it as it was, and as it is."""
        before = self.plans[name]
        self.plans[name] = after = self._within_limits(before)
        return before, after

    def _within_limits(self, plan: AgentPlan) -> AgentPlan:
        """The agent within the limits in force. What was raised over another limit than the file's is over."""
        process = process_of(plan.config)
        known = self._world().agents.get(plan.name)
        if process is None or known is None:
            return plan
        limits = process.limits
        for limit, one in known.raised.items():
            if getattr(process.limits, limit) == one.configured:
                limits = limits.model_copy(update={limit: one.value})
        return plan if limits == plan.limits else _within_limits(plan, limits)

    def forget(self, name: str) -> None:
        """An agent is no longer there; the rest of what is to come follows."""
        del self.plans[name]

    def take(self, loaded: Loaded, plans: Mapping[str, AgentPlan]) -> None:
        """Put a configuration in force, with the agents drafted from it."""
        self.loaded = loaded
        plans = {name: self._within_limits(plan) for name, plan in plans.items()}  # one may have been raised meanwhile
        _exchange(self.plans, plans)
        _exchange(self.settling, settling(tuple(plans.values()), self._checks))
        _exchange(self.fixes, {fix.name: fix for plan in plans.values() for fix in plan.fixes})


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def _exchange(mapping: dict[_Key, _Value], content: Mapping[_Key, _Value]) -> None:
    content = dict(content)
    mapping.clear()
    mapping.update(content)


def waves(plans: Mapping[str, AgentPlan], names: Container[str]) -> list[list[str]]:
    """The agents of these names in the order of a start: each wave depends on those before it, by way of others too."""
    sorter = TopologicalSorter({plan.name: plan.config.depends_on for plan in plans.values()})
    sorter.prepare()
    found: list[list[str]] = []
    place = {name: number for number, name in enumerate(plans)}
    while sorter.is_active():
        ready = sorter.get_ready()
        sorter.done(*ready)
        wave = sorted((name for name in ready if name in names and name in place), key=place.__getitem__)
        if wave:
            found.append(wave)
    return found


def plan_fleet(
    loaded: Loaded,
    kinds: Sequence[AgentKind],
    fixes: Sequence[Fix],
    environment: Mapping[str, str],
    agent_variables: Callable[[str], Mapping[str, str]],
) -> tuple[AgentPlan, ...]:
    """Return the agents of a configuration, in its order. `environment` is the daemon's own.

    `agent_variables` gives what a process finds in its environment besides, by the agent's name.

    Raises SpawnFailed where an environment file is unusable.
    """
    own = [own_fix(name, config) for name, config in loaded.config.fixes.items()]
    known_fixes = {fix.name: fix for fix in (*fixes, *own)}
    told = tuple(fix.name for fix in fixes if fix.settings is not None)
    known_kinds = {kind.name: kind for kind in kinds}
    plans: list[AgentPlan] = []
    for name, config in loaded.config.agents.items():
        kind = known_kinds[config.kind]
        data = data_of(config)
        built_in = kind.fixes if data is None or data.heal else ()
        fitting = (fix.name for fix in fixes if fix.fits(config))
        names = (*built_in, *fitting, *(fix for fix in told if fix in config.healing), *config.fixes)
        fits = tuple(known_fixes[fix] for fix in dict.fromkeys(names))
        launch = _launch(name, config, loaded, environment, agent_variables(name))
        directory = launch.directory if launch is not None else loaded.base
        words = launch.environment if launch is not None else agent_environment(environment, config)
        asset = data.asset(name) if data is not None else None
        limits = _limits(config)
        checks = _checks(config, limits.memory)
        plans.append(AgentPlan(name, kind, config, checks, fits, directory, words, launch, asset, limits))
    return tuple(plans)


def _limits(config: AgentConfig) -> LimitsConfig:
    """What an agent may use, as the file says: held by us where it is a process, by who runs it where it is not."""
    process, service = process_of(config), render_of(config)
    if process is not None:
        return process.limits
    return LimitsConfig(memory=service.memory) if service is not None and service.memory else NO_LIMITS


def _within_limits(plan: AgentPlan, limits: LimitsConfig) -> AgentPlan:
    """The agent, held within other limits than before."""
    launch = plan.launch
    if launch is not None:
        launch = replace(launch, memory=limits.memory, max_fds=limits.fds)
    return replace(plan, limits=limits, launch=launch, checks=_checks(plan.config, limits.memory))


def _launch(
    name: str, config: AgentConfig, loaded: Loaded, environment: Mapping[str, str], variables: Mapping[str, str]
) -> Launch | None:
    process = process_of(config)
    if process is None:
        return None
    daemon = loaded.config.daemon
    raises = config.healing.get(RAISE_LIMIT.name)
    beat = {"SELFHEAL_HEARTBEAT_FILE": str(heartbeat_file(daemon.state_dir, name))}
    return Launch(
        agent=name,
        argv=process.command,
        directory=process.directory,
        environment=agent_environment(environment, config) | beat | dict(variables),
        log=process.log.file or daemon.state_dir / "logs" / f"{name}.log",
        user=process.user,
        max_fds=process.limits.fds,
        dies_with_daemon=daemon.on_daemon_death == "kill",
        nice=process.nice,
        umask=process.umask,
        memory=process.limits.memory,
        cores=process.limits.cpu,
        most_fds=raises.fds if isinstance(raises, RaiseLimitSettings) else None,
        standby=Standby(process.standby, process.standby_imports) if process.standby is not None else None,
    )


def heartbeat_file(state_dir: Path, agent: str) -> Path:
    """The file that an agent touches to say that it is alive."""
    return state_dir / "run" / f"{agent}.beat"


def _checks(config: AgentConfig, memory: int | None) -> tuple[CheckConfig, ...]:
    """The agent's own checks, then a look at its process, its data or its service at Render unless it has one.

    Whoever looks at a process heeds the memory limit.
    """
    process, data, service = process_of(config), data_of(config), render_of(config)
    if service is not None and not any(isinstance(one, RenderCheckConfig) for one in config.checks):
        return (*config.checks, _ask_render(service))
    if data is not None and not any(isinstance(one, DataCheckConfig) for one in config.checks):
        return (*config.checks, _look_at(data))
    if process is None:
        return config.checks
    if any(isinstance(one, ProcessCheckConfig) for one in config.checks):
        return tuple(_within(memory, one) for one in config.checks)
    interval = min([PROCESS_CHECK_S, *(check.interval for check in config.checks)])
    look = ProcessCheckConfig(
        name="process", process=True, interval=interval, timeout=2.0, fall=2, rise=1, max_rss=memory
    )
    return (*config.checks, look)


def _look_at(data: DataConfig) -> DataCheckConfig:
    """Damage does not go away by itself; that a look finds something twice is asked for locks alone."""
    return DataCheckConfig(
        name="data",
        data=True,
        interval=data.interval,
        timeout=data.timeout,
        thorough=data.thorough,
        thorough_timeout=data.thorough_timeout,
        fall=2,
        rise=1,
    )


def _ask_render(service: RenderConfig) -> RenderCheckConfig:
    """What Render says it has seen to: a second look settles it."""
    return RenderCheckConfig(
        name="render", render=True, interval=service.interval, timeout=service.timeout, fall=2, rise=1
    )


def _within(memory: int | None, check: CheckConfig) -> CheckConfig:
    """The check, with the agent's memory limit where it looks at the process and has none of its own."""
    if isinstance(check, ProcessCheckConfig) and check.max_rss is None:
        return check.model_copy(update={"max_rss": memory})
    return check


@dataclass(frozen=True, slots=True)
class Settling:
    """When a check settles: failures in a row until failed, successes in a row until well; `local` as of its kind.

    `within_s` and `start_grace_s` are as configured, 0 and None where they are not given. `prefix` stands before the
    names of its signals, where another check of the agent has signals of these names.
    """

    fall: int
    rise: int
    local: bool
    prefix: str = ""
    within_s: float = 0.0
    start_grace_s: float | None = None


def settling(fleet: Sequence[AgentPlan], kinds: Sequence[CheckKind]) -> dict[tuple[str, str], Settling]:
    """How each check settles, by (agent, check)."""
    known = {kind.model: kind for kind in kinds}
    rules: dict[tuple[str, str], Settling] = {}
    for plan in fleet:
        taken: set[str] = set()
        for check in plan.checks:
            kind = known[type(check)]
            prefix = "" if taken.isdisjoint(kind.signals) else f"{check.name}."
            taken.update(kind.signals)
            rules[plan.name, check.name] = Settling(
                check.fall, check.rise, kind.local, prefix, check.within or 0.0, check.start_grace
            )
    return rules
