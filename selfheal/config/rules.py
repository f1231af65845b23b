"""Does what was written hold together?

What no single table can know: whether names lead somewhere, whether agents wait for each other in a ring, whether
files are there, and whether the daemon may listen where it is told to. Judges what was written, not what was read, so
that one mistake in a table does not hide another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from selfheal.config.address import endpoint_of, is_loopback, split_address
from selfheal.config.agents import NAME, NAME_CURE, Written
from selfheal.config.environment import read_environment_file
from selfheal.config.findings import Findings, listed, nearest
from selfheal.config.healing import ALL_FIXES, FixSettings
from selfheal.config.lines import KeyPath
from selfheal.config.models import DaemonConfig, ProcessConfig, Section
from selfheal.config.notify import is_chat
from selfheal.config.origins import Table
from selfheal.config.render import OWN_SERVICE, RenderConfig, trouble_of_api
from selfheal.errors import ConfigInvalid

SHORTEST_TOKEN = 8  # characters; whoever may ask from elsewhere may guess from elsewhere
_TELEGRAM = ("TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID")


def check_daemon(daemon: DaemonConfig, environment: Mapping[str, str], found: Findings) -> None:
    """Nobody is let in by accident, and on Render somebody hears of trouble."""
    host, _ = split_address(daemon.listen)
    if not (is_loopback(host) or daemon.token or daemon.public_reads):
        found.add(
            ("daemon", "listen"),
            f"{daemon.listen!r} can be reached from other machines and there is no token",
            "set SELFHEAL_TOKEN, or daemon.public_reads = true, or listen on 127.0.0.1",
        )
    for key, token in (("token", daemon.token), ("scrape_token", daemon.scrape_token)):
        if token is not None and len(token) < SHORTEST_TOKEN and not is_loopback(host):
            found.add(
                ("daemon", key),
                f"it is shorter than {SHORTEST_TOKEN} characters, and anybody at {daemon.listen!r} may guess it",
                "set a longer one, such as 'openssl rand -hex 32' prints",
            )
    _check_gateway(daemon, found)
    missing = [name for name in _TELEGRAM if not environment.get(name)]
    if daemon.render_mode and missing:
        wrong = f"alerts need {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not set"
        found.add(("daemon", "render_mode"), wrong, f"set {' and '.join(missing)}, or turn render_mode off")
    chat = environment.get("TELEGRAM_CHAT_ID", "")
    if chat and not is_chat(chat):
        cure = "write its number, such as 123456789, or -1001234567890 for a group; @userinfobot tells it"
        found.add(("notify", "telegram"), f"TELEGRAM_CHAT_ID is {chat!r}, which is no chat's number", cure)


def _check_gateway(daemon: DaemonConfig, found: Findings) -> None:
    """What is pushed is all that is known, and the token with it: nobody on the way may read that."""
    url = daemon.gateway_url
    if url is None:
        return
    if not url.startswith("https:") and not is_loopback(endpoint_of(url)[0]):
        found.add(
            ("daemon", "gateway_url"),
            "everybody on the way to it could read what is pushed, and the token",
            "write it with https://",
        )
    if "?" in url or "#" in url or "@" in url:
        found.add(
            ("daemon", "gateway_url"),
            "it is more than the address of a gateway",
            "write it as 'https://selfheal-gateway.onrender.com'",
        )
    if daemon.gateway_token is None:
        found.add(
            ("daemon", "gateway_token"),
            "there is a gateway to push to, and no token that it knows the daemon by",
            "set SELFHEAL_GATEWAY_TOKEN to what the gateway has, such as 'openssl rand -hex 32' prints",
        )


def check_names(
    agents: Collection[Written], raw: Table, fix_models: Mapping[str, type[Section] | None], found: Findings
) -> None:
    """Every name that is used leads to an agent or a fix."""
    fixes = raw.get("fixes", {})
    own_fixes = tuple(fixes) if isinstance(fixes, dict) else ()
    for name in own_fixes:
        if not NAME.fullmatch(name):
            found.add(("fixes", name), f"{name!r} cannot be the name of a fix", NAME_CURE)
        if name in fix_models:
            found.add(("fixes", name), f"{name!r} is the name of a built-in fix", "choose another name")
    fix_names = dict.fromkeys((*own_fixes, *sorted(fix_models)))
    names = {name: None for agent in agents for name in (agent.name, *agent.tables)}
    for agent in agents:
        before = len(found)
        for table in agent.tables.values() if len(found) == before else ():
            _check_references(table.get("depends_on"), (*agent.path, "depends_on"), "agent", names, found)
            _check_references(table.get("fixes"), (*agent.path, "fixes"), "fix", fix_names, found)
            _check_modes(table.get("modes"), (*agent.path, "modes"), fix_names, found)
            _check_healing(table.get("healing"), (*agent.path, "healing"), agent, fix_models, names, found)
    guard = raw.get("guard")
    _check_modes(guard.get("modes") if isinstance(guard, dict) else None, ("guard", "modes"), fix_names, found)
    for section, key in (("guard", "maintenance"), ("prevention", "quiet")):
        for index, window in enumerate(_windows(raw, section, key)):
            if isinstance(window, dict):
                _check_references(window.get("agents"), (section, key, index, "agents"), "agent", names, found)


def check_render(agents: Collection[Written], environment: Mapping[str, str], found: Findings) -> None:
    """There is a key for what runs at Render, which goes nowhere in clear, and the daemon does not heal itself."""
    at_render = [agent for agent in agents if _is_at_render(agent.model)]
    own = environment.get(OWN_SERVICE, "")
    trouble = trouble_of_api(environment) if at_render else None
    for agent in at_render:
        if trouble is not None:
            found.add((*agent.path, "kind"), *trouble)
        if own and any(table.get("service") == own for table in agent.tables.values()):
            wrong = f"{own!r} is the service that this daemon is itself ({OWN_SERVICE})"
            found.add((*agent.path, "service"), wrong, "name another one: whoever restarts itself heals nobody")


def check_rings(agents: Collection[Written], found: Findings) -> None:
    """No agent waits for itself. Every ring is said once, at the first of its agents."""
    owner = {name: agent.name for agent in agents for name in (agent.name, *agent.tables)}
    waits = {agent.name: dict.fromkeys(owner[ref] for ref in _waits_for(agent) if ref in owner) for agent in agents}
    while (ring := _find_ring(waits)) is not None:
        first, second = ring[0], ring[1]
        found.add(
            ("agents", first, "depends_on"),
            f"it waits for itself: {' -> '.join(ring)}",
            "take one of these out; what starts first depends on nothing of the others",
        )
        del waits[first][second]


def check_files(agents: Collection[Written], base: Path, found: Findings) -> None:
    """Folders and files that a process cannot start without are there; no two processes write one log.

    Users are not looked for: the file may be checked on another machine than the one that it is for.
    """
    writers: dict[Path, str] = {}
    for agent in agents:
        for full, table in agent.tables.items() if _is_process(agent.model) else ():
            before = len(found)
            _check_places(table, agent.path, base, found)
            log = table.get("log")
            if isinstance(log, dict) and isinstance(file := log.get("file"), str):
                writer = writers.setdefault(base / file, full)
                if writer != full:
                    wrong = f"{writer} and {full} would both write {file!r}"
                    found.add((*agent.path, "log", "file"), wrong, "put {agent} and {index} into the name")
            if len(found) > before:
                break  # the other instances would only say the same


def _check_places(table: Table, path: KeyPath, base: Path, found: Findings) -> None:
    directory, variables = table.get("directory"), table.get("environment_file")
    if isinstance(directory, str) and not _is_folder(base / directory):
        found.add((*path, "directory"), f"there is no folder {str(base / directory)!r}", "create it, or name another")
    if isinstance(variables, str):
        try:
            read_environment_file(base / variables)
        except ConfigInvalid as why:
            for problem in why.problems:
                place = problem.file if problem.line is None else f"line {problem.line} of {problem.file}"
                found.add((*path, "environment_file"), f"{problem.wrong} ({place})", problem.right)


def _is_process(model: type[Section] | None) -> bool:
    return model is not None and issubclass(model, ProcessConfig)


def _is_at_render(model: type[Section] | None) -> bool:
    return model is not None and issubclass(model, RenderConfig)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, a folder that may not be read
        return False


def _check_references(value: object, path: KeyPath, what: str, known: Collection[str], found: Findings) -> None:
    for index, name in enumerate(value if isinstance(value, list) else ()):
        if isinstance(name, str) and name not in known:
            cure = f"name one of {listed(known)}{nearest(name, known)}"
            found.add((*path, index), f"there is no {what} {name!r}", cure)


def _check_healing(
    value: object,
    path: KeyPath,
    agent: Written,
    models: Mapping[str, type[Section] | None],
    names: Collection[str],
    found: Findings,
) -> None:
    """The agents that a fix is told of are there, and are others than the one that it is for."""
    for fix, table in value.items() if isinstance(value, dict) else ():
        model = models.get(fix)
        keys = model.names_agents if isinstance(model, type) and issubclass(model, FixSettings) else ()
        for key in keys if isinstance(table, dict) else ():
            named = table.get(key)
            place = (*path, fix, key)
            _check_references(named if isinstance(named, list) else [named], place, "agent", names, found)
            if agent.name in (named if isinstance(named, list) else [named]):
                found.add(place, "it names the agent itself", "name another one, or take it out")


def _check_modes(value: object, path: KeyPath, fixes: Collection[str], found: Findings) -> None:
    """Each mode is that of a fix, or of all of them."""
    for name in value if isinstance(value, dict) else ():
        if name not in fixes and name != ALL_FIXES:
            cure = f"name one of {listed(fixes)}, or '*' for all{nearest(str(name), fixes)}"
            found.add((*path, str(name)), f"there is no fix {name!r}", cure)


def _windows(raw: Table, section: str, key: str) -> list[object]:
    table = raw.get(section)
    windows = table.get(key) if isinstance(table, dict) else None
    return windows if isinstance(windows, list) else []


def _waits_for(agent: Written) -> Iterator[str]:
    for table in agent.tables.values():
        names = table.get("depends_on")
        yield from (name for name in (names if isinstance(names, list) else ()) if isinstance(name, str))


def _find_ring(waits: Mapping[str, Collection[str]]) -> list[str] | None:
    """Return the names of one ring, the first of the file first and again last."""
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        ring = list(reversed(error.args[1]))[1:]  # graphlib names what is waited for before what waits
        start = ring.index(next(name for name in waits if name in ring))
        return [*ring[start:], *ring[:start], ring[start]]
    return None
