"""Does a good answer pass, and is it said in a few words what is wrong with a bad one?"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from selfheal.observe.expect import HttpExpect, judge, judge_latency
from selfheal.observe.http_request import Response
from selfheal.observe.wording import excerpt, exit_text, size_text, span_text

WELL = Response(200, {"content-type": "application/json", "x-version": "1.2"}, b'{"db": {"state": "up"}, "ok": true}')


def wrong(expect: dict[str, object], response: Response = WELL, took_s: float = 0.1) -> str | None:
    wanted = HttpExpect.model_validate(expect)
    return judge(wanted, response) or judge_latency(wanted, took_s)


def answer(value: object) -> Response:
    return Response(200, {}, json.dumps(value).encode())


@pytest.mark.parametrize(
    ("spec", "good", "bad"),
    [
        (200, [200], [201, 500]),
        ("2xx", [200, 204, 299], [199, 300]),
        ("200-299", [200, 299], [300]),
        ([200, "3xx", "404-405"], [200, 301, 404, 405], [201, 406, 500]),
    ],
)
def test_a_status_is_a_number_a_class_a_range_or_a_list_of_these(spec: object, good: list[int], bad: list[int]) -> None:
    assert [status for status in (*good, *bad) if not wrong({"status": spec}, Response(status, {}, b""))] == good


def test_without_a_word_any_2xx_is_well_and_a_redirect_is_not() -> None:
    assert wrong({}) is None
    assert wrong({}, Response(302, {}, b"")) == "status 302, expected 200-299"


def test_a_wrong_status_is_told_with_the_beginning_of_the_body_on_one_line() -> None:
    response = Response(503, {}, b"Down\n  for maintenance " + b"x" * 1000)
    said = wrong({}, response)
    assert said is not None
    assert said.startswith("status 503, expected 200-299: Down for maintenance xxx")
    assert len(said) == len("status 503, expected 200-299: ") + 121
    assert said.endswith("x…")


@pytest.mark.parametrize("spec", [0, 99, 600, "6xx", "2xx-3xx", "", [], True, {"a": 1}, "200-"])
def test_what_is_no_status_is_refused(spec: object) -> None:
    with pytest.raises(ValidationError, match="is not an HTTP status; write 200, '2xx'"):
        HttpExpect.model_validate({"status": spec})


def test_the_body_contains_a_text_or_matches_an_expression_between_slashes() -> None:
    response = Response(200, {}, "all is wéll: 12 jobs".encode())
    assert wrong({"body": "wéll"}, response) is None
    assert wrong({"body": r"/\b\d+ jobs$/"}, response) is None
    assert wrong({"body": "bad"}, response) == "'bad' is not in the body: all is wéll: 12 jobs"
    assert wrong({"body": r"/^\d/"}, response) == r"'/^\\d/' is not in the body: all is wéll: 12 jobs"
    assert wrong({"body": "ok"}, Response(200, {}, b"")) == "'ok' is not in the body: it is empty"


def test_a_broken_expression_is_refused_and_a_lone_slash_is_a_text() -> None:
    with pytest.raises(ValidationError, match="is not a regular expression"):
        HttpExpect.model_validate({"body": "/(/"})
    assert wrong({"body": "/"}, Response(200, {}, b"a/b")) is None
    assert wrong({"body": "//"}, Response(200, {}, b"a//b")) is None


def test_headers_are_found_whatever_their_case() -> None:
    assert wrong({"headers": {"Content-Type": "json", "X-VERSION": r"/^1\./"}}) is None
    assert wrong({"headers": {"X-Version": "9"}}) == "header X-Version is '1.2', expected '9'"
    assert wrong({"headers": {"X-Nothing": "2"}}) == "header X-Nothing is missing, expected '2'"


@pytest.mark.parametrize(
    ("path", "wanted", "said"),
    [
        ("db.state", "up", None),
        ("db.state", "down", "db.state is 'up', expected 'down'"),
        ("db.replicas.1.lag", 3, None),
        ("db.replicas.1.lag", 3.0, None),
        ("db.replicas.2.lag", 3, "db.replicas.2.lag is missing, expected 3"),
        ("db.replicas.x", 3, "db.replicas.x is missing, expected 3"),
        ("db.replicas", 3, "db.replicas is a list, expected 3"),
        ("db", "up", "db is an object, expected 'up'"),
        ("ok", True, None),
        ("ok", 1, "ok is true, expected 1"),
        ("one", True, "one is 1, expected true"),
        ("one", "1", "one is 1, expected '1'"),
        ("none", "up", "none is null, expected 'up'"),
        ("none.deeper", "up", "none.deeper is missing, expected 'up'"),
        ("ratio", 0.5, None),
    ],
)
def test_json_is_compared_by_dotted_path_and_by_type(path: str, wanted: object, said: str | None) -> None:
    document = {
        "db": {"state": "up", "replicas": [{"lag": 0}, {"lag": 3}]},
        "ok": True,
        "one": 1,
        "none": None,
        "ratio": 0.5,
    }
    assert wrong({"json": {path: wanted}}, answer(document)) == said


@pytest.mark.parametrize(
    ("path", "wanted", "said"),
    [
        ("items.#", {">": 0}, None),
        ("items.#", 2, None),
        ("items.#", {">=": 3, "<=": 5}, "items.# is 2, expected >= 3 and <= 5"),
        ("db.#", 1, None),
        ("db.state.#", {"==": 2}, None),
        ("items.#.0", 2, "items.#.0 is missing, expected 2"),
        ("sharp.#", 7, None),  # a key of that name comes first
        ("one.#", {">": 0}, "one.# is missing, expected > 0"),
        ("db.state", {"=~": "^up"}, None),
        ("db.error", {"exists": False}, None),
        ("db.state", {"exists": False}, "db.state is 'up', expected that it does not exist"),
    ],
)
def test_json_is_compared_by_operators_and_a_length_stands_at_the_end_of_a_path(
    path: str, wanted: object, said: str | None
) -> None:
    document = {"items": [1, 2], "db": {"state": "up"}, "sharp": {"#": 7}, "one": 1}
    assert wrong({"json": {path: wanted}}, answer(document)) == said


def test_what_has_judged_an_answer_is_still_equal_to_what_has_not() -> None:
    table = {"status": 200, "json": {"a": {">": 1}}}
    used = HttpExpect.model_validate(table)
    judge(used, WELL)
    assert used == HttpExpect.model_validate(table)
    assert used.model_dump() == HttpExpect.model_validate(table).model_dump()


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": ', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_said_to_be_none(body: bytes) -> None:
    said = wrong({"json": {"a": 1}}, Response(200, {}, body))
    assert said is not None
    assert said.startswith("not valid JSON: ")


def test_json_that_was_cut_off_is_not_blamed_on_its_syntax() -> None:
    assert wrong({"json": {"a": 1}}, Response(200, {}, b"{", truncated=True)) == (
        "not valid JSON: it was cut after 1024 KiB"
    )


def test_latency_is_told_with_what_was_expected() -> None:
    assert wrong({"latency": 0.5}, took_s=0.5) is None
    assert wrong({"latency": "500ms"}, took_s=0.73) == "took 0.73 s, expected at most 0.5 s"


def test_the_status_is_judged_before_what_it_explains() -> None:
    expect = {"body": "ok", "json": {"a": 1}, "latency": 0.01}
    said = wrong(expect, Response(500, {}, b"oops"), took_s=9.0)
    assert said == "status 500, expected 200-299: oops"


LEAVES = st.one_of(st.booleans(), st.integers(-(10**9), 10**9), st.text(st.characters(codec="utf-8"), max_size=10))
KEYS = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=5)


@given(st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)))
def test_every_leaf_of_a_document_is_found_at_its_path(document: object) -> None:
    def leaves(value: object, path: tuple[str, ...]) -> list[tuple[str, object]]:
        if isinstance(value, dict):
            return [leaf for key, part in value.items() for leaf in leaves(part, (*path, str(key)))]
        if isinstance(value, list):
            return [leaf for index, part in enumerate(value) for leaf in leaves(part, (*path, str(index)))]
        return [(".".join(path), value)]

    expected = dict(leaves({"root": document}, ()))
    assert wrong({"json": expected}, answer({"root": document})) is None


@given(st.binary(max_size=300), st.integers(100, 599), st.floats(0, 100))
def test_no_answer_at_all_makes_the_judge_raise(body: bytes, status: int, took_s: float) -> None:
    expect = {"body": "/a.c/", "json": {"a.0": "x"}, "latency": 1, "status": [status]}
    said = wrong(expect, Response(status, {}, body), took_s)
    assert said is None or (said.isprintable() and len(said) < 300)


def test_sizes_spans_and_ends_read_as_people_write_them() -> None:
    assert [size_text(size) for size in (0, 999, 400_400_000, 412_000_000, 1_250_000_000)] == [
        "0 B", "999 B", "400.4 MB", "412 MB", "1.25 GB",
    ]  # fmt: skip
    assert [span_text(span) for span in (0.5, 0.734, 75, 900, 3 * 3600, 72 * 3600)] == [
        "0.5 s", "0.734 s", "75 s", "15 min", "3 h", "3 days",
    ]  # fmt: skip
    assert [exit_text(code) for code in (2, -9, -200)] == ["exit 2", "killed by SIGKILL", "killed by signal 200"]


@given(st.text(max_size=1000))
def test_an_excerpt_is_one_printable_line_of_bounded_length(text: str) -> None:
    shown = excerpt(text)
    assert shown.isprintable() or shown == ""
    assert len(shown) <= 121
