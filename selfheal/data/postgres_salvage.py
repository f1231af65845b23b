"""What can still be read of a damaged PostgreSQL database?

Tables that can be read are dumped as ever. Of the others row after row is read by its place on the disk, in ranges that
are halved where the server stumbles. Nothing is changed, and nothing is made up: what cannot be read is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from selfheal.data.asset import Salvaged, Tell
from selfheal.data.postgres_copy import Rows, begin, dump, write_manifest
from selfheal.data.postgres_place import Place
from selfheal.data.postgres_tables import Found, read, tables
from selfheal.data.postgres_tools import StatementFailed, Talk, literal, talking
from selfheal.errors import DataFailed

# Pages that are asked for at once. What was read of a range in which one is damaged is read again.
_PAGES = 1024
_HEAD, _LEAST_ROW = 24, 28  # bytes of a page's header, and of a row without a column, with the pointer to it
_COLUMNS = """
SELECT coalesce(string_agg(quote_ident(attname), ', ' ORDER BY attnum), '') AS names FROM pg_attribute
WHERE attrelid = {oid} AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of a table: pages from one on up to another, or a single row where `row` is not 0.

    `most` is how many rows a page can hold.
    """

    most: int
    first: int
    end: int
    row: int = 0

    def halves(self) -> Iterator[_Part]:
        if self.end - self.first > 1:
            middle = (self.first + self.end) // 2
            yield _Part(self.most, self.first, middle)
            yield _Part(self.most, middle, self.end)
        elif not self.row:
            yield from (_Part(self.most, self.first, self.end, row) for row in range(1, self.most + 1))

    def condition(self) -> str:
        """A Tid Scan, in every version: no other page is touched."""
        if self.row:
            return f"ctid = '({self.first},{self.row})'"
        pages = f"generate_series({self.first}, {self.end - 1}) page, generate_series(1, {self.most}) row"
        return f"ctid = ANY (ARRAY(SELECT format('(%s,%s)', page, row)::tid FROM {pages}))"


def salvage(place: Place, into: Path, tell: Tell) -> Salvaged:
    """Make a copy of all that can be read. Raises DataFailed where the catalogs themselves are damaged."""
    with talking(place) as talk:
        manifest, snapshot = begin(talk, place)
        found = tables(talk)
        counts: dict[str, float] = {}
        damaged: list[Found] = []
        for done, table in enumerate(found):
            tell("reading tables", done / len(found))
            try:
                counts[table.full] = float(_attempt(talk, table))
            except StatementFailed as why:
                if not why.damage:
                    raise
                damaged.append(table)
        tell("dumping", 0.5)
        # Pages are asked for by their number: a sequential scan would stumble over the damaged one each time.
        talk.run("SET enable_seqscan = off")
        dump(place, into, manifest, snapshot, [table.sql for table in damaged])
        salvaged, lost = [], []
        for number, table in enumerate(damaged):
            tell(f"salvaging {table.full}", number / len(damaged))
            columns = str(talk.row(_COLUMNS.format(oid=table.oid))["names"])
            rows = Rows(table.sql, columns, f"rows-{number}")
            count, words = _pick(talk, table, rows, into)
            counts[table.full] = float(count)
            salvaged.append(rows)
            lost.append(f"of {table.full} {count} rows were read, {words}")
    manifest = replace(manifest, counts=counts, salvaged=tuple(salvaged))
    if not any(counts.values()):
        raise DataFailed("cannot salvage anything: no row of any table can be read", "corrupted")
    write_manifest(into, manifest)
    note = "; foreign keys were not checked again" if lost else ""
    return Salvaged(manifest.proof, "; ".join(lost) + note)


def _attempt(talk: Talk, table: Found) -> int:
    with_all = _saved(talk)
    try:
        rows, _ = read(talk, table)
    except StatementFailed:
        talk.run(f"ROLLBACK TO {with_all}")
        raise
    return rows


def _saved(talk: Talk) -> str:
    """A point to go back to: an error ends the transaction otherwise, and the snapshot with it."""
    talk.run("SAVEPOINT selfheal")
    return "selfheal"


def _pick(talk: Talk, table: Found, rows: Rows, into: Path) -> tuple[int, str]:
    """Write all rows of a table that can be read; how many, and what could not be in words."""
    size = talk.row(
        f"SELECT pg_relation_size({literal(table.sql)}::regclass) AS size, current_setting('block_size')::int AS page"
    )
    pages, most, count = size["size"] // size["page"], (size["page"] - _HEAD) // _LEAST_ROW, 0
    lost: set[int] = set()
    lone = 0
    waiting = [_Part(most, first, min(first + _PAGES, pages)) for first in range(0, pages, _PAGES)][::-1]
    with (into / rows.file).open("wb") as file:
        while waiting:
            part = waiting.pop()
            lines = _lines(talk, rows, part)
            if lines is not None:
                file.writelines(line + b"\n" for line in lines)
                count += len(lines)
            elif part.row:
                lone += 1
            elif part.end - part.first == 1 and not _readable(talk, table, part.first):
                lost.add(part.first)
            else:
                waiting.extend(reversed(list(part.halves())))
    return count, f"{lone} rows and {len(lost)} of {pages} pages could not be"


def _lines(talk: Talk, rows: Rows, part: _Part) -> list[bytes] | None:
    """The rows of a part as COPY writes them; None where it cannot be read."""
    point = _saved(talk)
    chosen = f"FROM ONLY {rows.table} t WHERE {part.condition()}"
    try:
        # psql does not tell of a COPY that breaks off half-way: everything is read before, and RELEASE tells of it.
        talk.run(f"SELECT sum(hashtextextended(t::text, 0)) {chosen}")
        lines = talk.lines(f"COPY (SELECT {rows.columns} {chosen}) TO STDOUT")
    except StatementFailed as why:
        if not why.damage:
            raise
        talk.run(f"ROLLBACK TO {point}")
        return None
    talk.run(f"RELEASE {point}")
    return lines


def _readable(talk: Talk, table: Found, page: int) -> bool:
    """Whether the server takes a page for one at all: else there is no use in asking for each of its rows."""
    point = _saved(talk)
    try:
        talk.run(f"SELECT count(*) FROM ONLY {table.sql} WHERE ctid = '({page},1)'")
    except StatementFailed:
        talk.run(f"ROLLBACK TO {point}")
        return False
    return True
