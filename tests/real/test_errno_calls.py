"""Does a life go on, say why, and lose nothing, whatever the disk refuses? A sample here; the soak takes every call."""

from __future__ import annotations

import errno

import pytest

from tests.real.crash_kills import Point, all_points, refuse, spread

ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EINTR, errno.EROFS, errno.EMFILE)
EACH = 5
FOR_LONG = 6
"""More calls of the kind that are refused after the first."""


@pytest.fixture(scope="module")
def every() -> list[Point]:
    return all_points(["nothing", "everything"])


@pytest.mark.parametrize("error", ERRORS, ids=lambda number: errno.errorcode[number])
def test_a_disk_that_refuses_for_a_while_loses_nothing(every: list[Point], error: int) -> None:
    begin = ERRORS.index(error)  # other calls for each of them
    some = spread(every[begin :: len(ERRORS)], EACH)
    last = 0 if error == errno.EINTR else FOR_LONG * (begin % 2)
    assert [found for found in refuse(some, error, last) if found.wrong] == []


def test_a_start_that_cannot_read_its_journal_for_a_moment_passes_nothing_over(every: list[Point]) -> None:
    """Short of descriptors, it refuses; that some file cannot be read is said, and never kept quiet."""
    opens = [point for point in every if (point.before, point.call) == ("everything", "openat")][:20]
    for error in (errno.EMFILE, errno.EIO):
        assert [found for found in refuse(spread(opens, 6), error) if found.wrong] == []
