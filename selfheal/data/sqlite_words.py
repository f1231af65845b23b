"""How is said what could not be salvaged?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from selfheal.data.sqlite_pages import LEAST_ID, MOST_ID

_NAMED = 5  # more ranges of row ids help nobody


class Loss(NamedTuple):
    """What is missing in a table. `expected` counted the last sound look; `cells` and `pages` are unreadable.

    `exact` says that nothing was written since that look.
    """

    table: str
    found: int
    expected: float | None
    cells: int
    gaps: tuple[tuple[int, int], ...]
    pages: int
    exact: bool = False

    @property
    def missing(self) -> int:
        """How many rows fewer there are than at the last sound look."""
        return max(0, int(self.expected or 0) - self.found)

    @property
    def any(self) -> bool:
        if self.exact and self.expected is not None:
            return self.missing > 0
        return bool(self.missing or self.cells or self.gaps or self.pages)


def in_words(losses: Sequence[Loss], broken: Sequence[str]) -> str:
    """Return one sentence for each table that has lost something, empty where none has."""
    return "; ".join([*(_said(each) for each in losses if each.any), *(f"not made again: {each}" for each in broken)])


def _said(loss: Loss) -> str:
    return f"{loss.table}: {', '.join(filter(None, (_number(loss), _ids(loss.gaps))))}"


def _number(loss: Loss) -> str:
    if loss.missing:
        return f"{loss.missing:,} of {int(loss.expected or 0):,} rows"
    if loss.expected is not None and loss.found >= loss.expected and not loss.cells:
        return "none of the rows that the last sound look counted, perhaps newer ones"
    if loss.cells:
        return f"{loss.cells:,} rows, and what stood on {loss.pages} pages" if loss.pages else f"{loss.cells:,} rows"
    return f"what stood on {loss.pages} pages"


def _ids(gaps: Sequence[tuple[int, int]]) -> str:
    if not gaps:
        return ""
    more = f" and {len(gaps) - _NAMED} more ranges" if len(gaps) > _NAMED else ""
    return "the row ids " + ", ".join(_range(*gap) for gap in gaps[:_NAMED]) + more


def _range(first: int, last: int) -> str:
    if (first, last) == (LEAST_ID, MOST_ID):
        return "of all rows that are missing"
    if first == LEAST_ID:
        return f"up to {last}"
    if last == MOST_ID:
        return f"from {first}"
    return str(first) if first == last else f"{first} to {last}"
