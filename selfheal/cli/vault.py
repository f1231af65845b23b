"""How does a verb get at the backups when no daemon answers?"""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

from selfheal.cli.config import load_config
from selfheal.cli.place import Address, config_file, place_of
from selfheal.cli.progress import Bar
from selfheal.cli.verb import WrongUse
from selfheal.compose.custody import vault_of
from selfheal.config.load import Overrides
from selfheal.config.models import Config
from selfheal.data.backup import Backup
from selfheal.data.vault import Vault
from selfheal.errors import UnknownName


def taken_out(arguments: Namespace, bar: Bar) -> Backup:
    """Write the backup that was asked for into the folder `to`; returns which it was. Raises SelfhealError."""
    into: Path = arguments.to
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise WrongUse(
            f"cannot write a backup into {str(into)!r}: something is there; name a folder that is new or empty"
        )
    vault = Vault(_vault(arguments))
    chosen = _chosen(vault, arguments)
    if not arguments.dry_run:
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            vault.take(chosen, into, bar)
        finally:
            bar.clear()
    return chosen


def _vault(arguments: Namespace) -> Path:
    """The configuration says where; without one they are in the state directory."""
    place = place_of(arguments)
    if isinstance(place, Address):
        raise WrongUse("cannot read the backups of a daemon elsewhere; say this on its machine, without --url")
    file = config_file(os.environ)
    config = load_config(file, os.environ, Overrides(state_dir=place.path)).config if file is not None else Config()
    return vault_of(config, place.path)


def _chosen(vault: Vault, arguments: Namespace) -> Backup:
    """What was asked for by its id may be one that was not proved; by itself none of those is taken."""
    mine = vault.backups(arguments.agent)
    named = [one for one in mine if one.id == arguments.backup]
    early = [one for one in mine if one.counts and (arguments.at is None or one.proof.as_of <= arguments.at)]
    found = named if arguments.backup != "newest" else early
    if not found:
        raise UnknownName(
            f"cannot find such a backup of {arguments.agent!r} among {len(mine)} of it; "
            f"'selfheal backup --list' shows what there is"
        )
    return found[-1]
