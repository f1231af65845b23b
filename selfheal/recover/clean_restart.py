"""The fix `clean_restart`: an agent is started anew without what it has kept for itself, its caches.

They are moved aside, not deleted: where that did not help they are put back, and where it did they go when it is over.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import Field

from selfheal.config.healing import FixSettings
from selfheal.errors import FixFailed
from selfheal.kinds import Act, Fix, Hands, Target
from selfheal.recover.listed import Patterns, listed, start_of

_ASIDE = ".cleared-"


class CleanRestartSettings(FixSettings):
    """What an agent can do without."""

    caches: Patterns = Field(
        description="Files and folders that the agent makes anew: paths, in which *, ? and ** may stand."
    )


def caches_of(settings: object) -> tuple[Path, ...]:
    """What a table of this fix names; nothing where it is not one."""
    return settings.caches if isinstance(settings, CleanRestartSettings) else ()


async def _clean(hands: Hands, target: Target) -> str:
    settings = _settings(target)
    await hands.stop(target.agent)
    moved = await hands.work(lambda: move_aside(settings.caches, hands.state_dir, target.incident))
    return f"{_count(moved)} moved aside"


async def _start(hands: Hands, target: Target) -> str:
    await hands.restart(target.agent, "fix")
    return f"{target.agent} was started without them"


async def _put_back(hands: Hands, target: Target) -> str:
    settings = _settings(target)
    await hands.stop(target.agent)
    back = await hands.work(lambda: put_back(settings.caches, target.incident))
    await hands.restart(target.agent, "fix")
    return f"{_count(back)} put back"


def move_aside(patterns: Iterable[Path], never: Path, incident: str) -> int:
    """Move what is there of the caches to a name beside it; returns how much. Raises FixFailed where nothing is."""
    found = [path for path in listed(patterns, never) if _ASIDE not in path.name]
    aside = [*_aside(patterns, incident)]
    if not found and not aside:
        raise FixFailed(f"nothing is there of {', '.join(map(str, patterns))}: it starts without them as it is")
    for path in found:
        kept = path.with_name(f".{path.name}{_ASIDE}{incident}")
        if not os.path.lexists(kept):
            path.rename(kept)
    return len(found)


def put_back(patterns: Iterable[Path], incident: str) -> int:
    """Put in place again what was moved aside in an incident, and away what the agent has made since."""
    back = 0
    for kept in _aside(patterns, incident):
        path = kept.with_name(kept.name.removeprefix(".").removesuffix(f"{_ASIDE}{incident}"))
        if os.path.lexists(path):
            made = path.with_name(f".{path.name}{_ASIDE}new-{incident}")
            _remove(made)
            path.rename(made)
        kept.rename(path)
        back += 1
    return back


def forget(patterns: Iterable[Path], keep: frozenset[str]) -> int:
    """Delete what was moved aside in incidents other than those of `keep`; returns how much."""
    gone = [kept for kept in _aside(patterns, "*") if kept.name.rpartition("-inc-")[2] not in _numbers(keep)]
    for kept in gone:
        _remove(kept)
    return len(gone)


def _numbers(incidents: frozenset[str]) -> set[str]:
    return {name.removeprefix("inc-") for name in incidents}


def _aside(patterns: Iterable[Path], incident: str) -> Iterator[Path]:
    """What lies aside near what is listed, of one incident or of all."""
    seen: set[Path] = set()
    for pattern in patterns:
        start = start_of(pattern)
        folder = start if start != pattern else start.parent
        deep = "**" in pattern.parts or len(pattern.parts) > len(folder.parts) + 1
        for kept in folder.glob(f"{'**/' if deep else ''}.*{_ASIDE}{incident}"):
            if kept not in seen and not any(_ASIDE in parent.name for parent in kept.parents):
                seen.add(kept)
                yield kept


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _settings(target: Target) -> CleanRestartSettings:
    assert isinstance(target.settings, CleanRestartSettings)
    return target.settings


def _count(number: int) -> str:
    return "1 cache was" if number == 1 else f"{number} caches were"


CLEAN_RESTART = Fix(
    name="clean_restart",
    layer="application",
    causes=frozenset({"crashed", "exited", "hung", "wrong_answer", "stale", "corrupted"}),
    cost_s=6.0,
    risk_s=5.0,  # until its caches are warm again
    timeout_s=600.0,
    acts=(Act("move its caches aside", _clean), Act("start it again", _start)),
    tier=1,
    undo=Act("put its caches back", _put_back),
    settings=CleanRestartSettings,
)
