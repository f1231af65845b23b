"""The check `command`: does a program of the user's own find the agent well?

As with the plugins of Nagios and its heirs, exit 0 is well and the first line of the output says why it is not. A
warning is a failure too: who wants to hear of it later sets `fall`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import Field

from selfheal.config.models import CheckConfig
from selfheal.config.units import Command
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.observe.wording import Unwell, exit_text, with_words


class CommandCheckConfig(CheckConfig):
    """A program that ends with 0 where the agent is well."""

    command: Command = Field(description="A list, or a string split as a shell splits words; no shell is started.")


@dataclass(frozen=True, slots=True)
class CommandCheck:
    """Signal: `duration` in seconds."""

    argv: tuple[str, ...]
    timeout_s: float
    context: CheckContext

    async def run(self) -> Mapping[str, float]:
        done = await self.context.run_command(
            self.argv,
            directory=self.context.directory,
            environment=self.context.environment,
            timeout_s=self.timeout_s,
        )
        signals = {"duration": done.took_s}
        if done.code != 0:
            raise Unwell(with_words(exit_text(done.code), _telling_line(done.output)), signals)
        return signals


def _telling_line(output: str) -> str:
    """The first line, except of a Python traceback, which says what happened at its end."""
    lines = [line for line in output.splitlines() if line.strip()]
    if not lines:
        return ""
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, CommandCheckConfig)
    return CommandCheck(config.command, config.timeout, context)


COMMAND = CheckKind(name="command", model=CommandCheckConfig, build=_build, signals=("duration",))
