"""Do the makers' own packages take what we ask of them, and do servers that others wrote find nothing wrong with it?

Three counterparts: our strict one, llmock, which judges how a client behaves while everything fails, and aimock, which
answers from fixtures (from npm: JUDGE_AIMOCK names its program, without it that part is left out).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import httpx
import pytest

from selfheal.model.child import ask
from selfheal.model.reply import SYSTEM, Opinion, read, schema
from selfheal.model.wire import PROVIDERS, Provider, Question
from selfheal.telemetry.redact import redact_text
from tests.pure.questions import answer, packed
from tests.real.model_fake import KEY, counterpart


class LLMock(Protocol):
    """What is used of the fixture of that name, which comes with the package."""

    def base_url(self, provider: str) -> str: ...
    def reply(self, text: str) -> LLMock: ...
    def fail(self, status: int, *, times: int) -> LLMock: ...
    def assert_resilient(self) -> None: ...


for needed in ("anthropic", "openai", "llmock"):
    pytest.importorskip(needed)

BASES: dict[Provider, str] = {"anthropic": "", "openai": "/v1"}


def question(provider: Provider, base: str, timeout_s: float = 10.0, key: str = KEY) -> Question:
    asked = packed()
    return Question(
        provider=provider, key=key, base_url=base, model="m", system=SYSTEM, text=asked.text, form=schema(asked),
        max_tokens=700, timeout_s=timeout_s,
    )  # fmt: skip


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> Provider:
    given: Provider = request.param
    return given


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (("good",), ""),
        (("429", "good"), ""),
        (("529", "good"), ""),
        (("disconnect", "good"), ""),
        (("429",), "status_429"),
        (("529",), "status_529"),
        (("500",), "status_500"),
        (("401",), "status_401"),
        (("disconnect",), "APIConnectionError"),
        (("refusal",), "refusal"),
        (("cut",), "cut_off"),
        (("half",), "not_json"),
        (("garbage",), "not_json"),
        (("unknown",), "unknown_cause"),
    ],
)
def test_our_counterpart_finds_nothing_wrong_and_every_end_is_told(
    provider: Provider, script: tuple[str, ...], reason: str
) -> None:
    with counterpart(*script) as known:
        told = ask(question(provider, known.url + BASES[provider]))
    assert known.wrong == []
    if told.trouble:
        assert told.reason == reason
    else:
        said = read(told.text, packed(), redact_text)
        assert (said == reason) if reason else isinstance(said, Opinion)
    assert KEY not in repr(told)


def test_one_that_hangs_is_given_up(provider: Provider) -> None:
    with counterpart("hang") as known:
        told = ask(question(provider, known.url + BASES[provider], timeout_s=0.3))
    assert told.trouble == "timeout"


def test_keys_and_addresses_of_the_environment_are_not_used(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANTHROPIC", "OPENAI"):
        monkeypatch.setenv(f"{name}_BASE_URL", "http://127.0.0.1:9")
        monkeypatch.setenv(f"{name}_API_KEY", "another-key")
    with counterpart() as known:
        assert ask(question(provider, known.url + BASES[provider])).trouble == ""
    assert known.wrong == []


# --- llmock ----------------------------------------------------------------------------------------------------------


def test_llmock_hands_on_an_answer(provider: Provider, llmock: LLMock) -> None:
    llmock.reply(answer(packed()))
    told = ask(question(provider, llmock.base_url(provider)))
    assert isinstance(read(told.text, packed(), redact_text), Opinion)


@pytest.mark.parametrize("status", [429, 500, 503, 529])
def test_llmock_finds_that_one_failure_is_borne(provider: Provider, llmock: LLMock, status: int) -> None:
    llmock.fail(status, times=1).reply(answer(packed()))
    told = ask(question(provider, llmock.base_url(provider)))
    assert isinstance(read(told.text, packed(), redact_text), Opinion)
    llmock.assert_resilient()


# --- aimock ----------------------------------------------------------------------------------------------------------


@contextmanager
def aimock(folder: Path, *fixtures: dict[str, Any]) -> Iterator[str]:
    program = os.environ.get("JUDGE_AIMOCK")
    if not program:
        pytest.skip("aimock is not here: npm install @copilotkit/aimock, then JUDGE_AIMOCK=node_modules/.bin/llmock")
    (folder / "answers.json").write_text(json.dumps({"fixtures": fixtures}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [program, "-p", str(port), "-f", str(folder), "--strict"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as server:
        try:
            until = monotonic() + 10.0
            while monotonic() < until:
                try:
                    httpx.get(f"http://127.0.0.1:{port}/health", timeout=1.0)
                    break
                except httpx.TransportError:
                    continue
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


def test_aimock_hands_on_an_answer(provider: Provider, tmp_path: Path) -> None:
    told = {"match": {"userMessage": "candidates"}, "response": {"content": answer(packed())}}
    with aimock(tmp_path, told) as url:
        found = ask(question(provider, url + BASES[provider]))
    assert isinstance(read(found.text, packed(), redact_text), Opinion)


def test_aimock_says_why_it_failed(provider: Provider, tmp_path: Path) -> None:
    error = {"error": {"message": "overloaded", "type": "overloaded_error"}, "status": 529}
    with aimock(tmp_path, {"match": {"userMessage": "candidates"}, "response": error}) as url:
        found = ask(question(provider, url + BASES[provider]))
    assert (found.trouble, found.reason) == ("error", "status_529")
