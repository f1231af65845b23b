"""The check `command`: does a program of the user's own find the agent well?

Exit 0 is well, and the first line of the output says why it is not. With `nagios = true` the program is a plugin of
Nagios or its heirs: what it does not know counts for neither side, and its performance data become signals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from selfheal.config.models import CheckConfig
from selfheal.config.units import Command, Flag
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind, Completed
from selfheal.observe.nagios import UNKNOWN, WARNING, numbers, parted
from selfheal.observe.wording import Unwell, exit_text, with_words


class CommandCheckConfig(CheckConfig):
    """A program that ends with 0 where the agent is well."""

    command: Command = Field(description="A list, or a string split as a shell splits words; no shell is started.")
    nagios: Flag = Field(False, description="A plugin of Nagios: exit 1 is a warning, 3 unknown; numbers after '|'.")
    warning: Literal["failed", "ok"] = Field("failed", description="What a plugin's warning (exit 1) means.")

    @model_validator(mode="after")
    def _warns(self) -> CommandCheckConfig:
        if "warning" in self.model_fields_set and not self.nagios:
            raise ValueError("only a plugin of Nagios warns; add nagios = true, or take 'warning' out")
        return self


@dataclass(frozen=True, slots=True)
class CommandCheck:
    """Signal: `duration` in seconds."""

    argv: tuple[str, ...]
    timeout_s: float
    context: CheckContext

    async def run(self) -> Mapping[str, float]:
        done = await self._done()
        signals = {"duration": done.took_s}
        if done.code != 0:
            raise Unwell(with_words(exit_text(done.code), _telling_line(done.output)), signals)
        return signals

    async def _done(self) -> Completed:
        return await self.context.run_command(
            self.argv,
            directory=self.context.directory,
            environment=self.context.environment,
            timeout_s=self.timeout_s,
        )


@dataclass(frozen=True, slots=True)
class PluginCheck(CommandCheck):
    """Signals: `duration` in seconds, and the plugin's performance data. `well` are the exit codes that are."""

    well: frozenset[int]

    async def run(self) -> Mapping[str, float]:
        done = await self._done()
        text, data = parted(done.output)
        signals = {**numbers(data), "duration": done.took_s}
        if done.code in self.well:
            return signals
        reason = with_words(exit_text(done.code), text or _telling_line(done.output))
        if done.code == UNKNOWN:
            raise CheckFailed(reason, "error")
        raise Unwell(reason, signals)


def _telling_line(output: str) -> str:
    """The first line, except of a Python traceback, which says what happened at its end."""
    lines = [line for line in output.splitlines() if line.strip()]
    if not lines:
        return ""
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, CommandCheckConfig)
    if not config.nagios:
        return CommandCheck(config.command, config.timeout, context)
    well = frozenset((0, WARNING) if config.warning == "ok" else (0,))
    return PluginCheck(config.command, config.timeout, context, well)


COMMAND = CheckKind(name="command", model=CommandCheckConfig, build=_build, signals=("duration",))
