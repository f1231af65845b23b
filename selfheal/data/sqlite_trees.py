"""Which pages of a damaged SQLite file belong to which table, and which rows stand on them?

A tree is walked from its root. A page that is not what its place in the tree asks for (its kind, its row ids between
the keys above it, reached only once) is left out, and the row ids that should have been there are a gap. A leaf that
no tree reaches is somebody's whose tree is broken: of the one table that has a gap where all its row ids fit, and its
rows as many columns as that table.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from selfheal.data.sqlite_pages import (
    INDEX_INNER,
    INDEX_LEAF,
    LEAST_ID,
    MOST_ID,
    TABLE_INNER,
    TABLE_LEAF,
    Cell,
    Node,
    Pages,
    Unreadable,
)

Span = tuple[int, int]
"""Row ids from the first to the last, both included."""

ANYWHERE: Span = (LEAST_ID, MOST_ID)
_DEEPEST = 64  # of real trees with 2**31 pages at the most, 32


@dataclass(slots=True)
class Harvest:
    """What was found of one table. `lost` counts the single cells that could not be read, `pages` whole ones."""

    leaves: list[tuple[Node, Span]] = field(default_factory=list)
    gaps: list[Span] = field(default_factory=list)
    lost: int = 0
    pages: int = 0

    @property
    def whole(self) -> bool:
        return not (self.gaps or self.lost or self.pages)


class Forest:
    """All trees of a file. Walk each once, then ask for what is left over."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._reached: set[int] = set()

    def table(self, root: int) -> Harvest:
        """Walk the tree of a table with row ids."""
        harvest = Harvest()
        self._descend(root, ANYWHERE, harvest, 0)
        return harvest

    def index(self, root: int) -> Harvest:
        """Walk a tree of entries: an index, or a table WITHOUT ROWID. Its inner pages hold entries too."""
        harvest = Harvest()
        self._descend_index(root, harvest, 0)
        return harvest

    def strays(self, free: frozenset[int]) -> Iterator[Node]:
        """Give the leaves of tables that no tree has reached and that are in use."""
        for number in range(2, self._pages.count + 1):
            if number in self._reached or number in free:
                continue
            try:
                node = self._pages.node(number)
            except Unreadable:
                continue
            if node.kind == TABLE_LEAF and node.cells:
                yield node

    def _descend(self, number: int, span: Span, harvest: Harvest, depth: int) -> None:
        try:
            node = self._fitting(number, {TABLE_INNER, TABLE_LEAF}, depth)
            children = list(self._children(node, span)) if node.inner else []
            if not node.inner:
                self._check_ids(node, span)
        except (Unreadable, IndexError):
            harvest.gaps.append(span)
            harvest.pages += 1
            return
        self._reached.add(number)
        if not node.inner:
            harvest.leaves.append((node, span))
        for child, part in children:
            self._descend(child, part, harvest, depth + 1)

    def _children(self, node: Node, span: Span) -> Iterator[tuple[int, Span]]:
        """Give the pages below an inner one, with the row ids that each may hold."""
        first, last = span
        for place in node.cells:
            key = self._pages.key(node, place)
            if not first <= key <= last:
                raise Unreadable(f"the keys of page {node.number} are out of order")
            yield self._pages.child(node, place), (first, key)
            first = key + 1
        yield node.last, (first, last)

    def _check_ids(self, node: Node, span: Span) -> None:
        """A leaf is in its place when most of its rows are: one that is not has a damaged id of its own."""
        fitting = sum(span[0] <= each <= span[1] for each in row_ids(self._pages, node))
        if fitting * 2 < len(node.cells):
            raise Unreadable(f"page {node.number} holds the rows of another place")

    def _descend_index(self, number: int, harvest: Harvest, depth: int) -> None:
        try:
            node = self._fitting(number, {INDEX_INNER, INDEX_LEAF}, depth)
            below = [self._pages.child(node, place) for place in node.cells] if node.inner else []
        except (Unreadable, IndexError):
            harvest.pages += 1
            return
        self._reached.add(number)
        harvest.leaves.append((node, ANYWHERE))
        for child in [*below, node.last] if node.inner else []:
            self._descend_index(child, harvest, depth + 1)

    def _fitting(self, number: int, kinds: set[int], depth: int) -> Node:
        if number in self._reached or depth > _DEEPEST:
            raise Unreadable(f"page {number} is reached twice")
        node = self._pages.node(number)
        if node.kind not in kinds:
            raise Unreadable(f"page {number} is of another kind")
        return node


def row_ids(pages: Pages, node: Node) -> list[int]:
    """Return the row ids of a leaf; one that cannot be read is out of any order."""
    return [pages.row_id(node, place) for place in node.cells]


def cells(pages: Pages, node: Node, span: Span, harvest: Harvest) -> Iterator[Cell]:
    """Give what can be read of a page, in order; what cannot is counted as lost."""
    ordered = _ordered(row_ids(pages, node), span) if node.kind == TABLE_LEAF else [True] * len(node.cells)
    for place, good in zip(node.cells, ordered, strict=True):
        try:
            if not good:
                raise Unreadable("a row id is out of order")
            cell = pages.cell(node, place)
        except Unreadable:
            harvest.lost += 1
            continue
        yield cell


def _ordered(ids: list[int], span: Span) -> list[bool]:
    """Say which ids rise from one to the next. Of two that do not, that one goes which the next contradicts."""
    before = span[0] - 1
    good = []
    for at, each in enumerate(ids):
        following = ids[at + 1] if at + 1 < len(ids) else span[1] + 1
        fits = before < each <= span[1] and (each < following or following <= before)
        good.append(fits)
        before = each if fits else before
    return good


def narrowed(gaps: Iterable[Span], found: Iterable[int]) -> list[Span]:
    """Return what is left of the gaps when these row ids are not missing."""
    ids = sorted(found)
    left: list[Span] = []
    for first, last in sorted(gaps):
        begin = first
        for each in ids[bisect_left(ids, first) : bisect_right(ids, last)]:
            if each > begin:
                left.append((begin, each - 1))
            begin = each + 1
        if begin <= last:
            left.append((begin, last))
    return _joined(left)


def _joined(spans: list[Span]) -> list[Span]:
    """Make one of spans that follow each other."""
    joined: list[Span] = []
    for first, last in spans:
        if joined and joined[-1][1] + 1 >= first:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined
