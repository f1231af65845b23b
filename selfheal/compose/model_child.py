"""How is a language model asked? In a process of its own for each question, bounded in time, as a job on data is."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from selfheal.errors import SpawnFailed
from selfheal.kinds import RunCommand
from selfheal.model.child import RETRIES
from selfheal.model.wire import QUESTION, Answer, Question

_ARGV = (sys.executable, "-P", "-m", "selfheal.model")
# To begin, and to wait between a try and the next.
_OVERHEAD_S = 10.0
# What it needs of the daemon's environment: nothing that is secret.
_PASSED_ON = frozenset({
    "PATH", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy",
})  # fmt: skip


class ModelChild:
    """The port `AskModel` of this machine: a child process for each question."""

    def __init__(self, run_command: RunCommand, environment: Mapping[str, str]) -> None:
        self._run_command = run_command
        self._environment = {name: value for name, value in environment.items() if name in _PASSED_ON}

    async def __call__(self, question: Question) -> Answer:
        told = {QUESTION: msgspec.json.encode(question).decode()}
        limit_s = question.timeout_s * (1 + RETRIES) + _OVERHEAD_S
        try:
            done = await self._run_command(
                _ARGV, directory=Path("/"), environment={**self._environment, **told}, timeout_s=limit_s
            )
        except TimeoutError:
            return Answer(trouble="timeout", reason="too_slow")
        except SpawnFailed:
            return Answer(trouble="error", reason="not_started")
        try:
            return msgspec.json.decode(done.output.strip().rpartition("\n")[2].encode(), type=Answer)
        except msgspec.DecodeError:
            return Answer(trouble="error", reason="died")
