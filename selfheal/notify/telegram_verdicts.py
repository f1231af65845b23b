"""Was the cause right? How a person is asked that on Telegram, and how the answer is known for what it is.

Pure. Below the message of an incident stand buttons: that the diagnosis was right, that it was not, the other causes
that were likely, and a way to all there are. Each carries a tag as those of a question do, and holds for as long as the
incident is known: another press changes what was said.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from selfheal.causes import CAUSES
from selfheal.notify.telegram_text import LONGEST_PRESS, tag

# What a button says in place of a cause: it was another one, and show me all of them, or only the likely ones again.
WRONG, ALL, LIKELY = "-", "?", "<"
ALTERNATIVES = 3
_LETTER = "v"
_IN_A_ROW = 2

Button = tuple[str, str]
"""The words on it, and what it sends back."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a button has sent back: a cause, or one of the words for none. Not looked at yet is whether it is ours."""

    incident: str
    word: str
    tag: str


@dataclass(frozen=True, slots=True)
class Said:
    """What holds until now: a cause, or WRONG, and who said so."""

    word: str
    by: str


def buttons(
    key: bytes, chat: int, incident: str, causes: Sequence[str], said: Said | None = None, *, every: bool = False
) -> list[list[Button]]:
    """The rows of buttons; with `every` cause there is. None where there is no diagnosis, or no room in a button."""
    if not causes:
        return []
    words = {cause: _named(cause) for cause in sorted(CAUSES)} | {LIKELY: "Back"} if every else _likely(causes, said)
    if said is not None and said.word in words:
        words[said.word] = f"✓ {words[said.word]} ({said.by})"
    row = [(text, _press(key, chat, incident, word)) for word, text in words.items()]
    if any(len(data.encode()) > LONGEST_PRESS for _, data in row):
        return []
    return [row[at : at + _IN_A_ROW] for at in range(0, len(row), _IN_A_ROW)]


def _likely(causes: Sequence[str], said: Said | None) -> dict[str, str]:
    """What stands on each button, by what it says."""
    first, *others = causes
    words = {first: f"Right: {_named(first)}", WRONG: "Wrong"}
    also = [*others[:ALTERNATIVES], *([said.word] if said is not None else [])]
    words |= {cause: f"Was: {_named(cause)}" for cause in also if cause not in words}
    return words | {ALL: "Other…"}


def read_verdict(data: str) -> Verdict | None:
    """What a button has sent back; None where that is none of these."""
    letter, _, rest = data.partition(":")
    incident, _, signed = rest.partition(":")
    word, _, its_tag = signed.rpartition(":")
    return Verdict(incident, word, its_tag) if letter == _LETTER and incident and word and its_tag else None


def is_ours(key: bytes, chat: int, verdict: Verdict) -> bool:
    """Whether the button was sent by us, into this chat, about this incident."""
    right = _tag(key, chat, verdict.incident, verdict.word)
    return hmac.compare_digest(verdict.tag.encode(), right.encode())


def _press(key: bytes, chat: int, incident: str, word: str) -> str:
    return f"{_LETTER}:{incident}:{word}:{_tag(key, chat, incident, word)}"


def _tag(key: bytes, chat: int, incident: str, word: str) -> str:
    return tag(key, str(chat), "verdict", incident, word)


def _named(cause: str) -> str:
    return cause.replace("_", " ")
