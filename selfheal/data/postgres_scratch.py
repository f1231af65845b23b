"""Is a copy of a PostgreSQL database sound? It is restored into a scratch database, which is always dropped."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from selfheal.data.asset import Proof, Tell
from selfheal.data.postgres_copy import Manifest, counts_in_dump, create, manifest_of, restore, within
from selfheal.data.postgres_look import ask
from selfheal.data.postgres_place import Place
from selfheal.data.postgres_tables import counts
from selfheal.data.postgres_tools import Talk, presiding, quoted, talking
from selfheal.errors import DataFailed

_PREFIX = "selfheal_verify_"
_NAME = re.compile(_PREFIX + "[0-9a-f]{16}")
# One that is proving holds this lock for as long as it has a scratch database, and only who has it alone sweeps.
_LOCK = "hashtext('selfheal_verify')"
_LEFT = r"""
SELECT datname AS name FROM pg_database d WHERE datname LIKE 'selfheal\_verify\_%'
    AND pg_has_role(d.datdba, 'USAGE') AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)
    AND coalesce(shobj_description(d.oid, 'pg_database'), '') IN ('', 'selfheal: a scratch copy, may be dropped')
"""


def prove(copy: Path, place: Place, canaries: Mapping[str, str], tell: Tell) -> Proof:
    """Restore a copy on the server of `place`, count all rows, ask the canaries. Raises DataFailed."""
    manifest, note = manifest_of(copy), ""
    with presiding(place) as talk:
        if talk.row("SELECT rolcreatedb OR rolsuper AS may FROM pg_roles WHERE rolname = current_user")["may"]:
            with _scratch(talk, manifest) as name:
                found = _restored(copy, manifest, within(place, name), canaries, tell)
        else:
            note = f"the copy was only read, not restored: ALTER ROLE {place.user} CREATEDB lets it be"
            tell(note, 0.0)
            found = counts_in_dump(copy, manifest, place)
    for table in sorted({*found, *manifest.counts}):
        if (has := found.get(table, 0)) != (wanted := manifest.counts.get(table, 0)):
            raise DataFailed(f"the copy holds {has:g} rows of {table}, not {wanted:g}; take another one", "corrupted")
    return Proof(manifest.as_of, found, note=note)


def _restored(
    copy: Path, manifest: Manifest, place: Place, canaries: Mapping[str, str], tell: Tell
) -> dict[str, float]:
    tell("restoring into a scratch database", 0.0)
    restore(copy, manifest, place, scratch=True)
    with talking(place) as talk:
        found = counts(talk, tell)
        for wrong, cause in ask(talk, canaries)[1]:
            raise DataFailed(f"in the restored copy {wrong}", cause)
    return found


@contextmanager
def _scratch(talk: Talk, manifest: Manifest) -> Iterator[str]:
    """Give an empty database that is gone afterwards. Those of killed jobs are dropped first."""
    if talk.row(f"SELECT pg_try_advisory_lock({_LOCK}) AS alone")["alone"]:
        for row in talk.rows(_LEFT):
            if _NAME.fullmatch(row["name"]):
                talk.run(f"DROP DATABASE IF EXISTS {quoted(row['name'])}")
        talk.run(f"SELECT pg_advisory_unlock({_LOCK})")
    talk.run("SET lock_timeout = 0", f"SELECT pg_advisory_lock_shared({_LOCK})")
    name = _PREFIX + secrets.token_hex(8)
    try:
        create(talk, name, manifest.made, scratch=True)
        talk.run(f"COMMENT ON DATABASE {quoted(name)} IS 'selfheal: a scratch copy, may be dropped'")
        yield name
    finally:
        talk.run(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")
