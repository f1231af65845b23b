"""Over which histories of a state directory is the power cut, and what is wrong afterwards?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.real.crash_damage import everything, lived
from tests.real.crash_program import Run
from tests.real.crash_story import VIEWS
from tests.real.crash_verdict import Promised, wrong, wrong_document
from tests.real.powerloss_proof import History, Judge, traced

LOST_BY_DAMAGE = frozenset({2})  # the event that `everything` damages


def first_life() -> History:
    return traced(lambda state: [Run(str(state))])


def second_life() -> History:
    return traced(lambda state: [Run(str(state))], lived)


def after_a_kill() -> History:
    """The daemon was killed with segments full that no disk had; the next one took over, and promised."""
    return traced(lambda state: [Run(str(state), story="abandon"), Run(str(state))])


def after_a_kill_on_a_sick_disk() -> History:
    """The same, and the first that the next daemon waits for fails."""
    sick = "error=EIO"
    return traced(lambda state: [Run(str(state), story="abandon"), Run(str(state), "fdatasync", 1, relief=2)], act=sick)


def mending() -> History:
    """The start over a directory in which everything is damaged."""

    def damaged(state: Path) -> None:
        lived(state)
        assert everything(state) == LOST_BY_DAMAGE

    return traced(lambda state: [Run(str(state))], damaged)


def careless() -> History:
    return _badly_saved("careless")


def hasty() -> History:
    return _badly_saved("hasty")


def judged(state: Path, promised: Promised) -> list[str]:
    """What is wrong. That what nobody had waited for is torn or missing is damage, said once, and right to say."""
    return [what for what in wrong(state, promised) if not what.startswith("damage is found: ")]


def judged_as_mended(state: Path, promised: Promised) -> list[str]:
    before = Promised(written=frozenset(range(1, 12)), events=11)
    return wrong(state, before.then(promised), damaged=True, lost=LOST_BY_DAMAGE)


def judged_alone(state: Path, promised: Promised) -> list[str]:
    """What is wrong with the one document that the bad ways of saving write."""
    return list(wrong_document(state / VIEWS[0], promised, damaged=False))


OURS: dict[str, tuple[Callable[[], History], Judge]] = {
    "first life": (first_life, judged),
    "second life": (second_life, judged),
    "after a kill": (after_a_kill, judged),
    "after a kill on a sick disk": (after_a_kill_on_a_sick_disk, judged),
    "mending": (mending, judged_as_mended),
}
NOT_OURS: dict[str, Callable[[], History]] = {"careless": careless, "hasty": hasty}


def _badly_saved(story: str) -> History:
    return traced(lambda state: [Run(str(state), story=story)], Path.mkdir)
