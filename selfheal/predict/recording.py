"""What was recorded of a fleet: its signals over time, its failures, its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """An agent failed; `mode` says how, in the words of whoever wrote it down."""

    agent: str
    at: float
    mode: str


@dataclass(frozen=True, slots=True)
class Samples:
    """What was measured of one agent, in order of time: a value of each signal for each time, NaN where none was."""

    at: Sequence[float]
    values: Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Recording:
    """A fleet. `failures` are in order of time; `limits` are by agent and signal. `epoch` where its times were written
    in seconds, and are to be told so.
    """

    signals: tuple[str, ...]
    agents: Mapping[str, Samples]
    failures: tuple[Failure, ...]
    limits: Mapping[str, Mapping[str, float]]
    epoch: bool = False
