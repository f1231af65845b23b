"""Is the configuration right, what does it say, and what may stand in it?"""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from selfheal.cli.output import Cell, coloured, counted, paint, plain, show, show_json
from selfheal.cli.place import CONFIG_FILE, config_file
from selfheal.cli.verb import WRONG_USE, Group, Verb, WrongUse, a_path, as_json
from selfheal.errors import ConfigInvalid

if TYPE_CHECKING:
    from selfheal.config.load import Loaded, Overrides


def load_config(path: Path, environment: Mapping[str, str], overrides: Overrides | None = None) -> Loaded:
    """Read a configuration with every kind of agent and check there is. Raises ConfigInvalid."""
    from selfheal.agents import AGENT_KINDS
    from selfheal.config.load import Overrides, load
    from selfheal.observe import CHECKS
    from selfheal.recover import FIXES

    agents = {kind.name: kind.model for kind in AGENT_KINDS}
    checks = {kind.name: kind.model for kind in CHECKS}
    return load(
        path,
        environment,
        overrides or Overrides(),
        agents,
        checks,
        fix_models={fix.name: fix.settings for fix in FIXES},
    )


def _check(arguments: Namespace) -> int:
    try:
        config = load_config(_file(arguments), os.environ).config
    except ConfigInvalid as error:
        if not arguments.json:
            raise
        show_json({"ok": False, "problems": [asdict(problem) for problem in error.problems]})
        return WRONG_USE
    checks = sum(len(agent.checks) for agent in config.agents.values())
    if arguments.json:
        show_json({"ok": True, "agents": len(config.agents), "checks": checks})
    else:
        show(f"OK: {counted(len(config.agents), 'agent')}, {counted(checks, 'check')}")
    return 0


def _show(arguments: Namespace) -> int:
    from selfheal.config.show import show as values_of
    from selfheal.telemetry.redact import redact

    values = values_of(load_config(_file(arguments), os.environ), redact)
    if arguments.json:
        show_json([{"key": one.key, "value": one.value, "origin": one.origin} for one in values])
        return 0
    colour = coloured(sys.stdout)
    for one in values:
        value = json.dumps(one.value, ensure_ascii=False)
        show(f"{plain(one.key)} = {plain(value)}  {paint(Cell(f'# {one.origin}', 'quiet'), colour)}")
    return 0


def _schema(_: Namespace) -> int:
    from selfheal.agents import AGENT_KINDS
    from selfheal.config.schema import schema
    from selfheal.observe import CHECKS
    from selfheal.recover import FIXES

    agents, checks = {kind.name: kind.model for kind in AGENT_KINDS}, {kind.name: kind.model for kind in CHECKS}
    show_json(schema(agents, checks, {fix.name: fix.settings for fix in FIXES}))
    return 0


def _file(arguments: Namespace) -> Path:
    path = config_file(os.environ, arguments.file)
    if path is None:
        raise WrongUse(
            f"cannot find a configuration: there is no {CONFIG_FILE} here and SELFHEAL_CONFIG is not set; "
            f"name the file, as in 'selfheal config check FILE'"
        )
    return path


def _which(parser: ArgumentParser) -> None:
    where = f"by default that of SELFHEAL_CONFIG, or ./{CONFIG_FILE}"
    parser.add_argument("file", type=a_path, nargs="?", metavar="FILE", help=where)


GROUP = Group(
    "The configuration",
    (
        Verb(
            "config check",
            "Whether a configuration holds; every problem at once.",
            "config check selfheal.toml",
            _check,
            (_which, as_json),
        ),
        Verb(
            "config show",
            "Every value in force and where it comes from, secrets masked.",
            "config show --json",
            _show,
            (_which, as_json),
        ),
        Verb(
            "config schema",
            "The JSON Schema of the file, for editors and other programs.",
            "config schema > selfheal.schema.json",
            _schema,
            (as_json,),
        ),
    ),
)
