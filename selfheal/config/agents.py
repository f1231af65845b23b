"""How does one table `[agents.NAME]` become agents of its kind, one for each instance?

Kinds are known only by their models: an agent's by `kind`, or by a command where there is none; a check's by the one
key of its table that is the name of a kind.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from selfheal.config.findings import Findings, listed, nearest, validate
from selfheal.config.healing import FixSettings
from selfheal.config.lines import KeyPath
from selfheal.config.models import MAX_INSTANCES, AgentConfig, CheckConfig, Section
from selfheal.config.origins import Table, fields_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")  # fits a file name, a metric's label and a URL as it stands
NAME_CURE = "use letters, digits, '_', '.' and '-', at most 63 in all, the first a letter or digit"


@dataclass(frozen=True, slots=True)
class Kinds:
    """The models of the kinds there are, by the name of each; of a fix that of what it is told, None for nothing."""

    agents: Mapping[str, type[AgentConfig]]
    checks: Mapping[str, type[CheckConfig]]
    fixes: Mapping[str, type[Section] | None] = field(default_factory=dict)

    @property
    def of_a_command(self) -> str | None:
        """The kind that a command alone means: the first whose model cannot do without one."""
        return next((name for name, model in self.agents.items() if _needs_command(model)), None)


@dataclass(frozen=True, slots=True)
class Written:
    """One agent as the file has it: its kind where that is known, and the table of each instance by full name.

    `declared` is how many instances the file gives it; None where its kind has none.
    """

    name: str
    model: type[AgentConfig] | None
    tables: Mapping[str, Table]
    declared: int | None = None

    @property
    def path(self) -> KeyPath:
        return ("agents", self.name)


@dataclass(frozen=True, slots=True)
class _Read:
    path: KeyPath
    kind: str
    check: CheckConfig


def find_agents(
    tables: Mapping[str, object], kinds: Kinds, found: Findings, scaled: Mapping[str, int] | None = None
) -> Iterator[Written]:
    """Take the tables apart into instances, with placeholders filled in, before any value is judged.

    `scaled` says how many instances an agent has in force, where that is not what the file says.
    """
    for name, table in tables.items():
        path: KeyPath = ("agents", name)
        if not NAME.fullmatch(name):
            found.add(path, f"{name!r} cannot be the name of an agent", NAME_CURE)
        if not isinstance(table, dict):
            found.add(path, "it is not a table", f"write [agents.{name}] and its keys below")
            continue
        model = _model_of(table, path, kinds, found)
        declared = _declared(table, model)
        names = _instances(name, declared or 1, (scaled or {}).get(name) if declared is not None else None)
        yield Written(name, model, {full: _fill(table, name, index) for full, index in names}, declared)


def read_agent(written: Written, kinds: Kinds, found: Findings) -> dict[str, AgentConfig]:
    """Read every instance. When one is wrong the rest are left: they would only say the same again."""
    agents: dict[str, AgentConfig] = {}
    for full, table in written.tables.items():
        before = len(found)
        parts = {"checks": _read_checks(table.get("checks", []), (*written.path, "checks"), kinds, found)}
        if "healing" in table:
            parts["healing"] = _read_healing(table["healing"], (*written.path, "healing"), kinds, found)
        model = written.model
        agent = None if model is None else validate(model, {**table, **parts}, written.path, found)
        if agent is not None:
            _check_healing(agent, written.path, found)
        if agent is None or len(found) > before:
            break
        agents[full] = agent
    return agents


def _needs_command(model: type[AgentConfig]) -> bool:
    field = model.model_fields.get("command")
    return field is not None and field.is_required()


def _model_of(table: Table, path: KeyPath, kinds: Kinds, found: Findings) -> type[AgentConfig] | None:
    kind = table.get("kind")
    if kind is None and "command" in table:
        kind = kinds.of_a_command
    if kind is None:
        cure = f"add command = …, or kind = one of {listed(kinds.agents)}"
        found.add(path, "it has neither a command nor a kind", cure)
        keys = tuple(dict.fromkeys(key for each in kinds.agents.values() for key in fields_of(each)))
        for key in (key for key in table if key not in keys):
            found.add((*path, key), "unknown key", f"no kind of agent has it{nearest(key, keys)}")
    elif not isinstance(kind, str):
        found.add((*path, "kind"), "the kind is not text", f"write one of {listed(kinds.agents)} in quotes")
    elif kind not in kinds.agents:
        known = f"known kinds are {listed(kinds.agents)}{nearest(kind, kinds.agents)}"
        found.add((*path, "kind"), f"kind {kind!r} is not known", known)
    else:
        return kinds.agents[kind]
    return None


def _declared(table: Table, model: type[AgentConfig] | None) -> int | None:
    """How many instances are written. A number that cannot be used counts as one; the model says what is wrong."""
    if model is None or "instances" not in model.model_fields:
        return None
    count = table.get("instances", 1)
    return count if type(count) is int and 1 <= count <= MAX_INSTANCES else 1  # `true` is an int too


def _instances(name: str, declared: int, scaled: int | None) -> Iterator[tuple[str, int]]:
    """Names and indices as they are in force.

    What was declared as a single one keeps its plain name when others join it: its process goes on under that name.
    """
    for index in range(scaled or declared):
        yield (name if declared == 1 and index == 0 else f"{name}:{index}"), index


def _fill(table: Table, name: str, index: int) -> Table:
    return {key: _filled(value, name, str(index)) for key, value in table.items()}


def _filled(value: object, name: str, index: str) -> object:
    """Replace the placeholders in every text. Other braces are none of ours."""
    match value:
        case str():
            return value.replace("{agent}", name).replace("{index}", index)
        case dict():
            return {key: _filled(part, name, index) for key, part in value.items()}
        case list():
            return [_filled(part, name, index) for part in value]
        case _:
            return value


def _read_healing(tables: object, path: KeyPath, kinds: Kinds, found: Findings) -> object:
    """Read what the fixes of one agent are told, a table for each. What is no table is left to the agent's model."""
    if not isinstance(tables, dict):
        return tables
    models = {name: model for name, model in kinds.fixes.items() if model is not None}
    told: dict[str, Section] = {}
    for name, table in tables.items():
        model = models.get(name)
        if model is None:
            wrong = "this fix has nothing to be told" if name in kinds.fixes else "there is no such fix"
            found.add((*path, name), wrong, f"take it out, or use one of {listed(models)}{nearest(name, models)}")
        elif not isinstance(table, dict):
            found.add((*path, name), "it is not a table", f"write {name} = {{ … }} with {listed(fields_of(model))}")
        elif (read := validate(model, table, (*path, name), found)) is not None:
            told[name] = read
    return told


def _check_healing(agent: AgentConfig, path: KeyPath, found: Findings) -> None:
    """Whether what its fixes are told goes with the agent."""
    for name, told in agent.healing.items():
        try:
            if isinstance(told, FixSettings):
                told.check(agent)
        except ValueError as why:
            wrong, _, right = str(why).partition("; ")
            found.add((*path, "healing", name), wrong, right)


def _read_checks(tables: object, path: KeyPath, kinds: Kinds, found: Findings) -> object:
    """Read the checks of one agent, each with a name of its own. What is not a list is left to the agent's model."""
    if not isinstance(tables, list):
        return tables
    checks: list[_Read] = []
    for index, table in enumerate(tables):
        if (read := _read_check(table, (*path, index), kinds, found)) is not None:
            checks.append(read)
    return tuple(_named(checks, found))


def _read_check(table: object, path: KeyPath, kinds: Kinds, found: Findings) -> _Read | None:
    if not isinstance(table, dict):
        found.add(path, "it is not a table", f"write {{ KIND = … }} with one of {listed(kinds.checks)}")
        return None
    ways = [kind for kind in kinds.checks if kind in table]
    if len(ways) == 1:
        check = validate(kinds.checks[ways[0]], table, path, found)
        return None if check is None else _Read(path, ways[0], check)
    known = tuple(dict.fromkeys(key for model in kinds.checks.values() for key in fields_of(model)))
    strange = [key for key in table if key not in known]
    misspelt = [key for key in strange if nearest(key, kinds.checks)]
    if ways:
        found.add(path, f"it has more than one kind of check: {listed(ways)}", "leave one, and write a check for each")
    else:
        guess = nearest(misspelt[0], kinds.checks) if misspelt else ""
        found.add(path, "it does not say what to check", f"add exactly one of {listed(kinds.checks)}{guess}")
    for key in (key for key in strange if key not in misspelt):
        found.add((*path, key), "unknown key", f"no kind of check has it{nearest(key, known)}")
    validate(CheckConfig, {key: value for key, value in table.items() if key in fields_of(CheckConfig)}, path, found)
    return None


def _named(checks: list[_Read], found: Findings) -> Iterator[CheckConfig]:
    """Call a check without a name by its kind, numbered from the second one on."""
    taken = {read.check.name for read in checks}
    seen: set[str] = set()
    for read in checks:
        name = read.check.name or next(name for name in _numbered(read.kind) if name not in taken)
        if name in seen:
            found.add((*read.path, "name"), f"another check is called {name!r} too", "give each check its own name")
        taken.add(name)
        seen.add(name)
        yield read.check.model_copy(update={"name": name})


def _numbered(kind: str) -> Iterator[str]:
    yield kind
    yield from (f"{kind}-{number}" for number in itertools.count(2))
