"""Does the program that asks a language model say what came of it, whatever comes, and nothing else?

The makers' packages are stood in for here, with real HTTP behind them; `make judges` has the real ones.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from selfheal.clock import RealClock
from selfheal.compose.model_child import ModelChild
from selfheal.model.reply import SYSTEM, Opinion, read, schema
from selfheal.model.wire import PROVIDERS, Answer, Provider, Question
from selfheal.supervise.oneshot import CommandRunner
from selfheal.telemetry.redact import redact_text
from tests.pure.questions import packed
from tests.real.model_fake import KEY, counterpart

STAND_INS = Path(__file__).parent / "model_sdks"
BASES: dict[Provider, str] = {"anthropic": "", "openai": "/v1"}


def question(provider: Provider, url: str, timeout_s: float = 10.0, complaint: str = "") -> Question:
    asked = packed()
    return Question(
        provider=provider, key=KEY, base_url=url + BASES[provider], model="m", system=SYSTEM, text=asked.text,
        form=schema(asked), max_tokens=700, timeout_s=timeout_s, before="{" if complaint else "", complaint=complaint,
    )  # fmt: skip


async def answered(*questions: Question, path: Path = STAND_INS) -> list[Answer]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(path), "OPENAI_API_KEY": "not-this", "SECRET": "no"}
    ask = ModelChild(CommandRunner(RealClock()), environment)
    return [await ask(one) for one in questions]


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> Provider:
    given: Provider = request.param
    return given


def test_a_good_answer_comes_with_its_tokens(provider: Provider) -> None:
    with counterpart() as known:
        told, again = asyncio.run(
            answered(question(provider, known.url), question(provider, known.url, complaint="not_json"))
        )
    assert isinstance(read(told.text, packed(), redact_text), Opinion)
    assert (told.trouble, told.tokens_in, told.tokens_out) == ("", 700, 60)
    assert again.text == told.text
    assert len(known.asked[1]["messages"]) == len(known.asked[0]["messages"]) + 2
    assert known.wrong == []


@pytest.mark.parametrize(
    ("script", "trouble", "reason"),
    [
        (("429", "good"), "", ""),
        (("529", "good"), "", ""),
        (("disconnect", "good"), "", ""),
        (("429",), "error", "status_429"),
        (("529",), "error", "status_529"),
        (("500",), "error", "status_500"),
        (("401",), "error", "status_401"),
        (("disconnect",), "error", "APIConnectionError"),
        (("refusal",), "error", "refusal"),
        (("cut",), "error", "cut_off"),
    ],
)
def test_what_goes_wrong_is_told_by_its_kind_alone(
    provider: Provider, script: tuple[str, ...], trouble: str, reason: str
) -> None:
    with counterpart(*script) as known:
        (told,) = asyncio.run(answered(question(provider, known.url)))
    assert (told.trouble, told.reason) == (trouble, reason)
    assert KEY not in repr(told)
    assert len(known.asked) <= 2


def test_one_that_hangs_has_not_answered_in_time(provider: Provider) -> None:
    with counterpart("hang") as known:
        (told,) = asyncio.run(answered(question(provider, known.url, timeout_s=0.3)))
    assert (told.trouble, told.text) == ("timeout", "")


@pytest.mark.parametrize("script", ["half", "garbage", "unknown"])
def test_nonsense_is_passed_on_as_text_and_refused_where_it_is_read(provider: Provider, script: str) -> None:
    with counterpart(script) as known:
        (told,) = asyncio.run(answered(question(provider, known.url)))
    assert read(told.text, packed(), redact_text) in ("not_json", "unknown_cause")


def test_without_the_makers_package_it_says_so(provider: Provider, tmp_path: Path) -> None:
    (tmp_path / f"{provider}.py").write_text("raise ImportError('no such package')")
    (told,) = asyncio.run(answered(question(provider, "http://127.0.0.1:9"), path=tmp_path))
    assert (told.trouble, told.reason) == ("error", "not_installed")


def test_a_child_that_dies_has_failed(provider: Provider, tmp_path: Path) -> None:
    (tmp_path / f"{provider}.py").write_text("import os; os._exit(3)")
    (told,) = asyncio.run(answered(question(provider, "http://127.0.0.1:9"), path=tmp_path))
    assert (told.trouble, told.reason) == ("error", "died")
