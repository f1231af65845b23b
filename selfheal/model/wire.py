"""What do the daemon and the program that speaks to a model say to each other? One line of JSON each way."""

from __future__ import annotations

from typing import Literal

import msgspec

QUESTION = "SELFHEAL_MODEL_QUESTION"
"""The variable of that program in which its question stands, and the key: no list of processes shows it to others."""

Provider = Literal["anthropic", "openai"]
PROVIDERS: tuple[Provider, ...] = ("anthropic", "openai")
Trouble = Literal["", "error", "timeout"]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One call of one provider. An empty `base_url` is the maker's own. `complaint` is what was wrong with `before`."""

    provider: Provider
    key: str
    base_url: str
    model: str
    system: str
    text: str
    form: dict[str, object]
    max_tokens: int
    timeout_s: float
    before: str = ""
    complaint: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: a text, or the `trouble` and its `reason`, a slug without any word of the provider's."""

    text: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    trouble: Trouble = ""
    reason: str = ""


def messages(question: Question) -> list[dict[str, str]]:
    """The conversation: the question, and where it was answered in a wrong form, that and what was wrong."""
    asked = [{"role": "user", "content": question.text}]
    if question.complaint:
        asked += [
            {"role": "assistant", "content": question.before or "(nothing)"},
            {"role": "user", "content": f"That cannot be used ({question.complaint}). Answer in the form asked for."},
        ]
    return asked
