"""How is a text spelt that is looked for in another? As it is, or as a regular expression between slashes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field


def check_text(text: str) -> str:
    """Return `text` where it is a text, or a regular expression between slashes; raises ValueError else."""
    try:
        _pattern(text)
    except re.error as why:
        raise ValueError(f"{text!r} is not a regular expression ({why}); mend it or leave out the slashes") from why
    return text


def holds(wanted: str, text: str) -> bool:
    """Whether `text` contains `wanted`, or matches it anywhere where it stands between slashes."""
    return finder(wanted)(text)


def finder(wanted: str) -> Callable[[str], bool]:
    """As `holds`, read once, for what is looked for again and again."""
    pattern = _pattern(wanted)
    return (lambda text: wanted in text) if pattern is None else (lambda text: pattern.search(text) is not None)


def _pattern(text: str) -> re.Pattern[str] | None:
    """The regular expression between slashes; `re` keeps what it compiled."""
    return re.compile(text[1:-1]) if len(text) > 2 and text[0] == text[-1] == "/" else None


Text = Annotated[str, Field(min_length=1), AfterValidator(check_text)]
