"""How is a model asked? By its maker's own package, which only this program imports.

Nothing is streamed: a stream that is cut early looks like an answer. The key and the address are given, never found:
these packages look for both in more places than anybody expects. Of what goes wrong only its kind is told, for an
error may repeat what was sent.
"""

from __future__ import annotations

from collections.abc import Callable

from selfheal.model.wire import Answer, Provider, Question, messages

RETRIES = 1
_NAMES_LENGTH = 60


def ask(question: Question) -> Answer:
    """Ask once, and say what came of it. Never raises."""
    try:
        return _ASK[question.provider](question)
    except ImportError:
        return Answer(trouble="error", reason="not_installed")
    except Exception as why:  # noqa: BLE001 - the maker's package may raise anything; the daemon has to hear of it
        return _failed(why)


def _anthropic(question: Question) -> Answer:
    from anthropic import Anthropic  # noqa: PLC0415 - a second and 60 MB: only for who is asked

    with Anthropic(
        api_key=question.key, base_url=question.base_url or "https://api.anthropic.com",
        timeout=question.timeout_s, max_retries=RETRIES,
    ) as client:  # fmt: skip
        said = client.messages.create(
            model=question.model,
            max_tokens=question.max_tokens,
            system=question.system,
            messages=messages(question),
            extra_body={"output_config": {"format": {"type": "json_schema", "schema": question.form}}},
        )
    text = "".join(block.text for block in said.content if block.type == "text")
    amiss = {"refusal": "refusal", "max_tokens": "cut_off"}.get(said.stop_reason or "", "")
    return _answer(text, amiss, said.usage.input_tokens, said.usage.output_tokens)


def _openai(question: Question) -> Answer:
    from openai import OpenAI  # noqa: PLC0415 - as above

    form = {"name": "opinion", "strict": True, "schema": question.form}
    with OpenAI(
        api_key=question.key, base_url=question.base_url or "https://api.openai.com/v1",
        timeout=question.timeout_s, max_retries=RETRIES,
    ) as client:  # fmt: skip
        said = client.chat.completions.create(
            model=question.model,
            max_completion_tokens=question.max_tokens,
            store=False,
            messages=[{"role": "system", "content": question.system}, *messages(question)],
            response_format={"type": "json_schema", "json_schema": form},
        )
    choice, usage = said.choices[0], said.usage
    ended = {"content_filter": "refusal", "length": "cut_off"}.get(choice.finish_reason or "", "")
    amiss = "refusal" if choice.message.refusal else ended
    sent, had = (usage.prompt_tokens, usage.completion_tokens) if usage is not None else (0, 0)
    return _answer(choice.message.content or "", amiss, sent, had)


def _answer(text: str, amiss: str, tokens_in: int, tokens_out: int) -> Answer:
    """An answer that is one, or what stopped it; tokens are paid for either way."""
    if amiss:
        return Answer(trouble="error", reason=amiss, tokens_in=tokens_in, tokens_out=tokens_out)
    return Answer(text=text, tokens_in=tokens_in, tokens_out=tokens_out)


def _failed(why: Exception) -> Answer:
    """The kind of what went wrong, and the status where there was an answer."""
    status = getattr(why, "status_code", None)
    if isinstance(status, int):
        return Answer(trouble="error", reason=f"status_{status}")
    name = type(why).__name__[:_NAMES_LENGTH]
    return Answer(trouble="timeout" if "Timeout" in name else "error", reason=name)


_ASK: dict[Provider, Callable[[Question], Answer]] = {"anthropic": _anthropic, "openai": _openai}
