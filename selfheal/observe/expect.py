"""Is an HTTP answer as the configuration expects it?

Pure: an answer, or how long it took, in; the first thing that is not as expected out. What is expected is compiled
once, by the first answer that is judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import msgspec
from pydantic import BeforeValidator, Field, WithJsonSchema

from selfheal.config.models import Section
from selfheal.config.texts import Text, finder
from selfheal.config.units import Duration
from selfheal.observe.compare import MISSING, SHOWN_CHARS, Condition, Expected, condition
from selfheal.observe.http_request import MAX_BODY_BYTES, Response
from selfheal.observe.wording import excerpt, span_text, with_words

_STATUS = re.compile(r"([1-5])xx|([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")
_LENGTH = "#"  # the last step of a path: how many there are of what it leads to


def statuses(value: object) -> object:
    """Read what statuses are expected: 200, "2xx", "200-299", or a list of these."""
    specs = value if isinstance(value, list | tuple) else (value,)
    texts = tuple(str(spec) for spec in specs)
    if not texts or any(_STATUS.fullmatch(text) is None for text in texts):
        raise ValueError(f"{value!r} is not an HTTP status; write 200, '2xx', '200-299' or a list of these")
    return texts


Statuses = Annotated[
    tuple[str, ...],
    BeforeValidator(statuses),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "array"}], "examples": [200, "2xx"]}),
]


class HttpExpect(Section):
    """What makes an HTTP answer a good one. Everything that is given must hold."""

    status: Statuses = Field(("200-299",), description="200, '2xx', '200-299', or a list of these.")
    headers: dict[str, Text] = Field({}, description="Text that a header contains, or /a regular expression/.")
    body: Text | None = Field(None, description="Text that the body contains, or /a regular expression/.")
    # Under another name in Python, since `json` is a method of pydantic's models.
    values: dict[str, Expected] = Field(
        {}, alias="json", description="Values by dotted path, such as 'db.0.state'; '#' at its end is a length."
    )
    latency: Duration | None = Field(None, gt=0, description="The whole answer within this time.")

    @cached_property
    def judge(self) -> Judge:
        """What is expected, compiled."""
        return Judge.of(self)


@dataclass(frozen=True, slots=True)
class Judge:
    """Says what is not as expected in an answer. `texts` are names in lower case, as written, what is looked for, and
    how; `values` the path as it is written, its steps, and what it should lead to.
    """

    statuses: frozenset[int]
    expected_statuses: str
    headers: tuple[tuple[str, str, str, Callable[[str], bool]], ...]
    body: tuple[str, Callable[[str], bool]] | None
    values: tuple[tuple[str, tuple[str, ...], Condition], ...]

    @classmethod
    def of(cls, expect: HttpExpect) -> Judge:
        return cls(
            frozenset(status for spec in expect.status for status in _covered(spec)),
            ", ".join(expect.status),
            tuple((name.lower(), name, wanted, finder(wanted)) for name, wanted in expect.headers.items()),
            None if expect.body is None else (expect.body, finder(expect.body)),
            tuple((path, tuple(path.split(".")), condition(wanted)) for path, wanted in expect.values.items()),
        )

    def __call__(self, response: Response) -> str | None:
        """The first thing in the answer that is not as expected, in words; None where all is well."""
        if response.status not in self.statuses:
            return with_words(f"status {response.status}, expected {self.expected_statuses}", response.text)
        return (
            (self._judge_headers(response) if self.headers else None)
            or (self._judge_body(response) if self.body is not None else None)
            or (self._judge_json(response) if self.values else None)
        )

    def _judge_headers(self, response: Response) -> str | None:
        for key, name, wanted, holds in self.headers:
            value = response.headers.get(key)
            if value is None:
                return f"header {name} is missing, expected {wanted!r}"
            if not holds(value):
                return f"header {name} is {excerpt(value, SHOWN_CHARS)!r}, expected {wanted!r}"
        return None

    def _judge_body(self, response: Response) -> str | None:
        assert self.body is not None
        wanted, holds = self.body
        if holds(response.text):
            return None
        return f"{wanted!r} is not in the body: {excerpt(response.text) or 'it is empty'}"

    def _judge_json(self, response: Response) -> str | None:
        if response.truncated:
            return f"not valid JSON: it was cut after {MAX_BODY_BYTES // 1024} KiB"
        try:
            document: object = msgspec.json.decode(response.body)
        except (msgspec.DecodeError, RecursionError):
            return f"not valid JSON: {excerpt(response.text) or 'the body is empty'}"
        for path, steps, wanted in self.values:
            wrong = wanted.judge(path, look_up(document, steps))
            if wrong is not None:
                return wrong
        return None


def judge(expect: HttpExpect, response: Response) -> str | None:
    """The first thing in the answer that is not as expected, in words; None where all is well."""
    return expect.judge(response)


def judge_latency(expect: HttpExpect, took_s: float) -> str | None:
    """How much too late the answer was, in words; None where it came in time."""
    if expect.latency is None or took_s <= expect.latency:
        return None
    return f"took {span_text(took_s)}, expected at most {span_text(expect.latency)}"


def look_up(document: object, steps: tuple[str, ...]) -> object:
    """Follow a path: keys of objects, indices of lists, `#` at its end for a length. MISSING where it leads nowhere."""
    value = document
    for place, step in enumerate(steps, start=1):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        elif step == _LENGTH and place == len(steps) and isinstance(value, dict | list | str):
            value = len(value)
        else:
            return MISSING
    return value


def _covered(spec: str) -> Iterable[int]:
    match = _STATUS.fullmatch(spec)
    assert match is not None  # `statuses` read it
    if match[1]:
        return range(int(match[1]) * 100, int(match[1]) * 100 + 100)
    return range(int(match[2]), int(match[3] or match[2]) + 1)
