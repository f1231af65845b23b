"""Is a document of the form that it should have?

The part of JSON Schema that says what a state file or a record is: `type`, `required`, `properties`,
`additionalProperties`, `items`, `enum`, `minimum`, `maximum`, `pattern`, and whatever only describes. A keyword that is
not known here is refused: a rule that is silently not held is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from selfheal.errors import DataFailed

Judge = Callable[[object], str]
"""Says what is wrong with a value, and where; empty where nothing is."""

TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "number": (int, float),
    "boolean": (bool,), "null": (type(None),),
}  # fmt: skip
_DESCRIBING = frozenset({"$schema", "$id", "$comment", "title", "description", "default", "examples", "format"})
_Rule = Callable[[object], Iterator[tuple[str, str]]]
"""Gives what is wrong with a value: where in it, and what."""


def judge_of(schema: Path | None, required: Mapping[str, str]) -> Judge | None:
    """Make a judge of the schema in a file and of required values; None where nothing is asked for.

    `required` gives the type of each value by its dotted path. Raises DataFailed where the schema cannot be used.
    """
    rules = [*([compiled(_read(schema), "")] if schema is not None else []), *_wanted(required)]
    return _judge(rules) if rules else None


def compiled(schema: object, place: str = "") -> _Rule:
    """Make a rule of a schema. Raises DataFailed, with the place in it, where it says what is not known here."""
    if schema is True:
        return lambda value: iter(())
    if not isinstance(schema, dict):
        raise _unusable(place, f"{schema!r} is no schema; write a table, or true")
    unknown = [key for key in schema if key not in _MAKERS and key not in _DESCRIBING]
    if unknown:
        raise _unusable(place, f"the keyword {unknown[0]!r} is not known; what is: {', '.join(_MAKERS)}")
    rules = [make(schema, f"{place}/{key}") for key, make in _MAKERS.items() if key in schema]

    def rule(value: object) -> Iterator[tuple[str, str]]:
        for each in rules:
            yield from each(value)

    return rule


def check_required(required: Mapping[str, str]) -> None:
    """Raise ValueError where a type is none."""
    for path, kind in required.items():
        if kind not in TYPES:
            raise ValueError(f"{kind!r} of {path!r} is no type; write one of {', '.join(TYPES)}")


def _judge(rules: Sequence[_Rule]) -> Judge:
    def judge(value: object) -> str:
        for rule in rules:
            for place, what in rule(value):
                return f"{place or 'it'} {what}"
        return ""

    return judge


def _read(path: Path) -> object:
    try:
        return msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as why:
        raise DataFailed(f"cannot read the schema {str(path)!r}: {why}; correct the file", "bad_configuration") from why


def _unusable(place: str, why: str) -> DataFailed:
    return DataFailed(f"cannot use the schema: at {place or '/'}: {why}", "bad_configuration")


def _wanted(required: Mapping[str, str]) -> Iterator[_Rule]:
    for path, kind in required.items():
        yield _at(path, tuple(path.split(".")), kind)


def _at(path: str, steps: Sequence[str], kind: str) -> _Rule:
    def rule(value: object) -> Iterator[tuple[str, str]]:
        for step in steps:
            if not isinstance(value, dict) or step not in value:
                yield path, "is missing"
                return
            value = value[step]
        if not _is(value, kind):
            yield path, f"is {_name(value)}, not {kind}"

    return rule


def _is(value: object, kind: str) -> bool:
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()  # 1.0 is an integer, by the specification
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _name(value: object) -> str:
    return next((kind for kind in ("boolean", *TYPES) if _is(value, kind)), "something else")


# --- one maker a keyword --------------------------------------------------------------------------------------------

_Schema = dict[str, object]


def _type(schema: _Schema, place: str) -> _Rule:
    wanted = schema["type"]
    kinds: list[str] = [wanted] if isinstance(wanted, str) else wanted if isinstance(wanted, list) else []
    if not kinds or any(kind not in TYPES for kind in kinds):
        raise _unusable(place, f"{wanted!r} is no type; write one of {', '.join(TYPES)}, or a list of them")

    def rule(value: object) -> Iterator[tuple[str, str]]:
        if not any(_is(value, kind) for kind in kinds):
            yield "", f"is {_name(value)}, not {' or '.join(kinds)}"

    return rule


def _required(schema: _Schema, place: str) -> _Rule:
    names = schema["required"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _unusable(place, "it is no list of names")

    def rule(value: object) -> Iterator[tuple[str, str]]:
        if isinstance(value, dict):
            yield from ((str(name), "is missing") for name in names if name not in value)

    return rule


def _properties(schema: _Schema, place: str) -> _Rule:
    given = schema["properties"]
    if not isinstance(given, dict):
        raise _unusable(place, "it is no table of schemas")
    rules = {name: compiled(part, f"{place}/{name}") for name, part in given.items()}

    def rule(value: object) -> Iterator[tuple[str, str]]:
        if isinstance(value, dict):
            for name, inner in rules.items():
                if name in value:
                    yield from _inside(name, inner, value[name])

    return rule


def _additional(schema: _Schema, place: str) -> _Rule:
    given, known = schema["additionalProperties"], schema.get("properties", {})
    names = frozenset(known) if isinstance(known, dict) else frozenset()
    inner = None if given is False else compiled(given, place)

    def rule(value: object) -> Iterator[tuple[str, str]]:
        others = {name: each for name, each in value.items() if name not in names} if isinstance(value, dict) else {}
        for name, each in others.items():
            yield from [(name, "is not expected")] if inner is None else _inside(name, inner, each)

    return rule


def _items(schema: _Schema, place: str) -> _Rule:
    inner = compiled(schema["items"], place)

    def rule(value: object) -> Iterator[tuple[str, str]]:
        if isinstance(value, list):
            for number, each in enumerate(value):
                yield from _inside(str(number), inner, each)

    return rule


def _enum(schema: _Schema, place: str) -> _Rule:
    values = schema["enum"]
    if not isinstance(values, list):
        raise _unusable(place, "it is no list of values")

    def rule(value: object) -> Iterator[tuple[str, str]]:
        if not any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in values):
            yield "", "is none of the values that it may have"

    return rule


def _bound(key: str, within: Callable[[float, float], bool], word: str) -> Callable[[_Schema, str], _Rule]:
    def make(schema: _Schema, place: str) -> _Rule:
        bound = schema[key]
        if not isinstance(bound, int | float) or isinstance(bound, bool):
            raise _unusable(place, f"{bound!r} is no number")

        def rule(value: object) -> Iterator[tuple[str, str]]:
            if _is(value, "number") and isinstance(value, int | float) and not within(value, bound):
                yield "", f"is {value}, {word} {bound}"

        return rule

    return make


def _pattern(schema: _Schema, place: str) -> _Rule:
    text = schema["pattern"]
    try:
        pattern = re.compile(text if isinstance(text, str) else "(")
    except re.error as why:
        raise _unusable(place, f"{text!r} is no regular expression ({why})") from why

    def rule(value: object) -> Iterator[tuple[str, str]]:
        if isinstance(value, str) and not pattern.search(value):
            yield "", f"does not match {pattern.pattern!r}"

    return rule


def _inside(name: str, rule: _Rule, value: object) -> Iterator[tuple[str, str]]:
    for place, what in rule(value):
        yield f"{name}.{place}" if place else name, what


_MAKERS: Mapping[str, Callable[[_Schema, str], _Rule]] = {
    "type": _type, "required": _required, "properties": _properties, "additionalProperties": _additional,
    "items": _items, "enum": _enum, "minimum": _bound("minimum", lambda value, bound: value >= bound, "less than"),
    "maximum": _bound("maximum", lambda value, bound: value <= bound, "more than"), "pattern": _pattern,
}  # fmt: skip
