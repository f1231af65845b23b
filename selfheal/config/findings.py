"""What is wrong with the configuration, and what would be right?

Collects everything before anything is refused, and says pydantic's findings in the words of the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from itertools import islice
from typing import TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from selfheal.config.lines import KeyPath
from selfheal.config.origins import Origins, below, fields_of
from selfheal.config.units import brief
from selfheal.errors import ConfigInvalid, Problem

M = TypeVar("M", bound=BaseModel)


class Findings:
    """Every problem found so far, each once."""

    def __init__(self, origins: Origins, problems: Iterable[Problem] = ()) -> None:
        self._origins = origins
        self._problems = dict.fromkeys(problems)

    def add(self, path: KeyPath, wrong: str, right: str) -> None:
        self._problems[self._origins.problem(path, wrong, right)] = None

    def extend(self, problems: Iterable[Problem]) -> None:
        self._problems.update(dict.fromkeys(problems))

    def __len__(self) -> int:
        return len(self._problems)

    def refuse(self) -> None:
        """Raise ConfigInvalid with all of them, in the order of the file, where there are any."""
        if self._problems:
            raise ConfigInvalid(tuple(sorted(self._problems, key=lambda p: (p.file, p.line or 0))))


def validate(model: type[M], table: object, path: KeyPath, found: Findings) -> M | None:
    """Read one table. What is wrong is added to `found`; the rest of the table is returned where it stands alone."""
    try:
        return model.model_validate(table)
    except ValidationError as error:
        details = error.errors(include_url=False)
    said: set[KeyPath] = set()
    for detail in details:
        place = _place(detail, table)
        if place not in said:  # the branches of a union fail one by one; a person wrote one value
            said.add(place)
            found.add((*path, *place), *_explain(detail, model, place))
    return _rest(model, table, said)


def nearest(word: str, known: Collection[str]) -> str:
    """Return " (did you mean 'x'?)" where something known is like `word`, else nothing."""
    like = get_close_matches(word, known, n=1)
    return f" (did you mean {like[0]!r}?)" if like else ""


def listed(names: Iterable[str]) -> str:
    """Return the names as a sentence has them, a long list cut short."""
    shown = list(islice(names, _LISTED + 1))
    return ", ".join(shown[:_LISTED]) + (", …" if len(shown) > _LISTED else "") or "none"


_LISTED = 20  # every table's keys fit; a fleet's names need not


def _rest(model: type[M], table: object, bad: set[KeyPath]) -> M | None:
    if not isinstance(table, dict):
        return None
    wrong = {place[0] for place in bad if place}
    try:
        return model.model_validate({key: value for key, value in table.items() if key not in wrong})
    except ValidationError:
        return None


def _place(detail: ErrorDetails, table: object) -> KeyPath:
    """The part of pydantic's location that stands in the file, or would stand there were it not missing."""
    here, place = table, tuple[str | int, ...]()
    for part in detail["loc"]:
        try:
            here = below(here, part)
        except KeyError:
            return (*place, part) if detail["type"] == "missing" and isinstance(here, dict) else place
        place = (*place, part)
    return place


def _explain(detail: ErrorDetails, model: type[BaseModel], place: KeyPath) -> tuple[str, str]:
    kind, value, facts = detail["type"], detail["input"], detail.get("ctx", {})
    shown = brief(value) if _is_public(model, place) else "the value"
    if kind == "missing":
        return "it is missing", f"add {place[-1]} = …{_purpose(model, place)}"
    if kind == "extra_forbidden":
        known = _keys_at(model, place[:-1])
        return "unknown key", f"take it out, or use one of {listed(known)}{nearest(str(place[-1]), known)}"
    if kind == "value_error":
        wrong, _, right = str(facts["error"]).rpartition("; ")
        return (wrong, right) if wrong else (right, "see 'selfheal config schema' for what may stand here")
    if kind == "literal_error":
        choices = str(facts["expected"]).replace("True", "true").replace("False", "false")  # as TOML writes them
        return f"{shown} is not a choice", f"write {choices}{nearest(str(value), choices.split(chr(39))[1::2])}"
    if kind in _BOUNDS:
        return f"{shown} is out of range", f"write a number {_BOUNDS[kind]} {next(iter(facts.values())):g}"
    if kind == "finite_number":
        return f"{shown} is not a finite number", "write a plain number"
    if kind == "too_short":
        return "it is empty", f"give at least {facts['min_length']}{_purpose(model, place)}"
    return f"{shown} is not {_noun(kind)}", _cure(kind, value, detail["msg"])


_BOUNDS = {
    "greater_than": "greater than",
    "greater_than_equal": "of at least",
    "less_than": "less than",
    "less_than_equal": "of at most",
}
_NOUNS = {
    "string": "text",
    "path": "a path",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "dict": "a table",
    "model": "a table",
}


def _noun(kind: str) -> str:
    return _NOUNS.get(kind.partition("_")[0], "what may stand here")


def _cure(kind: str, value: object, message: str) -> str:
    match kind.partition("_")[0]:
        case "string" | "path":
            return "write it in quotes"
        case "tuple" | "list" if isinstance(value, str):
            return "put it between [ and ], even when it is the only one"
        case sort if sort in _NOUNS:
            return f"write {_NOUNS[sort]}"
        case _:
            return message[:1].lower() + message[1:]


def _purpose(model: type[BaseModel], place: KeyPath) -> str:
    """The description of the field that `place` is about, as an aside."""
    field = _field_at(model, place)
    return f" ({field.description.rstrip('.')})" if field is not None and field.description else ""


def _keys_at(model: type[BaseModel], place: KeyPath) -> tuple[str, ...]:
    owner = _model_at(model, place)
    return tuple(fields_of(owner)) if owner is not None else ()


def _is_public(model: type[BaseModel], place: KeyPath) -> bool:
    """Values of secret fields, and of free tables such as an environment, are never repeated in a message."""
    field = _field_at(model, place)
    return not place or (field is not None and SecretStr not in (field.annotation, *get_args(field.annotation)))


def _field_at(model: type[BaseModel], place: KeyPath) -> FieldInfo | None:
    owner = _model_at(model, place[:-1])
    return fields_of(owner).get(str(place[-1])) if owner is not None and place else None


def _model_at(model: type[BaseModel], place: KeyPath) -> type[BaseModel] | None:
    found: type[BaseModel] | None = model
    for part in place:
        if found is None:
            return None
        if isinstance(part, str):
            field = fields_of(found).get(part)
            found = _model_in(field.annotation) if field is not None else None
    return found


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
