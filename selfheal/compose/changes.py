"""What is different between two configurations?

Pure. An agent whose process would be started in another way needs another process; everything else that is new about
it is taken as it runs. How many instances stand beside it changes nothing about any of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pydantic import BaseModel

from selfheal.compose.fleet import AgentPlan, waves
from selfheal.config.load import Loaded
from selfheal.config.models import Config, DaemonConfig, FixConfig
from selfheal.supervise.launcher import Launch

# Of [daemon], what is asked anew each time. The rest is built into what runs: sockets, locks, paths, processes.
LIVE = frozenset(
    {
        "canaries",
        "journal_size",
        "log_level",
        "on_stop",
        "prevention_interval",
        "self_healing_interval",
        "stop_timeout",
    }
)


@dataclass(frozen=True, slots=True)
class Changes:
    """Names of agents, each in one list only, but for one that has become another kind: removed and added.

    `removed` is in the order in which they may be stopped, `restarted` in that of a start, the others in that of the
    file. `settings` and `pending` are dotted keys: in force from now on, and from the next start of the daemon.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()


def bounded(old: Loaded, new: Loaded) -> Loaded:
    """The new configuration without what this daemon cannot change about itself."""
    kept = {key: getattr(old.config.daemon, key) for key in DaemonConfig.model_fields if key not in LIVE}
    daemon = new.config.daemon.model_copy(update=kept)
    return replace(new, config=new.config.model_copy(update={"daemon": daemon}))


def compare(old: Config, new: Config, before: Mapping[str, AgentPlan], after: Mapping[str, AgentPlan]) -> Changes:
    """Say what is different: `before` and `after` are the agents that the two make. `new` is as it was written."""
    gone = {name for name, plan in before.items() if name not in after or _another_kind(plan, after[name])}
    added = tuple(name for name in after if name not in before or name in gone)
    kept = [name for name in after if name not in added]
    restarted = {name for name in kept if _starts_otherwise(before[name].launch, after[name].launch)}
    changed = {name for name in kept if _differs(before[name], after[name], old.fixes, new.fixes)} - restarted
    settings = tuple(_settings(old, new))
    return Changes(
        added=added,
        removed=tuple(name for wave in reversed(waves(before, gone)) for name in reversed(wave)),
        restarted=tuple(name for wave in waves(after, restarted) for name in wave),
        changed=tuple(name for name in kept if name in changed),
        unchanged=tuple(name for name in kept if name not in restarted | changed),
        settings=tuple(key for key in settings if not _is_pending(key)),
        pending=tuple(key for key in settings if _is_pending(key)),
    )


def asks_anew(before: AgentPlan, after: AgentPlan) -> bool:
    """Whether an agent is asked in another way, so that its checks are to be built again."""
    return (before.checks, before.config.signals, before.directory, before.environment) != (
        after.checks,
        after.config.signals,
        after.directory,
        after.environment,
    )


def _starts_otherwise(before: Launch | None, after: Launch | None) -> bool:
    return before is not None and after is not None and not before.starts_as(after)


def _another_kind(before: AgentPlan, after: AgentPlan) -> bool:
    return before.kind.name != after.kind.name or (before.launch is None) != (after.launch is None)


def _differs(before: AgentPlan, after: AgentPlan, old: Mapping[str, FixConfig], new: Mapping[str, FixConfig]) -> bool:
    """Whether there is anything new about an agent. Its own fixes are compared as they are written."""
    if _alone(before) != _alone(after) or asks_anew(before, after):
        return True
    return any(old.get(name) != new.get(name) for name in after.config.fixes)


def _alone(plan: AgentPlan) -> BaseModel:
    """Its configuration, without the number of those that stand beside it."""
    config: BaseModel = plan.config
    return config.model_copy(update={"instances": 1}) if "instances" in type(config).model_fields else config


def _settings(old: Config, new: Config) -> Iterator[str]:
    """The keys that differ outside of the agents and their fixes."""
    for section in Config.model_fields:
        before, after = getattr(old, section), getattr(new, section)
        if isinstance(before, BaseModel) and isinstance(after, BaseModel):
            for key in type(before).model_fields:
                if getattr(before, key) != getattr(after, key):
                    yield f"{section}.{key}"


def _is_pending(key: str) -> bool:
    section, _, name = key.partition(".")
    return section == "daemon" and name not in LIVE
