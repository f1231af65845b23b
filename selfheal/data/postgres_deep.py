"""Is everything in a PostgreSQL database still what it was? A thorough look: every row of every table is read.

Without checksums a page of zeros is an empty page to the server, and a flipped bit in a row is another value. What
finds them is this: a table to which nobody has written since the last look must hold the same rows.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from selfheal.data.asset import Health, Tell
from selfheal.data.postgres_look import State, Wrong, state_of
from selfheal.data.postgres_memory import Memory, Table
from selfheal.data.postgres_options import Options
from selfheal.data.postgres_place import Place
from selfheal.data.postgres_tables import Found, read, tables
from selfheal.data.postgres_tools import StatementFailed, Talk, environment, program

# A session that rests tells of its last writes after ten seconds (PGSTAT_IDLE_INTERVAL); before version 15 only with
# its next transaction, whenever that is.
_TOLD_AFTER_S = 12
_TELLS_LATE = 15_00_00
# A share of the time for amcheck and for reading the tables each; the rest is for what comes before and after.
_SHARE = 0.4
_BUSY_SINCE = """
SELECT count(*) AS sessions FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND coalesce(backend_type, '') NOT IN ('autovacuum worker', 'parallel worker')
    AND (state_change IS NULL OR state <> 'idle' OR extract(epoch FROM state_change) > {since})
"""
_AMCHECK_LINE = re.compile(r'^(heap table|btree index) "(.*?)"')


@dataclass(slots=True)
class _Seen:
    """What a look has gathered so far."""

    tables: dict[str, Table]
    counts: dict[str, float] = field(default_factory=dict)
    wrongs: list[Wrong] = field(default_factory=list)
    unread: int = 0
    doubtful: int = 0
    unsure: list[Found] = field(default_factory=list)


def look_deep(
    talk: Talk, place: Place, options: Options, state: State, memory: Memory, tell: Tell
) -> tuple[Health, Memory]:
    """Read everything, within the time that there is: what is not reached now is the first next time."""
    seen = _Seen({})
    there = tables(talk)
    order = sorted(there, key=lambda table: memory.tables[table.full].at if table.full in memory.tables else 0.0)
    until = state.now + options.thorough_s * _SHARE
    for done, table in enumerate(order):
        tell("reading tables", done / len(order))
        _read(talk, table, memory, seen, options, until)
    _confirm(talk, state, memory, seen)
    tell("checking structures", 1.0)
    checked = _amcheck(talk, place, options, seen)
    after = state_of(talk)
    known = memory.checksum_failures
    if after.checksum_failures > max(known, state.checksum_failures):
        seen.wrongs.append(("damaged pages were read: their checksums are wrong (pg_stat_database)", "corrupted"))
    elif not seen.wrongs and not seen.unread:
        known = after.checksum_failures  # all could be read after them
    kept = {table.full: memory.tables[table.full] for table in there if table.full in memory.tables}
    reason, cause = _gravest(seen.wrongs)
    signals = {"amcheck": float(checked), "tables": float(len(there)), "tables_unread": float(seen.unread)}
    signals["tables_doubtful"] = float(seen.doubtful)
    health = Health(reason, cause, signals, seen.counts)
    return health, replace(memory, checksum_failures=known, tables={**kept, **seen.tables})


def _gravest(wrongs: list[Wrong]) -> Wrong:
    """All that is damaged in one reason; else the first of what is wrong."""
    damages = [words for words, cause in wrongs if cause == "corrupted"]
    if damages:
        return _listed(damages, "; "), "corrupted"
    return wrongs[0] if wrongs else ("", "")


def _read(talk: Talk, table: Found, memory: Memory, seen: _Seen, options: Options, until: float) -> None:
    now = float(talk.row("SELECT extract(epoch FROM clock_timestamp()) AS now")["now"])
    if now >= until or table.size > options.max_read:
        seen.unread += 1
        return
    try:
        talk.run(f"SET statement_timeout = {max(1, round((until - now) * 1000))}")
        rows, sums = read(talk, table, sums=not table.restless)
    except StatementFailed as why:
        if why.damage:
            seen.wrongs.append((f"the table {table.full} cannot be read: {why.words}", "corrupted"))
        seen.unread += 1
        return
    finally:
        talk.run(f"SET statement_timeout = {round(options.timeout_s * 1000)}")
    seen.counts[table.full] = rows
    before, found = memory.tables.get(table.full), Table(table.writes, rows, sums, now)
    if before is not None and before.writes == found.writes and _differs(before, found):
        seen.unsure.append(table)  # and what is remembered stays
    else:
        seen.tables[table.full] = found


def _differs(before: Table, found: Table) -> bool:
    return before.rows != found.rows or (before.sums != found.sums and bool(before.sums) and bool(found.sums))


def _confirm(talk: Talk, state: State, memory: Memory, seen: _Seen) -> None:
    """Look again at what differs although nobody seems to have written: whoever has may not have told yet."""
    if not seen.unsure or state.told["standby"]:  # a standby counts no writes
        return
    since = min(memory.tables[table.full].at for table in seen.unsure)
    if talk.row(_BUSY_SINCE.format(since=since))["sessions"]:
        if state.told["version"] < _TELLS_LATE:
            seen.doubtful = len(seen.unsure)
            return
        talk.run("SET statement_timeout = 0", f"SELECT pg_sleep({_TOLD_AFTER_S})")
    now = {table.full: table.writes for table in tables(talk)}
    for table in seen.unsure:
        before = memory.tables[table.full]
        if now.get(table.full) == before.writes:
            seen.wrongs.append((_words(table, before, int(seen.counts[table.full])), "corrupted"))


def _words(table: Found, before: Table, rows: int) -> str:
    found = "other values" if rows == before.rows else f"{rows} rows instead of {before.rows}"
    return f"the table {table.full} holds {found}, and nobody has written to it since the last look"


def _amcheck(talk: Talk, place: Place, options: Options, seen: _Seen) -> bool:
    """Let pg_amcheck look, where its extension is there and the role may use it. Says whether it came to its end."""
    if options.amcheck == "never" or not talk.rows("SELECT 1 AS there FROM pg_extension WHERE extname = 'amcheck'"):
        return False
    major = int(talk.row("SELECT current_setting('server_version_num')::int / 10000 AS major")["major"])
    if major < 14:  # it came with 14
        return False
    words = [program("pg_amcheck", major), "-w", "--heapallindexed"]
    try:
        done = subprocess.run(
            words, env=environment(place), capture_output=True, check=False, timeout=options.thorough_s * _SHARE
        )
    except subprocess.TimeoutExpired:
        return False
    said = done.stdout.decode(errors="replace").splitlines()
    seen.wrongs.extend(_misshapen(said))
    return done.returncode in (0, 2)  # 2: it has found damage; 1: it may not look


def _misshapen(said: list[str]) -> Iterator[Wrong]:
    """What pg_amcheck has found, one wrong for all tables and one for all indexes.

    A damaged index loses no row, and a backup is no cure for it: the cause is another one.
    """
    found = [match for match in map(_AMCHECK_LINE.match, said) if match]
    heaps = sorted({match[2] for match in found if match[1] == "heap table"})
    indexes = sorted({match[2] for match in found if match[1] == "btree index"})
    if heaps:
        yield f"pg_amcheck finds damage in {_listed(heaps)}", "corrupted"
    if indexes:
        cure = "REINDEX INDEX builds it anew from the table"
        yield f"pg_amcheck finds damage in the index {_listed(indexes)}; {cure}", "wrong_answer"


def _listed(names: list[str], between: str = ", ") -> str:
    return between.join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
