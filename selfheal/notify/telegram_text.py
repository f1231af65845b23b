"""How does an alert look on Telegram, and how is a press on its buttons known for what it is?

Pure. Messages are HTML of which only `<`, `>` and `&` have a meaning, and every value is escaped. What a button sends
back names the incident and carries a tag: only who has our key can say that just this question was answered.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from typing import Literal

from selfheal.kinds import Alert

# Telegram counts characters once the markup is taken out; with it a message stays well below.
LONGEST = 4096
LONGEST_TEXT = 3000
# Bytes of what a button may send back, and of our tag in it: twelve are what 96 bits take.
LONGEST_PRESS, TAG_BYTES = 64, 12
_LAST = 253_402_300_799.0

Word = Literal["approve", "reject"]
_LETTERS: dict[Word, str] = {"approve": "a", "reject": "r"}
_MARKS = {"info": "🔵", "warning": "🟠", "critical": "🔴"}


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked: may `fix` be applied to `agent`? Asked at a moment, so that no old answer fits."""

    incident: str
    fix: str
    agent: str
    asked_at: float


@dataclass(frozen=True, slots=True)
class Press:
    """What a button has sent back. Whether its tag is right only the question can tell."""

    word: Word
    incident: str
    tag: str


def message(alert: Alert) -> str:
    """The alert as HTML."""
    at = datetime.fromtimestamp(min(alert.at, _LAST), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    mark = "✅" if alert.resolved else _MARKS[alert.severity]
    lines = [f"{mark} <b>{_safe(alert.title)}</b>"]
    if alert.text:
        lines.append(_safe(_cut(alert.text)))
    about = " · ".join(filter(None, (alert.severity if not alert.resolved else "", alert.agent, alert.incident, at)))
    return "\n".join([*lines, f"<i>{_safe(about)}</i>"])


def plain(alert: Alert) -> str:
    """The alert without any markup, for a server that does not take ours."""
    return f"{alert.title}\n{_cut(alert.text)}"


def parted(lines: Iterable[str]) -> list[str]:
    """Lines of plain text as messages of HTML, none longer than Telegram takes; a line that is too long is cut."""
    messages, room = [""], LONGEST
    for line in lines:
        cut = line if len(line) < LONGEST else f"{line[: LONGEST - 2]}…"
        if len(cut) + 1 > room:
            messages.append("")
            room = LONGEST
        messages[-1] += _safe(cut) + "\n"
        room -= len(cut) + 1
    return [one.rstrip("\n") for one in messages if one.strip()]


def presses(key: bytes, chat: int, question: Question) -> dict[Word, str] | None:
    """What each button sends back; None where the name of the incident is too long for that."""
    name = question.incident
    found = {word: f"{letter}:{name}:{_tag(key, chat, word, question)}" for word, letter in _LETTERS.items()}
    return found if all(len(one.encode()) <= LONGEST_PRESS for one in found.values()) else None


def read_press(data: str) -> Press | None:
    """What a button has sent back; None where that is none of ours."""
    letter, _, rest = data.partition(":")
    incident, _, tag = rest.rpartition(":")
    word = next((word for word, known in _LETTERS.items() if known == letter), None)
    return Press(word, incident, tag) if word is not None and incident and tag else None


def is_answer(key: bytes, chat: int, press: Press, question: Question) -> bool:
    """Whether a press answers just this question, by the button that was sent with it."""
    right = _tag(key, chat, press.word, question)
    return press.incident == question.incident and hmac.compare_digest(press.tag.encode(), right.encode())


def may_decide(chat: int, user: int, users: Sequence[int]) -> bool:
    """Whether a user may decide: one that is named, and where none is, the one whose private chat it is."""
    return user in users if users else chat > 0 and user == chat


def _tag(key: bytes, chat: int, word: Word, question: Question) -> str:
    return tag(key, str(chat), word, question.incident, question.fix, question.agent, repr(question.asked_at))


def tag(key: bytes, *said: str) -> str:
    """What only who has our key can put under these words."""
    words = "\0".join(("telegram", *said))
    return urlsafe_b64encode(hmac.new(key, words.encode(), sha256).digest()[:TAG_BYTES]).decode()


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def _safe(text: str) -> str:
    return escape(text, quote=False)
