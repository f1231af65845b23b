"""Is an HTTP answer as the configuration expects it?

Pure: an answer, or how long it took, in; the first thing that is not as expected out.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)

from selfheal.config.models import Section
from selfheal.config.texts import Text, holds
from selfheal.config.units import Duration
from selfheal.observe.http_request import MAX_BODY_BYTES, Response
from selfheal.observe.wording import excerpt, span_text, with_words

_STATUS = re.compile(r"([1-5])xx|([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")
_SHOWN_CHARS = 60  # of one value in a reason

Scalar = StrictBool | StrictInt | StrictFloat | StrictStr


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
    values: dict[str, Scalar] = Field({}, alias="json", description="Values by dotted path, such as 'db.0.state'.")
    latency: Duration | None = Field(None, gt=0, description="The whole answer within this time.")


def judge(expect: HttpExpect, response: Response) -> str | None:
    """The first thing in the answer that is not as expected, in words; None where all is well."""
    return (
        _judge_status(expect, response)
        or _judge_headers(expect, response)
        or _judge_body(expect, response)
        or _judge_json(expect, response)
    )


def judge_latency(expect: HttpExpect, took_s: float) -> str | None:
    """How much too late the answer was, in words; None where it came in time."""
    if expect.latency is None or took_s <= expect.latency:
        return None
    return f"took {span_text(took_s)}, expected at most {span_text(expect.latency)}"


def _judge_status(expect: HttpExpect, response: Response) -> str | None:
    if any(_covers(spec, response.status) for spec in expect.status):
        return None
    return with_words(f"status {response.status}, expected {', '.join(expect.status)}", response.text)


def _covers(spec: str, status: int) -> bool:
    match = _STATUS.fullmatch(spec)
    assert match is not None  # `statuses` read it
    if match[1]:
        return status // 100 == int(match[1])
    return int(match[2]) <= status <= int(match[3] or match[2])


def _judge_headers(expect: HttpExpect, response: Response) -> str | None:
    for name, wanted in expect.headers.items():
        value = response.headers.get(name.lower())
        if value is None:
            return f"header {name} is missing, expected {wanted!r}"
        if not holds(wanted, value):
            return f"header {name} is {excerpt(value, _SHOWN_CHARS)!r}, expected {wanted!r}"
    return None


def _judge_body(expect: HttpExpect, response: Response) -> str | None:
    if expect.body is None or holds(expect.body, response.text):
        return None
    return f"{expect.body!r} is not in the body: {excerpt(response.text) or 'it is empty'}"


def _judge_json(expect: HttpExpect, response: Response) -> str | None:
    if not expect.values:
        return None
    if response.truncated:
        return f"not valid JSON: it was cut after {MAX_BODY_BYTES // 1024} KiB"
    try:
        document: object = msgspec.json.decode(response.body)
    except (msgspec.DecodeError, RecursionError):
        return f"not valid JSON: {excerpt(response.text) or 'the body is empty'}"
    for path, wanted in expect.values.items():
        found, value = _look_up(document, path)
        if not found:
            return f"{path} is missing, expected {_show(wanted)}"
        if not _same(value, wanted):
            return f"{path} is {_show(value)}, expected {_show(wanted)}"
    return None


def _look_up(document: object, path: str) -> tuple[bool, object]:
    """Follow a dotted path; a number is an index into a list. Returns whether it leads anywhere, and where."""
    value = document
    for step in path.split("."):
        match value:
            case dict() if step in value:
                value = value[step]
            case list() if step.isdecimal() and int(step) < len(value):
                value = value[int(step)]
            case _:
                return False, None
    return True, value


def _same(value: object, wanted: bool | float | str) -> bool:
    """Equality as JSON has it: true is not 1, while 1 is 1.0."""
    return isinstance(value, bool) == isinstance(wanted, bool) and value == wanted


def _show(value: object) -> str:
    match value:
        case str():
            return repr(excerpt(value, _SHOWN_CHARS))
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return msgspec.json.encode(value).decode()
