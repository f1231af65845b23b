"""Is JSON told from what is not, and is nothing made up of what is damaged?"""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.data.jsontext import fault, first_document, items_of, parts, value_of, whole

FEW = settings(max_examples=40, deadline=None)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
records = st.dictionaries(st.text(), values, max_size=4)
DEEP = b"[" * 20_000 + b'{"a": [1, -2.5e3, "x", true, null]}' + b"]" * 20_000


@FEW
@given(values)
def test_whatever_python_writes_is_sound(value: object) -> None:
    text = json.dumps(value).encode()
    assert fault(text) == ""
    assert items_of(text) == (len(value) if isinstance(value, list | dict) else 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"a": 1', "cut short"),
        (b'{"a": "x', "cut short"),
        (b'{"a": 1}}', "no JSON"),
        (b'{"a" 1}', "no JSON"),
        (b'{"a": \x001}', "NUL bytes"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": "\xc3', "not UTF-8"),
        (DEEP[:-1], "cut short"),
        (DEEP + b"]", "no JSON"),
        (DEEP.replace(b"true", b"trve"), "no JSON"),
        (DEEP.replace(b'"a": ', b'"a" '), "no JSON"),
        (DEEP.replace(b"null]", b"null}"), "no JSON"),
    ],
    ids=lambda value: value[:12].decode(errors="replace") if isinstance(value, bytes) else value,
)
def test_what_is_wrong_is_said(text: bytes, why: str) -> None:
    assert fault(text) == why


@pytest.mark.parametrize(
    "text",
    [b'{"a": NaN}', b'{"a": 1, "a": 2}', b'"\\ud800"', b'{"a": 1}\r', b"1e999", DEEP, b" [] "],
    ids=["nan", "duplicate keys", "lone surrogate", "carriage return", "huge number", "deep", "spaces"],
)
def test_what_can_be_read_is_no_damage(text: bytes) -> None:
    assert fault(text) == ""


def test_a_value_that_is_nested_too_deeply_to_be_held_is_refused_and_not_crashed_on() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        value_of(DEEP)
    assert items_of(DEEP) == 1


@FEW
@given(st.lists(records, min_size=1, max_size=4))
def test_records_that_lost_their_newlines_come_apart(given_: list[dict[str, object]]) -> None:
    texts = [json.dumps(record).encode() for record in given_]
    assert parts(b"".join(texts)) == texts


@FEW
@given(records, st.data())
def test_a_part_of_a_record_is_never_taken_for_one(record: dict[str, object], data: st.DataObject) -> None:
    text = json.dumps(record).encode()
    cut = data.draw(st.integers(1, len(text) - 1))
    assert not whole(text[:cut])
    assert not whole(text[cut:])
    assert parts(text[:cut]) == []


@FEW
@given(records, records, st.data())
def test_a_hole_in_a_line_leaves_only_whole_records(
    first: dict[str, object], last: dict[str, object], data: st.DataObject
) -> None:
    texts = [json.dumps(first).encode(), json.dumps(last).encode()]
    line = b"".join(texts)
    begin = data.draw(st.integers(0, len(line) - 1))
    end = data.draw(st.integers(begin + 1, len(line)))
    holed = line[:begin] + b"\0" * (end - begin) + line[end:]
    assert set(parts(holed)) <= set(texts)


@FEW
@given(records, st.text())
def test_a_document_is_found_before_what_follows_it(record: dict[str, object], rest: str) -> None:
    text = json.dumps(record).encode()
    assert first_document(text + rest.encode(errors="replace")) == text
    assert first_document(text + b"\xff\0") == text


def test_a_number_is_no_document_to_be_found_for_it_may_have_gone_on() -> None:
    assert first_document(b"12\0\0") == b""
    assert parts(b"12\x0034") == []
