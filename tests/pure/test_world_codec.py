"""Is a world that was written as bytes the same world again?"""

from __future__ import annotations

from functools import reduce

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.events import Event
from selfheal.ledger import replay
from selfheal.world import EMPTY, World, fold
from selfheal.world.codec import decode, encode
from tests.pure.histories import histories


def orders(world: World) -> list[list[object]]:
    """What equality of mappings does not see, and the fold goes by."""
    return [list(world.agents), list(world.incidents), list(world.foresight.work), list(world.undelivered)]


@settings(max_examples=150)
@given(histories(max_size=60), st.data())
def test_a_world_is_the_same_after_it_was_bytes_and_goes_on_as_the_other(
    history: list[Event], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(history)))
    before = replay(history[:cut])
    restored = decode(encode(before))
    assert restored == before
    assert orders(restored) == orders(before)
    after = replay(history[cut:], restored)
    assert after == reduce(fold, history, EMPTY)
    assert orders(after) == orders(replay(history))


def test_nothing_is_known_of_no_parts() -> None:
    assert decode([]) == EMPTY


def test_what_a_newer_version_knows_besides_is_passed_over() -> None:
    part = msgspec.msgpack.encode(("world", "moons", 2))
    assert decode([*encode(EMPTY), part]) == EMPTY


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode(("world", "starts", "many")),
        msgspec.msgpack.encode(("agents", "api", {"kind": "process"})),
        msgspec.msgpack.encode(("incidents", "inc-1", {"story": []})),
        msgspec.msgpack.encode(("incidents", "inc-1", {"story": [("Moonrise", {})]})),
    ],
)
def test_what_is_no_world_is_said(part: bytes) -> None:
    with pytest.raises(ValueError, match="what this version knows of the world"):
        decode([part])
