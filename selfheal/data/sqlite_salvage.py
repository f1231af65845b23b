"""What can still be had from a damaged SQLite database?

SQLite itself gives up at the first bad page, and follows a pointer that was bent to the pages of another table. So the
file is read page by page (`sqlite_trees`), and what is found is put into a new database by SQLite, which builds the
indexes again. Nothing is invented: what does not decode to the last byte, or has no place, is lost, and said so.
"""

from __future__ import annotations

import contextlib
import mmap
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple

from selfheal.data.asset import Tell
from selfheal.data.page_manifest import pages_of
from selfheal.data.sqlite_memory import Entry, Sound
from selfheal.data.sqlite_open import quoted
from selfheal.data.sqlite_pages import HEADER_BYTES, Header, Node, Pages, RawText, Unreadable, Value, header_of
from selfheal.data.sqlite_trees import Forest, Harvest, Span, cells, narrowed, row_ids
from selfheal.data.sqlite_words import Loss, in_words
from selfheal.errors import DataFailed

_BATCH = 1000
_UNDEFINED = {"sqlite_sequence", "sqlite_stat1", "sqlite_stat4"}  # SQLite makes these tables by itself


class Table(NamedTuple):
    """Where the values of a row go. `order` are the columns as they are stored, `None` one that cannot be written."""

    entry: Entry
    order: tuple[str | None, ...]
    key: int | None
    """Which of them is another name of the row id."""
    row_id: str
    """A name of the row id, empty where the table has none."""


def salvage(damaged: Path, copy: Path, sound: Sound | None, strange: list[Span], tell: Tell) -> str:
    """Write a new database with all that `damaged` still holds; returns in words what is lost.

    `strange` are places in it (first byte, end) that are damaged though they may look sound. Nobody else may have
    either file open. Raises DataFailed where not even the tables are known.
    """
    with damaged.open("rb") as file:
        if not damaged.stat().st_size:
            raise DataFailed("cannot salvage anything: the file is empty; restore a backup", "missing_data")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data, memoryview(data) as view:
            return _Salvage(view, copy, sound, strange, tell).run()


class _Salvage:
    def __init__(self, view: memoryview, copy: Path, sound: Sound | None, strange: list[Span], tell: Tell) -> None:
        first = b"" if strange and strange[0][0] == 0 else bytes(view[:HEADER_BYTES])
        self._header, own = _header(first, sound)
        suspect = frozenset(page for run in strange for page in pages_of(run, self._header.page_size))
        self._pages = Pages(view, self._header, suspect)
        self._forest = Forest(self._pages)
        self._sound, self._tell = sound, tell
        self._free = self._free_pages() if own else None
        self._exact = own and sound is not None and self._header.changes == sound.counted_at
        self._new = sqlite3.connect(copy, isolation_level=None)
        self._losses: list[Loss] = []

    def run(self) -> str:
        with contextlib.closing(self._new):
            return self._run()

    def _run(self) -> str:
        entries = self._schema()
        self._prepare()
        tables = [self._create(each) for each in entries if each.type == "table" and each.root]
        harvests = {table.entry.name: self._walk(table) for table in tables}
        strays = self._strays(tables, harvests)
        tables.sort(key=lambda each: each.entry.name == "sqlite_sequence")  # the others write into it
        for done, table in enumerate(tables):
            self._tell(f"salvaging {table.entry.name}", done / len(tables))
            self._fill(table, harvests[table.entry.name], strays.get(table.entry.name, []))
        self._new.execute("COMMIT")
        broken = [words for each in _last(entries) for words in self._add(each)]
        self._finish()
        return in_words(self._losses, broken)

    # --- the tables ---

    def _schema(self) -> list[Entry]:
        """Read which tables there are; what cannot be read is as it was at the last sound look."""
        harvest = self._forest.table(1)
        found = []
        for node, span in harvest.leaves:
            for cell in cells(self._pages, node, span, harvest):
                with contextlib.suppress(TypeError, ValueError):
                    found.append(Entry.of(cell.values))
        if not harvest.whole and self._sound:
            names = {each.name for each in found}
            found += [each for each in self._sound.schema if each.name not in names]
        if not found and (self._sound is None or self._sound.schema):
            raise DataFailed(
                "cannot salvage anything: which tables there were cannot be read, and no look has found the database "
                "sound before; restore a backup",
                "corrupted",
            )
        return found

    def _prepare(self) -> None:
        header = self._header
        for pragma in (
            f"page_size = {header.page_size}",
            f"encoding = '{header.encoding.upper().replace('UTF-16-', 'UTF-16')}'",
            f"user_version = {header.user_version if header.user_version < 2**31 else 0}",
            f"application_id = {header.application_id if header.application_id < 2**31 else 0}",
            "journal_mode = OFF",
            "synchronous = OFF",
            "ignore_check_constraints = ON",
            "foreign_keys = OFF",
        ):
            self._new.execute(f"PRAGMA {pragma}")
        self._new.execute("BEGIN")

    def _create(self, entry: Entry) -> Table:
        if entry.name not in _UNDEFINED:
            try:
                self._new.execute(entry.sql)
            except sqlite3.Error as why:
                raise DataFailed(
                    f"cannot salvage the table {entry.name!r}: what defines it is damaged ({why}); restore a backup",
                    "corrupted",
                ) from why
        return _table(self._new, entry)

    def _walk(self, table: Table) -> Harvest:
        return (self._forest.table if table.row_id else self._forest.index)(table.entry.root)

    def _add(self, entry: Entry) -> Iterator[str]:
        """Add an index, a view, a trigger or a virtual table, whose tables are filled."""
        try:
            if entry.type == "table":
                _declare(self._new, entry)
            elif entry.sql:
                self._new.execute(entry.sql)
        except sqlite3.Error as why:
            yield f"the {entry.type} {entry.name} ({why})"

    def _finish(self) -> None:
        """Leave the kind of journal that the application has chosen."""
        self._new.execute("PRAGMA synchronous = FULL")
        self._new.execute(f"PRAGMA journal_mode = {'WAL' if self._header.wal else 'DELETE'}")

    # --- rows ---

    def _fill(self, table: Table, harvest: Harvest, strays: list[tuple[Node, Span]]) -> None:
        ids: list[int] = []
        if table.entry.name == "sqlite_sequence":
            self._new.execute("DELETE FROM sqlite_sequence")
        before = self._new.total_changes
        rows = self._rows(table, harvest, strays, ids)
        while batch := list(islice(rows, _BATCH)):
            self._insert(table, batch)
        found = self._new.total_changes - before
        gaps = narrowed(harvest.gaps, ids) if harvest.gaps else []
        expected = self._sound.counts.get(table.entry.name) if self._sound else None
        if not table.entry.name.startswith("sqlite_"):
            loss = Loss(table.entry.name, found, expected, harvest.lost, tuple(gaps), harvest.pages, self._exact)
            self._losses.append(loss)

    def _rows(
        self, table: Table, harvest: Harvest, strays: list[tuple[Node, Span]], ids: list[int]
    ) -> Iterator[tuple[tuple[str, ...], list[Value]]]:
        """Give for each row the columns that it has, with their values."""
        remember = bool(harvest.gaps)
        for node, span in [*harvest.leaves, *strays]:
            for cell in cells(self._pages, node, span, harvest):
                if len(cell.values) > len(table.order):
                    harvest.lost += 1
                    continue
                if remember:
                    ids.append(cell.row_id)
                yield _row(table, cell.row_id, cell.values)

    def _insert(self, table: Table, rows: Sequence[tuple[tuple[str, ...], list[Value]]]) -> None:
        """Insert rows, those of one form together."""
        for (columns, raw), alike in groupby(rows, key=_form):
            names = ", ".join(map(quoted, columns))
            places = ", ".join("CAST(? AS TEXT)" if each else "?" for each in raw)
            into = quoted(table.entry.name)
            self._new.executemany(
                f"INSERT OR IGNORE INTO {into} ({names}) VALUES ({places})",  # noqa: S608 - names are quoted
                [values for _, values in alike],
            )

    def _strays(self, tables: list[Table], harvests: dict[str, Harvest]) -> dict[str, list[tuple[Node, Span]]]:
        """Find a table for each leaf that no tree has reached. Without the list of free pages nobody knows which of
        them hold rows that were deleted long ago.
        """
        broken = [table for table in tables if table.row_id and harvests[table.entry.name].gaps]
        found: dict[str, list[tuple[Node, Span]]] = {}
        for node in self._forest.strays(self._free) if broken and self._free is not None else ():
            fitting = [(each, span) for each in broken if (span := self._fits(each, harvests[each.entry.name], node))]
            if len(fitting) == 1:
                found.setdefault(fitting[0][0].entry.name, []).append((node, fitting[0][1]))
        return {name: _apart(self._pages, leaves) for name, leaves in found.items()}

    def _fits(self, table: Table, harvest: Harvest, node: Node) -> Span | None:
        """Return the gap of the table that these rows belong into."""
        ids = row_ids(self._pages, node)
        span = next((gap for gap in harvest.gaps if gap[0] <= min(ids) and max(ids) <= gap[1]), None)
        if span is None:
            return None
        try:
            widths = {len(self._pages.cell(node, place).values) for place in node.cells}
        except Unreadable:
            return None
        return span if widths == {len(table.order)} else None

    def _free_pages(self) -> frozenset[int] | None:
        try:
            return self._pages.free(self._header.free_first, self._header.free_count)
        except Unreadable:
            return None


def _header(data: bytes, sound: Sound | None) -> tuple[Header, bool]:
    """Return the header, and whether it is the file's own."""
    try:
        own = header_of(data)
        if sound is None or own.encoding == header_of(sound.header).encoding:  # which never changes
            return own, True
        return header_of(sound.header), False
    except Unreadable as why:
        if sound is None:
            raise DataFailed(f"cannot salvage anything: {why}; restore a backup", "corrupted") from why
        return header_of(sound.header), False


def _table(new: sqlite3.Connection, entry: Entry) -> Table:
    """Find out how a table that stands in the new database is stored."""
    columns = new.execute("SELECT name, hidden, pk, type FROM pragma_table_xinfo(?)", (entry.name,)).fetchall()
    stored = [(name, pk, kind) for name, hidden, pk, kind in columns if hidden != 2]
    unwritable = {name for name, hidden, *_ in columns if hidden == 3}
    bare = new.execute("SELECT wr FROM pragma_table_list(?)", (entry.name,)).fetchone()[0]
    if bare:
        names = [name for (name,) in new.execute(_STORED_ORDER, (entry.name,))]
        return Table(entry, tuple(None if name in unwritable else name for name in names), None, "")
    keys = [at for at, (_, pk, kind) in enumerate(stored) if pk and kind.upper() == "INTEGER"]
    single = len(keys) == 1 and sum(bool(pk) for _, pk, _ in stored) == 1
    names = [name for name, *_ in stored]
    lower = {name.lower() for name in names}
    free = next((each for each in ("rowid", "_rowid_", "oid") if each not in lower), "")
    alias = keys[0] if single and not _indexed_key(new, entry.name) else None
    row_id = free or (names[alias] if alias is not None else "rowid")
    return Table(entry, tuple(None if name in unwritable else name for name in names), alias, row_id)


_STORED_ORDER = """SELECT x.name FROM pragma_index_list(?) AS i, pragma_index_xinfo(i.name) AS x
                   WHERE i.origin = 'pk' ORDER BY x.seqno"""


def _indexed_key(new: sqlite3.Connection, name: str) -> bool:
    """INTEGER PRIMARY KEY DESC is no name of the row id: it has an index of its own."""
    return any(origin == "pk" for (origin,) in new.execute("SELECT origin FROM pragma_index_list(?)", (name,)))


def _row(table: Table, row_id: int, values: list[Value]) -> tuple[tuple[str, ...], list[Value]]:
    """Put names to stored values. A row from before a column was added has none: it gets the default."""
    if table.key is not None and table.key < len(values):
        values[table.key] = row_id
    given = [(name, value) for name, value in zip(table.order, values, strict=False) if name is not None]
    if table.row_id and table.key is None:
        given.append((table.row_id, row_id))
    return tuple(name for name, _ in given), [value for _, value in given]


def _form(row: tuple[tuple[str, ...], list[Value]]) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    return row[0], tuple(isinstance(value, RawText) for value in row[1])


def _apart(pages: Pages, leaves: list[tuple[Node, Span]]) -> list[tuple[Node, Span]]:
    """Leave out leaves whose row ids overlap: one of them is an old one, and nobody can say which."""
    spans = [(min(ids), max(ids)) for ids in (row_ids(pages, node) for node, _ in leaves)]
    return [
        leaf
        for leaf, mine in zip(leaves, spans, strict=True)
        if sum(other[0] <= mine[1] and mine[0] <= other[1] for other in spans) == 1
    ]


def _last(entries: list[Entry]) -> list[Entry]:
    """Return what is made when the tables are filled, in the order in which each finds what it needs."""
    order = ("table", "index", "view", "trigger")
    later = [each for each in entries if each.type in order[1:] or not each.root]
    return sorted(later, key=lambda each: order.index(each.type))


def _declare(new: sqlite3.Connection, entry: Entry) -> None:
    """Name a virtual table whose own tables are filled already: to create it would create those."""
    new.execute("PRAGMA writable_schema = ON")
    new.execute(
        "INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES ('table', ?, ?, 0, ?)",
        (entry.name, entry.name, entry.sql),
    )
    new.execute("PRAGMA writable_schema = OFF")
