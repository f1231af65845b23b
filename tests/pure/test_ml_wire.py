"""Do messages survive the wire, and is everything else refused?"""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.ml.wire import (
    HEAD,
    MOST_FRAME,
    VERSION,
    Column,
    Fit,
    Fitted,
    Foretold,
    Garbage,
    Hello,
    NotFitted,
    columns_for,
    frame,
    length_of,
    order_of,
    points_in,
    said_in,
)
from tests.pure.forests import hour

ORDER = Fit(
    job=1, agent="api", points=columns_for(hour()), left_out=((1.0, 2.0),), since=0.0, until=9.0, seed=1, limit_s=5.0
)


def test_an_order_arrives_as_it_was_sent() -> None:
    sent = frame(ORDER)
    assert length_of(sent[: HEAD.size]) == len(sent) - HEAD.size
    assert order_of(sent[HEAD.size :]) == ORDER
    assert points_in(ORDER.points) == dict(hour())


@pytest.mark.parametrize(
    "said",
    [
        Hello(pid=7),
        Foretold(job=1, model=b"all", taken=2),
        Fitted(job=1, model=b"bytes"),
        NotFitted(job=1, slug="error", why="who knows"),
    ],
)
def test_what_the_child_says_arrives(said: Hello | Fitted | Foretold | NotFitted) -> None:
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


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_nothing_else_happens(junk: bytes) -> None:
    for read in (order_of, said_in):
        try:
            read(junk)
        except Garbage:
            continue
