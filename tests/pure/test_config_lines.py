"""Is every key found on the line on which it stands?"""

from __future__ import annotations

import json
import tomllib

from hypothesis import example, given
from hypothesis import strategies as st

from selfheal.config.lines import KeyPath, dotted, find_lines, line_of

TEXT = '''\
# a comment with = and [brackets]
top = 1

[daemon]
"quoted key" = "a # b"   # comment
'literal' = 'c'
a.b . "c" = 2
text = """
[not.a.table]
not = "a key"
quotes: "" and \\""" here"""
raw = \'\'\'
x = 1\'\'\'
many = [
  { http = "x", expect = { status = 200 } },
  # between
  { tcp = "y" }, { tcp = "]" },
]
when = 1979-05-27 07:32:00

[[agents.api.checks]]
http = "z"
[agents.api.checks.expect]
status = 1
[[agents.api.checks]]
tcp = "}"
[agents."b.c"]
x = [[1, 2],
     [3]]
'''

EXPECTED = {
    ("top",): 2,
    ("daemon",): 4,
    ("daemon", "quoted key"): 5,
    ("daemon", "literal"): 6,
    ("daemon", "a", "b", "c"): 7,
    ("daemon", "text"): 8,
    ("daemon", "raw"): 12,
    ("daemon", "many"): 14,
    ("daemon", "many", 0, "expect", "status"): 15,
    ("daemon", "many", 1, "tcp"): 17,
    ("daemon", "many", 2, "tcp"): 17,
    ("daemon", "when"): 19,
    ("agents", "api", "checks"): 21,
    ("agents", "api", "checks", 0): 21,
    ("agents", "api", "checks", 0, "http"): 22,
    ("agents", "api", "checks", 0, "expect"): 23,
    ("agents", "api", "checks", 0, "expect", "status"): 24,
    ("agents", "api", "checks", 1): 25,
    ("agents", "api", "checks", 1, "tcp"): 26,
    ("agents", "b.c"): 27,
    ("agents", "b.c", "x", 1, 0): 29,
}


def test_keys_are_found_in_every_way_of_writing_them() -> None:
    tomllib.loads(TEXT)
    lines = find_lines(TEXT)
    assert {path: lines.get(path) for path in EXPECTED} == EXPECTED


def test_windows_line_ends_make_no_difference() -> None:
    assert find_lines(TEXT.replace("\n", "\r\n")) == find_lines(TEXT)


def test_what_is_not_there_has_the_line_of_the_table_around_it() -> None:
    lines = find_lines(TEXT)
    assert line_of(("agents", "api", "checks", 1, "interval"), lines) == 25
    assert line_of(("elsewhere",), lines) is None


def test_a_path_is_written_as_a_person_would() -> None:
    assert dotted(("agents", "api", "checks", 0, "interval")) == "agents.api.checks[0].interval"
    assert dotted(("agents", "a.b", 'say "x"')) == 'agents."a.b"."say \\"x\\""'


KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\x7f", exclude_categories=["Cc", "Cs"]), max_size=8)
SCALARS = st.one_of(st.integers(0, 99), st.booleans(), KEYS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)


def quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def written(value: object) -> str:
    """Write a value on one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{quoted(key)} = {written(part)}" for key, part in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(written, value)) + "]"
        case _:
            return quoted(value)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=4))
def test_every_key_of_any_file_is_found_on_its_line(tables: dict[str, dict[str, object]]) -> None:
    text = ""
    expected: dict[KeyPath, int] = {}
    for name, table in tables.items():
        expected[(name,)] = text.count("\n") + 1
        text += f"[{quoted(name)}]\n"
        for key, value in table.items():
            expected[name, key] = text.count("\n") + 1
            text += f"{quoted(key)} = {written(value)} # [x]\n\n"
    assert tomllib.loads(text) == tables
    lines = find_lines(text)
    assert {path: lines.get(path) for path in expected} == expected


@given(st.text(alphabet="[]{}=,.#'\"\\\n ab1"))
@example('"\\ " = 1')
def test_no_text_stops_the_search(text: str) -> None:
    assert all(1 <= line <= text.count("\n") + 1 for line in find_lines(text).values())
