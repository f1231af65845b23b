"""Are programs of one's own, and plugins of Nagios, run and understood?"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from selfheal.errors import CheckFailed
from selfheal.observe.command import COMMAND
from tests.real.asking import run_command, seen
from tests.real.counterparts import program
from tests.real.servers import build, context


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo all is well", ""),
        ("echo 'WARNING - disk 91% full'; echo details; exit 1", "exit 1: WARNING - disk 91% full"),
        ("echo; echo 'CRITICAL - down'; exit 2", "exit 2: CRITICAL - down"),
        ("echo to stderr >&2; exit 3", "exit 3: to stderr"),
        ("exit 4", "exit 4"),
        ("kill -9 $$", "killed by SIGKILL"),
        ("test -f here && test $GREETING = hello", ""),
    ],
)
def test_a_command_is_run_where_the_agent_is_and_its_first_line_is_the_reason(
    tmp_path: Path, script: str, reason: str
) -> None:
    (tmp_path / "here").touch()
    within = context(tmp_path, run_command=run_command)
    assert seen("command", {"command": ["sh", "-c", script]}, within) == (reason, {"duration": 0.25})


def test_of_a_traceback_the_last_line_is_the_reason(tmp_path: Path) -> None:
    within = context(tmp_path, run_command=run_command)
    reason, _ = seen("command", {"command": [sys.executable, "-c", "raise KeyError('stock')"]}, within)
    assert reason == "exit 1: KeyError: 'stock'"


def plugin(tmp_path: Path, argv: list[str], **table: object) -> tuple[str, str, Mapping[str, float]]:
    """What a plugin comes to: the result, the reason and the signals but for the duration."""

    async def story() -> tuple[str, str, Mapping[str, float]]:
        check = build(COMMAND, {"command": argv, "nagios": True, **table}, context(tmp_path, run_command=run_command))
        try:
            found = await check.run()
        except CheckFailed as why:
            return why.result, why.reason, without(getattr(why, "signals", {}))
        return "ok", "", without(found)

    def without(signals: Mapping[str, float]) -> Mapping[str, float]:
        return {name: value for name, value in signals.items() if name != "duration"}

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'OK | a=1 b=20ms'", ("ok", "", {"a": 1.0, "b": 0.02})),
        ("echo 'SLOW | took=3s;2;5'; exit 1", ("failed", "exit 1: SLOW", {"took": 3.0})),
        ("echo 'DOWN|x=0'; exit 2", ("failed", "exit 2: DOWN", {"x": 0.0})),
        ("echo 'no idea|x=0'; exit 3", ("error", "exit 3: no idea", {})),
        ("echo odd; exit 4", ("failed", "exit 4: odd", {})),
        ("kill -9 $$", ("failed", "killed by SIGKILL", {})),
    ],
)
def test_a_plugin_of_nagios_is_understood_with_its_numbers(tmp_path: Path, script: str, expected: object) -> None:
    assert plugin(tmp_path, ["sh", "-c", script]) == expected


def test_a_warning_can_be_well_enough(tmp_path: Path) -> None:
    warning = ["sh", "-c", "echo 'SLOW | took=3s'; exit 1"]
    assert plugin(tmp_path, warning, warning="ok") == ("ok", "", {"took": 3.0})
    with pytest.raises(ValidationError, match="add nagios = true, or take 'warning' out"):
        COMMAND.model.model_validate({"command": "true", "warning": "ok"})


def test_real_plugins_are_understood(tmp_path: Path) -> None:
    dummy = program("check_dummy", "monitoring-plugins-basic")
    assert [plugin(tmp_path, [dummy, str(code), "so"])[:2] for code in range(4)] == [
        ("ok", ""), ("failed", "exit 1: WARNING: so"), ("failed", "exit 2: CRITICAL: so"),
        ("error", "exit 3: UNKNOWN: so"),
    ]  # fmt: skip
    load = program("check_load", "monitoring-plugins-basic")
    result, _, found = plugin(tmp_path, [load, "-w", "9999", "-c", "9999"])
    assert (result, set(found)) == ("ok", {"load1", "load5", "load15"})
