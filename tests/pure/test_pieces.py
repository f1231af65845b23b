"""Is a document that is written piece by piece the same as one that is written at once?"""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from selfheal.store import pieces
from selfheal.store.pieces import TURN_BYTES, compact, pretty

SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.floats(allow_nan=False)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
DOCUMENTS = st.dictionaries(st.text(), VALUES, max_size=5)


@given(DOCUMENTS)
@settings(max_examples=50)
def test_the_pieces_are_the_bytes_of_the_whole(document: dict[str, object]) -> None:
    whole = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    assert b"".join(pretty(document)) == whole


@given(st.lists(VALUES, max_size=4))
@settings(max_examples=50)
def test_what_is_encoded_already_is_written_as_what_is_not(items: list[object]) -> None:
    encoded = [msgspec.Raw(msgspec.json.encode(item)) for item in items]
    assert b"".join(pretty({"items": encoded})) == b"".join(pretty({"items": items}))
    assert b"".join(compact({"items": encoded})) == b"".join(compact({"items": items}))


@given(VALUES, VALUES)
@settings(max_examples=50)
@example([1, 2], [12])
@example({"x": 1}, [["x", 1]])
@example([1], 1)
@example([], {})
def test_another_content_has_another_sum(one: object, other: object) -> None:
    same = b"".join(pretty({"it": one})) == b"".join(pretty({"it": other}))
    assert (b"".join(compact({"it": one})) == b"".join(compact({"it": other}))) == same


def test_the_others_get_their_turn_after_each_few_kilobytes(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[None] = []
    monkeypatch.setattr(pieces, "give_turn", lambda: turns.append(None))
    size = sum(map(len, pretty({"items": ["x" * 1000] * 1000})))
    assert 0.9 * size / TURN_BYTES - 1 <= len(turns) <= size / TURN_BYTES
    turns.clear()
    list(pretty({"items": ["x"]}))
    assert turns == []
