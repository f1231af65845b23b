"""Was it worth telling? How a person says on Telegram that it was not, and how that is known for what it is.

Pure. Below the message of an anomaly stands one button; it carries a tag as those of a question do.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from selfheal.notify.telegram_text import LONGEST_PRESS, tag

_LETTER = "n"
WORDS = "Not worth it"


@dataclass(frozen=True, slots=True)
class NotWorthIt:
    """What the button has sent back. Not looked at yet is whether it is ours."""

    anomaly: str
    tag: str


def button(key: bytes, chat: int, anomaly: str) -> list[list[tuple[str, str]]]:
    """The row with the button: the words on it, and what it sends back. None where there is no room for that."""
    data = f"{_LETTER}:{anomaly}:{_tag(key, chat, anomaly)}"
    return [[(WORDS, data)]] if len(data.encode()) <= LONGEST_PRESS else []


def read_not_worth_it(data: str) -> NotWorthIt | None:
    """What the button has sent back; None where it is another."""
    letter, _, rest = data.partition(":")
    anomaly, _, its_tag = rest.rpartition(":")
    return NotWorthIt(anomaly, its_tag) if letter == _LETTER and anomaly and its_tag else None


def is_ours(key: bytes, chat: int, press: NotWorthIt) -> bool:
    """Whether the button was sent by us, into this chat, about this anomaly."""
    return hmac.compare_digest(press.tag.encode(), _tag(key, chat, press.anomaly).encode())


def _tag(key: bytes, chat: int, anomaly: str) -> str:
    return tag(key, str(chat), "anomaly", anomaly)
