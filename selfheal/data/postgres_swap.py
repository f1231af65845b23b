"""How does a restored PostgreSQL database take the place of the damaged one, so that nothing is lost on the way?

The server renames both within one transaction: there is no moment at which the name leads nowhere or to half of one.
Which of the two it leads to is told by a mark in the settings of the database, which a rename does not touch. The
damaged one is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfheal.data.asset import Swapped, Tell
from selfheal.data.postgres_copy import create, furnish, manifest_of, restore, within
from selfheal.data.postgres_place import Place
from selfheal.data.postgres_tables import database, tables
from selfheal.data.postgres_tools import StatementFailed, Talk, literal, presiding, quoted, talking
from selfheal.errors import DataFailed

_LONGEST = 63  # bytes of a name; the server cuts the rest off without a word
_BEGUN, _READY = "selfheal.preparing", "selfheal.prepared"
_ENDS_WITHIN_S = 30


@dataclass(frozen=True, slots=True)
class _Names:
    """The database as it is known, beside it what is prepared, and what the damaged one is called afterwards."""

    live: str
    new: str
    old: str


def _names(place: Place, ticket: str) -> _Names:
    return _Names(place.database, *(_cut(place.database, f"_{what}_{ticket}") for what in ("new", "damaged")))


def _cut(name: str, end: str) -> str:
    room = _LONGEST - len(end.encode())
    if room < 1:
        raise DataFailed(f"cannot name a database after the ticket {end!r}: it is too long")
    return name.encode()[:room].decode(errors="ignore") + end


def prepare(copy: Path, place: Place, ticket: str, tell: Tell) -> None:
    """Restore a copy into a database of its own beside the one that serves."""
    manifest, names = manifest_of(copy), _names(place, ticket)
    with presiding(place) as talk:
        _allowed(talk, names)
        _begin_anew(talk, place, names, ticket)
        made: Mapping[str, Any] = database(talk, names.live) or manifest.made
        create(talk, names.new, made, scratch=False)
        _mark(talk, names.new, _BEGUN, ticket)
        tell("restoring beside the damaged database", 0.1)
        new = within(place, names.new)
        restore(copy, manifest, new, scratch=False)
        with talking(new) as inside:
            tell("gathering statistics", 0.9)
            inside.run("ANALYZE")
        furnish(talk, names.new, made)
        _mark(talk, names.new, _READY, ticket)


def swap(place: Place, ticket: str, tell: Tell) -> Swapped:
    """Let the prepared database have the name, and keep the other aside. From wherever an earlier try was ended."""
    names = _names(place, ticket)
    with presiding(place) as talk:
        _allowed(talk, names)
        if not _marked(talk, names.live, _READY, ticket):
            if not _marked(talk, names.new, _READY, ticket):
                raise DataFailed(f"cannot put {names.new!r} in place: it is not there, or not ready; prepare it again")
            _exchange(talk, place, names, tell)
        there = _is_there(talk, names.old)
        if there:
            _let_in(talk, names.old)
    return Swapped(names.old if there else "")


def _exchange(talk: Talk, place: Place, names: _Names, tell: Tell) -> None:
    """Keep everybody out, end who is in, rename both. Where it cannot be, everybody is let in again."""
    had = _is_there(talk, names.live)
    try:
        if had:
            talk.run(f"ALTER DATABASE {quoted(names.live)} ALLOW_CONNECTIONS false")
        tell("ending sessions", 0.2)
        _empty(talk, names)
        tell("renaming", 0.9)
        talk.run("BEGIN")
        if had:
            talk.run(f"ALTER DATABASE {quoted(names.live)} RENAME TO {quoted(names.old)}")
        talk.run(f"ALTER DATABASE {quoted(names.new)} RENAME TO {quoted(names.live)}", "COMMIT")
    except DataFailed as why:
        with presiding(place) as again:
            if had and _is_there(again, names.live) and not _is_there(again, names.old):
                _let_in(again, names.live)
        raise DataFailed(
            f"cannot put the prepared database in the place of {names.live!r}: {why}; the role needs CREATEDB, "
            "and must own the database or be a superuser"
        ) from why


def _empty(talk: Talk, names: _Names) -> None:
    """End all sessions of both databases, and wait until they are gone."""
    both = f"({literal(names.live)}, {literal(names.new)})"
    held = talk.row(f"SELECT count(*) AS held FROM pg_prepared_xacts WHERE database IN {both}")["held"]
    if held:
        raise DataFailed(f"{held} prepared transactions hold it; end them with COMMIT PREPARED or ROLLBACK PREPARED")
    for _ in range(_ENDS_WITHIN_S * 10):
        ending = f"SELECT pg_terminate_backend(pid) AS told FROM pg_stat_activity WHERE datname IN {both}"
        if not talk.rows(ending):
            return
        talk.run("SELECT pg_sleep(0.1)")
    raise DataFailed(f"sessions did not end within {_ENDS_WITHIN_S} s")


def _allowed(talk: Talk, names: _Names) -> None:
    """Refuse what could not be brought to its end, before anything is touched."""
    told = talk.row(
        f"""SELECT pg_is_in_recovery() AS standby, rolcreatedb OR rolsuper AS may,
        (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = {literal(names.live)}) AS owns
        FROM pg_roles WHERE rolname = current_user"""
    )
    if told["standby"]:
        raise DataFailed("cannot put data back on a standby: it follows its primary; heal that one", "replica_behind")
    if not told["may"] or told["owns"] is False:
        raise DataFailed(
            f"cannot restore beside {names.live!r}: grant the role CREATEDB, and the role that owns the database",
            "permission",
        )


def _begin_anew(talk: Talk, place: Place, names: _Names, ticket: str) -> None:
    """Drop what an earlier try has left, and nothing that is somebody else's."""
    if not _is_there(talk, names.new):
        return
    if not _marked(talk, names.new, _BEGUN, ticket):
        with talking(within(place, names.new)) as inside:
            if tables(inside):
                raise DataFailed(f"cannot prepare {names.new!r}: there is a database of that name; rename it")
    talk.run(f"DROP DATABASE {quoted(names.new)} WITH (FORCE)")


def _mark(talk: Talk, name: str, key: str, ticket: str) -> None:
    talk.run(f"ALTER DATABASE {quoted(name)} SET {key} TO {literal(ticket)}")


def _marked(talk: Talk, name: str, key: str, ticket: str) -> bool:
    found = talk.rows(
        f"""SELECT 1 AS there FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
        WHERE s.setrole = 0 AND d.datname = {literal(name)} AND {literal(f"{key}={ticket}")} = ANY (s.setconfig)"""
    )
    return bool(found)


def _is_there(talk: Talk, name: str) -> bool:
    return bool(talk.rows(f"SELECT 1 AS there FROM pg_database WHERE datname = {literal(name)}"))


def _let_in(talk: Talk, name: str) -> None:
    try:
        talk.run(f"ALTER DATABASE {quoted(name)} ALLOW_CONNECTIONS true")
    except StatementFailed as why:
        raise DataFailed(
            f"cannot let anybody into {name!r} again: {why.words}; ALTER DATABASE … ALLOW_CONNECTIONS true"
        ) from why
