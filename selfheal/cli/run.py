"""How is the daemon started, over one's own fleet or over the demo's?"""

from __future__ import annotations

import gc
import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from selfheal import keeper
from selfheal.cli.config import load_config
from selfheal.cli.output import plain, say
from selfheal.cli.place import CONFIG_FILE, config_file
from selfheal.cli.verb import FAILED, WRONG_USE, Argument, Group, Verb, a_path, seconds
from selfheal.errors import SelfhealError

_NO_CONFIGURATION = f"""\
cannot run: there is no configuration, neither --config, nor SELFHEAL_CONFIG, nor ./{CONFIG_FILE}

To see selfheal at work without one:

    selfheal demo

To watch a program of your own, write these lines into {CONFIG_FILE} and run it again:

    [agents.web]
    command = "python3 -m http.server 8000 --bind 127.0.0.1"
    checks = [{{ http = "http://127.0.0.1:8000/" }}]"""


def _run(arguments: Namespace) -> int:
    if arguments.keeper:
        _become_keeper()
    path = config_file(os.environ, arguments.config)
    if path is None:
        say(_NO_CONFIGURATION)
        return WRONG_USE
    with _nothing_to_collect():
        from selfheal.config.load import Overrides

        loaded = load_config(path, os.environ, Overrides(arguments.state_dir, arguments.listen))
        from selfheal import machine  # after the configuration: a wrong one need not wait for all that

    try:
        return machine.run(loaded)
    except SelfhealError as why:
        if why.exit_code != FAILED or keeper.VARIABLE not in os.environ:
            raise
        say(plain(str(why)))
        return keeper.CANNOT_START


def _become_keeper() -> NoReturn:
    """Replace this process by the keeper, which starts what we would have been: as we were started, but for one word.

    Its signals are blocked here already, to be kept while it begins.
    """
    from selfheal.supervise.subreaper import become_subreaper

    signal.pthread_sigmask(signal.SIG_BLOCK, keeper.FORWARDED)
    become_subreaper()
    daemon = [sys.executable, *(word for word in sys.orig_argv[1:] if word != "--keeper")]
    words = [sys.executable, "-S", "-P", keeper.__file__, *daemon]
    os.execv(sys.executable, words)  # noqa: S606 - there is no shell in it


def _demo(arguments: Namespace) -> int:
    from selfheal.cli.stage import perform  # all that a demo needs; nobody else pays for it

    return perform(arguments.state_dir, arguments.listen, arguments.seconds, os.environ, sys.stdout)


@contextmanager
def _nothing_to_collect() -> Iterator[None]:
    """Import without the garbage collector: it would look through all of it again and again, a fifth of the start.

    What was imported stays for good, and is not looked through later either.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _which_file(parser: ArgumentParser) -> None:
    where = f"by default that of SELFHEAL_CONFIG, or ./{CONFIG_FILE}"
    parser.add_argument("--config", type=a_path, metavar="FILE", help=where)


def _where(state_dir: str, listen: str) -> Argument:
    """Where the daemon keeps its state and listens, with what holds without these options and their variables."""

    def add(parser: ArgumentParser) -> None:
        kept = f"keep the state here; by default SELFHEAL_STATE_DIR, else {state_dir}"
        served = f"serve the API and the page here; by default SELFHEAL_LISTEN, else {listen}"
        parser.add_argument("--state-dir", type=a_path, metavar="DIR", help=kept)
        parser.add_argument("--listen", metavar="HOST:PORT", help=served)

    return add


def _kept(parser: ArgumentParser) -> None:
    what = "start the daemon again when it dies, and bury orphans: for containers"
    parser.add_argument("--keeper", action="store_true", help=what)


def _how_long(parser: ArgumentParser) -> None:
    how_long = "end by itself after so many seconds, or 2m, 1h; else at Ctrl-C"
    parser.add_argument("--seconds", type=seconds, metavar="N", help=how_long)


GROUP = Group(
    "Getting started",
    (
        Verb(
            "run",
            "The daemon: start the fleet of a configuration and keep it alive.",
            "run --config selfheal.toml",
            _run,
            (_which_file, _where("that of the file ('state')", "$PORT, that of the file (127.0.0.1:8787)"), _kept),
        ),
        Verb(
            "demo",
            "The daemon over a small fleet that misbehaves, with a running commentary.",
            "demo --seconds 60",
            _demo,
            (_how_long, _where("selfheal-demo where this user's state lives", "127.0.0.1:8787 or a free port")),
        ),
    ),
)
