"""Does docs/ARCHITECTURE.md still describe the tree?"""

from __future__ import annotations

import re

from tests.architecture.tree import PACKAGE, ROOT

MAP = ROOT / "docs" / "ARCHITECTURE.md"

# In the map, what stands directly in the package is indented by two blanks: a name, blanks, what it is for.
ENTRY = re.compile(r"^ {2}(?P<name>\w+(?:/|\.py))(?:\s|$)", re.MULTILINE)


def test_the_map_lists_exactly_the_rooms_and_modules_that_there_are() -> None:
    block = re.search(r"^```\w*\nselfheal/\n(.*?)^```", MAP.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert block is not None, "docs/ARCHITECTURE.md has no block of code that begins with the line 'selfheal/'"
    inside = re.split(r"^\S", block[1], maxsplit=1, flags=re.MULTILINE)[0]  # what follows may map tests/ and the rest
    listed = [entry["name"] for entry in ENTRY.finditer(inside)]
    there = {f"{path.name}/" for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    there |= {path.name for path in PACKAGE.glob("*.py") if path.name != "__init__.py"}
    assert sorted(listed) == sorted(there)


def test_the_map_fits_into_one_sitting() -> None:
    assert len(MAP.read_text(encoding="utf-8").splitlines()) <= 150
