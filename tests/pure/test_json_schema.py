"""Does a schema say of each document what it should?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfheal.data.jsonschema import check_required, compiled, judge_of
from selfheal.errors import DataFailed

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["id", "tags"],
    "properties": {
        "id": {"type": "integer", "minimum": 1, "maximum": 9},
        "name": {"type": ["string", "null"], "pattern": "^[a-z]+$"},
        "tags": {"type": "array", "items": {"enum": ["new", "old", 1]}},
        "any": True,
    },
    "additionalProperties": False,
}


def said(value: object, schema: object = SCHEMA) -> list[str]:
    return [f"{place or 'it'} {what}" for place, what in compiled(schema)(value)]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({"id": 1, "tags": []}, []),
        ({"id": 1.0, "tags": ["new", 1], "name": None, "any": [{}]}, []),
        ([], ["it is array, not object"]),
        ({"id": 1}, ["tags is missing"]),
        ({"id": 0, "tags": []}, ["id is 0, less than 1"]),
        ({"id": 10, "tags": []}, ["id is 10, more than 9"]),
        ({"id": True, "tags": []}, ["id is boolean, not integer"]),
        ({"id": 1.5, "tags": []}, ["id is number, not integer"]),
        ({"id": 1, "tags": ["new", "odd"]}, ["tags.1 is none of the values that it may have"]),
        ({"id": 1, "tags": [True]}, ["tags.0 is none of the values that it may have"]),
        ({"id": 1, "tags": [], "name": "A"}, ["name does not match '^[a-z]+$'"]),
        ({"id": 1, "tags": [], "else": 1}, ["else is not expected"]),
    ],
)
def test_what_is_not_of_the_form_is_said_with_its_place(value: object, what: list[str]) -> None:
    assert said(value) == what


def test_what_is_not_named_may_have_a_form_too() -> None:
    schema = {"properties": {"a": True}, "additionalProperties": {"type": "string"}}
    assert said({"a": 1, "b": "x"}, schema) == []
    assert said({"a": 1, "b": 2}, schema) == ["b is integer, not string"]


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"oneOf": []}, "at /: the keyword 'oneOf' is not known; what is: type, required"),
        ({"properties": {"a": {"format": "date", "minLength": 1}}}, "at /properties/a: the keyword 'minLength'"),
        ({"type": "text"}, "at /type: 'text' is no type"),
        ({"type": []}, "at /type: "),
        ({"required": "a"}, "at /required: it is no list of names"),
        ({"properties": []}, "at /properties: it is no table"),
        ({"items": 1}, "at /items: 1 is no schema"),
        ({"enum": 1}, "at /enum: it is no list"),
        ({"minimum": True}, "at /minimum: True is no number"),
        ({"pattern": "("}, "at /pattern: '(' is no regular expression"),
        ({"additionalProperties": "no"}, "at /additionalProperties: 'no' is no schema"),
    ],
)
def test_a_schema_that_says_what_is_not_known_is_refused(schema: object, why: str) -> None:
    with pytest.raises(DataFailed) as caught:
        compiled(schema)
    assert why in str(caught.value)
    assert caught.value.cause == "bad_configuration"


def test_a_judge_takes_a_file_and_required_values(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SCHEMA), encoding="utf-8")
    judge = judge_of(path, {"any.deep": "boolean"})
    assert judge is not None
    assert judge({"id": 1, "tags": [], "any": {"deep": True}}) == ""
    assert judge({"id": 1, "tags": [], "any": {"deep": 1}}) == "any.deep is integer, not boolean"
    assert judge({"id": 1, "tags": [], "any": 1}) == "any.deep is missing"
    assert judge_of(None, {}) is None


def test_a_schema_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataFailed, match="cannot read the schema"):
        judge_of(tmp_path / "none.json", {})


def test_a_type_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'text' of 'a.b' is no type; write one of object"):
        check_required({"a.b": "text"})
