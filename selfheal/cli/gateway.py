"""How is the web front started, for a daemon that nobody can reach?"""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING

from selfheal.cli.verb import Group, Verb
from selfheal.errors import ConfigInvalid, Problem

if TYPE_CHECKING:
    from selfheal.config.models import DaemonConfig

# What concerns a daemon alone: a group of variables that both services share would keep the gateway from starting.
_THE_DAEMONS = ("RENDER_MODE", "SELFHEAL_GATEWAY_URL", "SELFHEAL_STATE_DIR")
_TOKEN = "SELFHEAL_GATEWAY_TOKEN"  # noqa: S105 - its name


def _gateway(arguments: Namespace) -> int:
    from selfheal.gateway import process

    config, token = configured(os.environ, arguments.listen)
    return process.run(config, token)


def configured(environment: Mapping[str, str], listen: str | None) -> tuple[DaemonConfig, str]:
    """What the environment says, judged as for a daemon, and the token of the pushes. Raises ConfigInvalid."""
    from selfheal.config.address import is_loopback, split_address
    from selfheal.config.load import Overrides, load
    from selfheal.config.rules import SHORTEST_TOKEN

    heeded = {name: value for name, value in environment.items() if name not in _THE_DAEMONS}
    config = load(None, heeded, Overrides(listen=listen), {}, {}).config.daemon
    token = config.gateway_token.get_secret_value() if config.gateway_token is not None else ""
    wrong = "" if token else "nobody may push without a token"
    if token and len(token) < SHORTEST_TOKEN and not is_loopback(split_address(config.listen)[0]):
        wrong = f"it is shorter than {SHORTEST_TOKEN} characters, and anybody at {config.listen!r} may guess it"
    if wrong:
        cure = f"set {_TOKEN} here and for the daemon to one secret, such as 'openssl rand -hex 32' prints"
        raise ConfigInvalid((Problem(f"environment {_TOKEN}", None, "daemon.gateway_token", wrong, cure),))
    return config, token


def _where(parser: ArgumentParser) -> None:
    served = "serve here; by default SELFHEAL_LISTEN, else 0.0.0.0:$PORT, else 127.0.0.1:8787"
    parser.add_argument("--listen", metavar="HOST:PORT", help=served)


GROUP = Group(
    "Elsewhere",
    (
        Verb(
            "gateway",
            "A web front for a daemon that nobody can reach: it pushes, this serves its reads, metrics and page.",
            "gateway --listen 127.0.0.1:8788",
            _gateway,
            (_where,),
        ),
    ),
)
