"""Do messages survive the wire, and is everything else refused?"""

from __future__ import annotations

from array import array
from math import isnan, nan

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.ml.forest import packed
from selfheal.ml.wire import (
    HEAD,
    MOST_FRAME,
    VERSION,
    Column,
    Fit,
    FitBooster,
    FitRecurrent,
    Fitted,
    FittedBooster,
    FittedRecurrent,
    Garbage,
    Hello,
    NotFitted,
    Rows,
    Windows,
    columns_for,
    frame,
    length_of,
    order_of,
    points_in,
    rows_for,
    rows_in,
    said_in,
    windows_for,
    windows_in,
)
from tests.pure.forests import hour

ORDER = Fit(
    job=1, agent="api", points=columns_for(hour()), left_out=((1.0, 2.0),), since=0.0, until=9.0, seed=1, limit_s=5.0
)


ROWS = [[0.5, nan], [1.0, -2.0], [1e300, 3.0]]
LABELS = [False, True, False]
TO_BOOST = FitBooster(
    job=2, subject="leak", features=("a", "b"), meaning=1, rows=rows_for(ROWS, LABELS, [1.0, 2.0, 0.5]),
    monotone={"a": 1}, since=0.0, until=9.0, seed=1, limit_s=5.0,
)  # fmt: skip


def test_an_order_arrives_as_it_was_sent() -> None:
    sent = frame(ORDER)
    assert length_of(sent[: HEAD.size]) == len(sent) - HEAD.size
    assert order_of(sent[HEAD.size :]) == ORDER
    assert points_in(ORDER.points) == dict(hour())
    assert order_of(frame(TO_BOOST)[HEAD.size :]) == TO_BOOST


def test_rows_arrive_in_single_precision_with_what_was_not_seen() -> None:
    rows, labels, weights = rows_in(TO_BOOST.rows, 2)
    assert (labels, list(weights or ())) == (LABELS, [1.0, 2.0, 0.5])
    assert rows[0][0] == 0.5
    assert isnan(rows[0][1])
    assert rows[2].tolist() == pytest.approx([1e30, 3.0])
    assert rows_in(Rows(), 2) == ([], [], None)


@pytest.mark.parametrize(
    "rows",
    [
        Rows(bytes(9), b"\0"),
        Rows(bytes(8), b"\0\0"),
        Rows(bytes(8), b"\2"),
        Rows(bytes(8), b"\1", bytes(16)),
        Rows(bytes(8), b"\1", packed(array("d", [nan]))),
        Rows(bytes(8), b"\1", packed(array("d", [-1.0]))),
    ],
)
def test_rows_that_are_none_are_refused(rows: Rows) -> None:
    with pytest.raises(Garbage):
        rows_in(rows, 2)


@pytest.mark.parametrize(
    "said",
    [
        Hello(pid=7),
        FittedBooster(job=1, model=b"trees"),
        Fitted(job=1, model=b"bytes"),
        NotFitted(job=1, slug="error", why="who knows"),
    ],
)
def test_what_the_child_says_arrives(said: Hello | Fitted | FittedBooster | FittedRecurrent | NotFitted) -> None:
    assert said_in(frame(said)[HEAD.size :]) == said


def test_another_version_is_refused() -> None:
    with pytest.raises(Garbage, match=f"version {VERSION + 1}"):
        said_in(msgspec.msgpack.encode(Hello(pid=1, version=VERSION + 1)))


@pytest.mark.parametrize("length", [0, MOST_FRAME + 1, 2**32 - 1])
def test_a_length_without_measure_is_refused_before_there_is_room_for_it(length: int) -> None:
    with pytest.raises(Garbage):
        length_of(HEAD.pack(length))


def test_what_is_too_large_is_not_sent() -> None:
    with pytest.raises(Garbage, match="may be sent"):
        frame(Fitted(job=1, model=bytes(MOST_FRAME)))


@pytest.mark.parametrize("column", [Column(b"1234567", b"12345678"), Column(b"", b"12345678")])
def test_points_that_are_none_are_refused(column: Column) -> None:
    with pytest.raises(Garbage):
        points_in({"x": column})


TO_RECUR = FitRecurrent(
    job=3, subject="leak", features=("a", "b"), meaning=1, windows=windows_for(ROWS, (2, 3), (True, False), 2),
    since=0.0, until=9.0, seed=1, limit_s=5.0,
)  # fmt: skip


def test_windows_arrive_though_a_row_of_two_is_sent_once() -> None:
    assert order_of(frame(TO_RECUR)[HEAD.size :]) == TO_RECUR
    assert len(TO_RECUR.windows.cells) == 4 * 6
    windows, labels = windows_in(TO_RECUR.windows, 2)
    assert labels == [True, False]
    assert [len(window) for window in windows] == [2, 2]
    assert windows[0][1].tolist() == windows[1][0].tolist() == [1.0, -2.0]
    assert windows_in(Windows(2), 2) == ([], [])


@pytest.mark.parametrize(
    "windows",
    [
        Windows(2, bytes(20), packed(array("i", [2])), b"\1"),
        Windows(2, bytes(16), packed(array("i", [3])), b"\1"),
        Windows(2, bytes(16), packed(array("i", [1])), b"\1"),
        Windows(2, bytes(16), packed(array("i", [-1])), b"\1"),
        Windows(0, bytes(16), packed(array("i", [2])), b"\1"),
        Windows(-1, bytes(16), packed(array("i", [2])), b"\1"),
        Windows(2, bytes(16), packed(array("i", [2])), b"\1\0"),
        Windows(2, bytes(16), packed(array("i", [2])), b"\2"),
        Windows(2, bytes(16), b"123", b"\1"),
    ],
)
def test_windows_that_are_none_are_refused(windows: Windows) -> None:
    with pytest.raises(Garbage):
        windows_in(windows, 2)


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_nothing_else_happens(junk: bytes) -> None:
    for read in (order_of, said_in):
        try:
            read(junk)
        except Garbage:
            continue
