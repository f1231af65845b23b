"""What is in force, from the file, the environment and the options together?

The one way in. Either everything holds, or ConfigInvalid says everything that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeVar, get_args

from pydantic import BaseModel

from selfheal.config.agents import Kinds, Written, find_agents, read_agent
from selfheal.config.findings import Findings, listed, nearest, validate
from selfheal.config.lines import KeyPath, find_lines
from selfheal.config.models import AgentConfig, CheckConfig, Config, GuardConfig, Section
from selfheal.config.origins import Origins, Table, anchored, lay_over
from selfheal.config.origins import Overrides as Overrides
from selfheal.config.rules import check_daemon, check_files, check_names, check_render, check_rings
from selfheal.config.source import parse, read_text

M = TypeVar("M", bound=BaseModel)


class Again(Protocol):
    """Read a configuration once more: the same file, options and environment."""

    def __call__(self, instances: Mapping[str, int], *, fresh: bool) -> Loaded:
        """With so many instances of these agents; `fresh` takes the file as it is now, else as it was.

        Raises ConfigInvalid.
        """
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that holds. `origin` says where a value comes from, `groups` the full names of a configured one.

    `declared` is how many instances the file gives each agent whose kind may have several.
    """

    config: Config
    path: Path | None
    base: Path
    """The folder at which relative paths of the file start; every path in `config` is absolute."""
    origin: Callable[[KeyPath], str] = field(repr=False, compare=False)
    groups: Mapping[str, tuple[str, ...]]
    declared: Mapping[str, int]
    again: Again = field(repr=False, compare=False)


def load(
    path: Path | None,
    environment: Mapping[str, str],
    overrides: Overrides,
    agent_models: Mapping[str, type[AgentConfig]],
    check_models: Mapping[str, type[CheckConfig]],
    *,
    fix_models: Mapping[str, type[Section] | None] = MappingProxyType({}),
    text: str | None = None,
) -> Loaded:
    """Read the file at `path` (None: defaults only) and lay environment and options over it.

    `fix_models` are the built-in fixes, each with the model of what it has to be told, where it has; `text` is what
    the file says where it was read before. Raises ConfigInvalid with every problem at once.
    """
    if text is None:
        text = "" if path is None else read_text(path)
    name = "defaults" if path is None else str(path)
    file = parse(text, name)
    base = Path.cwd() if path is None else path.absolute().parent
    raw, outside, problems = lay_over(file, environment, overrides)
    origins = Origins(name, find_lines(text), outside)
    found = Findings(origins, problems)
    kinds = Kinds(agent_models, check_models, fix_models)

    sections = _read_sections(raw, found)
    tables = raw.get("agents", {})
    written = list(find_agents(tables if isinstance(tables, dict) else {}, kinds, found, overrides.instances))
    agents = {name: agent for one in written for name, agent in read_agent(one, kinds, found).items()}
    config = sections.model_copy(update={"agents": agents})
    check_daemon(config.daemon, environment, found)
    check_names(written, raw, fix_models, found)
    check_render(written, environment, found)
    check_rings(written, found)
    check_files(written, base, found)
    found.refuse()

    groups = {one.name: tuple(one.tables) for one in written}
    config = _with_full_names(_absolute(config, base), groups)
    declared = {one.name: one.declared for one in written if one.declared is not None}

    where = None if path is None else path.absolute()  # the folder that the daemon stands in changes with each spawn
    same = anchored(environment, overrides)

    def again(instances: Mapping[str, int], *, fresh: bool) -> Loaded:
        given, options = same
        scaled = replace(options, instances=instances)
        kept = None if fresh else text
        return load(where, given, scaled, agent_models, check_models, fix_models=fix_models, text=kept)

    return Loaded(config, path, base, _origin_of(raw, written, origins), groups, declared, again)


def _read_sections(raw: Table, found: Findings) -> Config:
    """Read everything but the agents. A section that is wrong stands with its defaults, for the rules to go on."""
    known = Config.model_fields
    for key in raw:
        if key not in known:
            found.add((key,), "unknown key", f"take it out, or use one of {listed(known)}{nearest(key, known)}")
    sections: dict[str, object] = {}
    for key, info in known.items():
        kind = info.annotation
        if key not in raw:
            continue
        if isinstance(kind, type) and issubclass(kind, Section):
            sections[key] = validate(kind, raw[key], (key,), found) or kind()
        elif not isinstance(tables := raw[key], dict):
            found.add((key,), "it is not a table", f"write [{key}.NAME] and its keys below")
        elif key != "agents":
            sections[key] = _read_named(get_args(kind)[1], tables, key, found)
    return Config().model_copy(update=sections)


def _read_named(model: type[M], tables: Table, key: str, found: Findings) -> dict[str, M]:
    read = {name: validate(model, table, (key, name), found) for name, table in tables.items()}
    return {name: part for name, part in read.items() if part is not None}


def _absolute(part: M, base: Path) -> M:
    """Let every path of a model start at `base`."""
    changed = {
        name: moved
        for name in type(part).model_fields
        if (moved := _moved(value := getattr(part, name), base)) is not value
    }
    return part.model_copy(update=changed) if changed else part


def _moved(value: object, base: Path) -> object:
    match value:
        case Path():
            return value if value.is_absolute() else base / value
        case BaseModel():
            return _absolute(value, base)
        case dict():
            return {key: _moved(part, base) for key, part in value.items()}
        case tuple():
            return tuple(_moved(part, base) for part in value)
        case _:
            return value


def _with_full_names(config: Config, groups: Mapping[str, tuple[str, ...]]) -> Config:
    """Let `depends_on` and all windows name every instance."""
    seen: dict[tuple[str, ...], tuple[str, ...]] = {}  # a thousand instances share one tuple

    def full(names: tuple[str, ...]) -> tuple[str, ...]:
        if names not in seen:
            seen[names] = tuple(dict.fromkeys(name for key in names for name in groups.get(key, (key,))))
        return seen[names]

    agents = {
        name: agent.model_copy(update={"depends_on": full(agent.depends_on)}) for name, agent in config.agents.items()
    }
    windows = tuple(w.model_copy(update={"agents": full(w.agents)}) for w in config.guard.maintenance)
    quiet = tuple(w.model_copy(update={"agents": full(w.agents)}) for w in config.prevention.quiet)
    guard: GuardConfig = config.guard.model_copy(update={"maintenance": windows})
    prevention = config.prevention.model_copy(update={"quiet": quiet})
    return config.model_copy(update={"agents": agents, "guard": guard, "prevention": prevention})


def _origin_of(raw: Table, written: list[Written], origins: Origins) -> Callable[[KeyPath], str]:
    """Where the value of a path comes from; instances carry the origin of the table that they share."""
    configured = {full: one.name for one in written for full in one.tables}

    def origin(path: KeyPath) -> str:
        if path[0] == "agents" and len(path) > 1:
            path = (path[0], configured[str(path[1])], *path[2:])
        return origins.of(path, raw)

    return origin
