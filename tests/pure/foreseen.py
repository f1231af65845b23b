"""A failure that is foreseen, for the tests in here: what is said of it, and what is planned."""

from __future__ import annotations

from functools import reduce

from selfheal.events import AgentDeclared, AgentReady, AgentStarted, Event, FailurePredicted, Run, WorkPlanned
from selfheal.vocabulary import FailureMode
from selfheal.world import EMPTY, World, fold

NOW = 1000.0


def predicted(
    agent: str = "api",
    eta_s: float = 1860.0,
    probability: float = 0.9,
    mode: FailureMode = "out_of_memory",
    at: float = NOW,
) -> FailurePredicted:
    return FailurePredicted(
        at, agent, mode, "rss", probability, eta_s, eta_s * 27 / 31, eta_s * 36 / 31, 363e6, 400e6, 20e3
    )


def declared(
    name: str, *needs: str, has_process: bool = True, layer: str = "application", kind: str = "process"
) -> list[Event]:
    run = Run(7, 1, 0.0, 1, "boot")
    said = AgentDeclared(0.0, name, kind, "data" if layer == "data" else "application", needs, (), has_process)
    began: list[Event] = [AgentStarted(0.0, name, run, "first")] if has_process else []
    return [said, *began, AgentReady(0.1, name, 1 if has_process else 0, 0.1)]


def world_of(*events: Event) -> World:
    return reduce(fold, [*declared("api"), *declared("web"), *events], EMPTY)


def planned(due_at: float = 1100.0, work: str = "work-1", agent: str = "api", drawn: bool = False) -> WorkPlanned:
    return WorkPlanned(
        NOW, work, agent, "restart", due_at, "why", "out_of_memory", "memory_leak", 0.9, 2000.0, drawn=drawn
    )
