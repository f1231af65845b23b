"""Does an agent end with all that it started, whoever ends it, and whichever daemon started it?"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from selfheal.supervise import proc
from tests.real.daemon_process import House, house, until

# One helper in the group of the main process, one in a session of its own, one forked twice.
TREE = """
[guard]
verify = 0
[agents.tree]
command = ["sh", "-c", "sleep 61 & setsid sleep 62 & (setsid sleep 63 &); exec sleep 60"]
[agents.other]
command = ["sh", "-c", "(setsid sleep 64 &); exec sleep 65"]
"""
HELPERS = 3


def sleepers(place: House, agent: str) -> set[int]:
    """The processes of an agent that have come to their sleep."""
    return {one.run.pid for one in place.marked() if one.agent == agent and _sleeps(one.run.pid)}


def _sleeps(pid: int) -> bool:
    """What has ended and waits to be buried by whoever took it over does not count."""
    try:
        return Path(f"/proc/{pid}/comm").read_text() == "sleep\n" and proc.stat(pid).alive
    except OSError:
        return False


def grown(place: House, agent: str = "tree", size: int = HELPERS + 1) -> set[int]:
    """Wait until an agent has its whole tree, and nothing besides."""
    until(lambda: len(sleepers(place, agent)) == size, what=place.marked)
    return sleepers(place, agent)


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if _sleeps(pid)}


def test_a_tree_ends_with_its_main_process_and_with_the_orders_of_a_person() -> None:
    with house(TREE) as place:
        first, other = grown(place), grown(place, "other", 2)
        os.kill(place.pid("tree"), signal.SIGKILL)
        until(lambda: not alive(first), what=lambda: alive(first))
        second = grown(place)
        assert not first & second
        assert place.order("agents/tree/restart").status == 200
        assert not alive(second)
        third = grown(place)
        assert place.order("agents/tree/stop").status == 200
        assert not alive(third)
        assert alive(other) == other
        assert place.stop() == 0
        assert not alive(other)
        assert place.marked() == []


def test_a_tree_that_was_adopted_ends_with_its_main_process_too() -> None:
    with house(TREE) as place:
        first = grown(place)
        place.daemon.kill()
        assert alive(first) == first
        place.boot()
        assert alive(first) == first
        os.kill(place.pid("tree"), signal.SIGKILL)
        until(lambda: not alive(first), what=lambda: alive(first))
        grown(place)
        assert place.stop() == 0
        assert place.marked() == []


def test_helpers_whose_main_process_died_while_nobody_watched_are_ended_at_the_start() -> None:
    with house(TREE) as place:
        first, main = grown(place), place.pid("tree")
        place.daemon.kill()
        os.kill(main, signal.SIGKILL)
        place.boot()
        until(lambda: not alive(first), what=lambda: alive(first))
        assert main not in grown(place)
