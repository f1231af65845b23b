"""How is a copy of a PostgreSQL database made, and how does a database come of a copy again?

A copy is a folder: `dump`, as pg_dump writes it, uncompressed, so that what two backups share is kept once; the rows of
tables that could only be read in part, where it was salvaged; and a manifest with what must be in it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from selfheal.data.asset import Proof, Tell
from selfheal.data.postgres_place import Place
from selfheal.data.postgres_tables import counts, database
from selfheal.data.postgres_tools import Talk, as_target, environment, literal, program, quoted, run_tool, talking
from selfheal.errors import DataFailed

_MANIFEST, _DUMP = "selfheal.json", "dump"
_LOCK_WAIT = "60s"  # somebody alters a table: better no backup now than a queue of everybody behind ours
_TWO_AT_A_TIME = 20_000_000  # bytes from which a second process is worth its start
# Settings that are lists of names, which the server keeps as they are to be written.
_LISTS = frozenset({"search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries"})
_FOREIGN_KEY = re.compile(r"(\bFOREIGN KEY \([^;]*?)( NOT VALID)?;")
_COPY = re.compile(rb'COPY ("(?:[^"]|"")+"|[^".\s]+)\.("(?:[^"]|"")+"|[^"(\s]+) (?:\(.*\) )?FROM stdin;\n')


class Rows(msgspec.Struct, frozen=True):
    """Rows of a table that could not be dumped as a whole: SQL names of the table and its columns, and a file."""

    table: str
    columns: str
    file: str


class Manifest(msgspec.Struct, frozen=True):
    """What a copy holds. `made` is how the database was made, see `postgres_tables.database`."""

    as_of: float
    major: int
    size: int
    counts: Mapping[str, float]
    made: dict[str, Any]
    salvaged: tuple[Rows, ...] = ()

    @property
    def proof(self) -> Proof:
        """What the copy should turn out to be."""
        return Proof(self.as_of, self.counts)


def begin(talk: Talk, place: Place) -> tuple[Manifest, str]:
    """Begin to read the database as it is now: a manifest without counts, and the snapshot for others to share."""
    head = talk.row(
        "SELECT extract(epoch FROM clock_timestamp()) AS as_of, current_setting('server_version_num')::int / 10000 "
        "AS major, pg_database_size(current_database()) AS size"
    )
    made = database(talk, place.database)
    assert made is not None  # the session is in it
    talk.run("SET statement_timeout = 0", "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    snapshot = talk.row("SELECT pg_export_snapshot() AS id")["id"]
    return Manifest(head["as_of"], head["major"], head["size"], {}, dict(made)), str(snapshot)


def capture(place: Place, into: Path, tell: Tell) -> Proof:
    """Make a copy. Rows are counted in the very snapshot that is dumped."""
    with talking(place) as talk:
        manifest, snapshot = begin(talk, place)
        with ThreadPoolExecutor(1) as dumping:
            done = dumping.submit(dump, place, into, manifest, snapshot)
            manifest = msgspec.structs.replace(manifest, counts=counts(talk, tell))
            tell("dumping", 0.5)
            done.result()
    write_manifest(into, manifest)
    return manifest.proof


def dump(place: Place, into: Path, manifest: Manifest, snapshot: str, without: Sequence[str] = ()) -> None:
    """Dump all but the rows of some tables, whose SQL names are given."""
    words = [
        program("pg_dump", manifest.major), "-w", "--format=directory", "--compress=0", "--no-sync",
        f"--lock-wait-timeout={_LOCK_WAIT}", f"--snapshot={snapshot}", *_jobs(manifest), f"--file={into / _DUMP}",
        *(f"--exclude-table-data={table}" for table in without),
    ]  # fmt: skip
    run_tool(f"dump the database {place.database!r}", words, place)


def write_manifest(copy: Path, manifest: Manifest) -> None:
    """Say what a copy holds."""
    (copy / _MANIFEST).write_bytes(msgspec.json.encode(manifest))


def manifest_of(copy: Path) -> Manifest:
    """Read what a copy should hold."""
    try:
        return msgspec.json.decode((copy / _MANIFEST).read_bytes(), type=Manifest)
    except (FileNotFoundError, msgspec.DecodeError) as why:
        raise DataFailed(f"cannot use the copy: its manifest is missing or damaged ({why}); take another one") from why


def restore(copy: Path, manifest: Manifest, place: Place, *, scratch: bool) -> None:
    """Fill the empty database of `place`. One for a scratch place belongs to nobody, and subscribes to nothing."""
    foreign = ("--no-owner", "--no-acl", "--no-comments", "--no-tablespaces", "--no-publications", "--no-subscriptions")
    common = [program("pg_restore", manifest.major), "-w", "--exit-on-error", *(foreign if scratch else ())]
    doing = f"restore into {place.database!r}"
    target = ["-d", as_target(place.database), *_jobs(manifest), str(copy / _DUMP)]
    if not manifest.salvaged:
        run_tool(doing, [*common, *target], place)
        return
    for section in ("pre-data", "data"):
        run_tool(doing, [*common, f"--section={section}", *target], place)
    for rows in manifest.salvaged:
        _load(place, copy, rows)
    _finish(doing, [*common, "--section=post-data", "-f", "-", str(copy / _DUMP)], place)


def _load(place: Place, copy: Path, rows: Rows) -> None:
    """Put rows that were salvaged into their table."""
    with (copy / rows.file).open("rb") as source:
        done = subprocess.run(
            [program("psql"), "-X", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-c",
             f"COPY {rows.table} ({rows.columns}) FROM STDIN"],
            stdin=source, env=environment(place), capture_output=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise DataFailed(f"cannot load what was salvaged of {rows.table}: psql ended with {done.returncode}")


def _finish(doing: str, words: Sequence[str], place: Place) -> None:
    """Build indexes and constraints over salvaged rows. A row may refer to one that was lost: that is let be."""
    script = _FOREIGN_KEY.sub(r"\1 NOT VALID;", run_tool(doing, words, place))
    done = subprocess.run(
        [program("psql"), "-X", "-q", "-w", "-v", "ON_ERROR_STOP=1"],
        input=script.encode(), env=environment(place), capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise DataFailed(f"cannot {doing}: indexes and constraints cannot be built over what was salvaged")


def counts_in_dump(copy: Path, manifest: Manifest, place: Place) -> dict[str, float]:
    """Read all rows of a copy without a database to put them into, and count them."""
    words = [program("pg_restore", manifest.major), "--data-only", "--file=-", str(copy / _DUMP)]
    found = dict.fromkeys(manifest.counts, 0.0)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(place)) as reading:
        assert reading.stdout is not None
        table = ""
        for line in reading.stdout:
            if not table:
                begun = _COPY.match(line)
                table = ".".join(_plain(part) for part in begun.groups()) if begun else ""
            elif line == b"\\.\n":
                table = ""
            else:
                found[table] = found.get(table, 0.0) + 1
        reading.communicate()
    if reading.returncode:
        raise DataFailed("cannot read the copy: its dump is damaged; take another one", "corrupted")
    return found


def _plain(name: bytes) -> str:
    text = name.decode()
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


def create(talk: Talk, name: str, made: Mapping[str, Any], *, scratch: bool) -> None:
    """Create an empty database as another one was made; a scratch one with the default owner and place."""
    raw = made["made"]
    words = [f"CREATE DATABASE {quoted(name)} TEMPLATE template0 ENCODING {literal(str(made['encoding']))}"]
    words += [f"LC_COLLATE {literal(raw['datcollate'])} LC_CTYPE {literal(raw['datctype'])}"]
    locale = raw.get("datlocale") or raw.get("daticulocale")
    if raw.get("datlocprovider") == "i" and locale:
        words.append(f"LOCALE_PROVIDER icu ICU_LOCALE {literal(locale)}")
    if raw.get("datlocprovider") == "b" and locale:
        words.append(f"LOCALE_PROVIDER builtin BUILTIN_LOCALE {literal(locale)}")
    if not scratch:
        words.append(f"OWNER {quoted(str(made['owner']))} TABLESPACE {quoted(str(made['tablespace']))}")
    talk.run(" ".join(words))


def furnish(talk: Talk, name: str, made: Mapping[str, Any]) -> None:
    """Give a database the settings, rights, limit and comment of another one."""
    name = quoted(name)
    for role, setting in made["settings"]:
        key, _, value = setting.partition("=")
        whose = f"DATABASE {name}" if role is None else f"ROLE {quoted(role)} IN DATABASE {name}"
        shown = value if key in _LISTS else literal(value)
        talk.run(f"ALTER {whose} SET {key} TO {shown}")
    if not made["common"]:
        talk.run(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    for role, right, grantable in made["rights"]:
        whom = "PUBLIC" if role is None else quoted(role)
        talk.run(f"GRANT {right} ON DATABASE {name} TO {whom}{' WITH GRANT OPTION' if grantable else ''}")
    talk.run(f"ALTER DATABASE {name} CONNECTION LIMIT {int(made['made']['datconnlimit'])}")
    if made["comment"] is not None:
        talk.run(f"COMMENT ON DATABASE {name} IS {literal(made['comment'])}")


def within(place: Place, name: str) -> Place:
    """Another database of the same server."""
    return replace(place, database=name)


def _jobs(manifest: Manifest) -> tuple[str, ...]:
    return ("--jobs=2",) if manifest.size > _TWO_AT_A_TIME else ()
