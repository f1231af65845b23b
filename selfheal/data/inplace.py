"""How are sound files put in the place of damaged ones, all of them or none, whenever the machine dies?

`prepare` puts each beside its target, on the same file system, then writes down the plan: without a plan there is
nothing to swap. `swap` goes through the plan; whatever it was kept from doing it does when it is called again. The old
file stays as `NAME.damaged-<ticket>`. The plan stays too, so that the answer can be given again and a later look knows
which file came from us; the next ticket sweeps it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from glob import escape
from pathlib import Path

import msgspec

from selfheal.data.asset import Swapped, Tell, untold
from selfheal.durable import replace_file, sync_directory
from selfheal.errors import DataFailed

ASIDE = ".damaged-"
_READY, _PLAN = ".selfheal-", ".plan"
_CHUNK = 1 << 20


class _Step(msgspec.Struct, frozen=True):
    """One file of a plan. `inode` is that of the sound one; what is to be `gone` has none."""

    target: str
    inode: int = 0
    gone: bool = False


class _Plan(msgspec.Struct, frozen=True):
    steps: tuple[_Step, ...]


def is_ours(name: str) -> bool:
    """Whether a file of this name is kept or prepared by selfheal, and no data."""
    return ASIDE in name or _READY in name


def prepare(
    base: Path, ticket: str, sound: Mapping[Path, Path], gone: tuple[Path, ...] = (), tell: Tell = untold
) -> None:
    """Put a copy of each sound file beside its target, durable. Plans of other tickets for `base` are swept.

    `sound` is where each file comes from, by its target; `gone` are files that must not be there afterwards, such as
    the log of a database. Mode and owner are those of what is there; else the folder says who owns the file.
    """
    _sweep(base)
    steps = [_Step(str(target), gone=True) for target in map(_real, gone)]
    for done, (name, source) in enumerate(sound.items()):
        tell("preparing", done / len(sound))
        target = _real(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep_beside(target)
        steps.append(_Step(str(target), _put(source, _ready(target, ticket))))
    for folder in {Path(step.target).parent for step in steps}:
        sync_directory(folder)
    replace_file(_plan(base, ticket), msgspec.json.encode(_Plan(tuple(steps))))


def swap(base: Path, ticket: str, tell: Tell = untold) -> Swapped:
    """Put what was prepared in place. Doing it again ends what was begun, and gives the same answer."""
    try:
        plan = msgspec.json.decode(_plan(base, ticket).read_bytes(), type=_Plan)
    except FileNotFoundError as why:
        raise DataFailed(f"cannot swap {str(base)!r}: nothing was prepared for {ticket!r}; prepare it first") from why
    asides = []
    done = _is_done(plan, ticket)
    for nth, step in enumerate(plan.steps):
        tell("putting in place", nth / len(plan.steps))
        if not done:
            _swap_one(step, ticket)
        asides += _asides(Path(step.target), ticket)
    written = [aside.stat().st_mtime for aside in asides]
    return Swapped(", ".join(map(str, asides)), max(written, default=None))


def put_in_place(base: Path, path: Path, inode: int) -> bool:
    """Whether the file at `path` came there by a swap for `base`."""
    target = str(_real(path))
    return any(step.target == target and step.inode == inode for plan in _plans(base) for step in _read(plan).steps)


def _is_done(plan: _Plan, ticket: str) -> bool:
    """What is to be gone goes first: where nothing is left to put in place, what is there now is new, and stays."""
    put = [step for step in plan.steps if not step.gone]
    return bool(put) and not any(_ready(Path(step.target), ticket).exists() for step in put)


def _swap_one(step: _Step, ticket: str) -> None:
    target, ready = Path(step.target), _ready(Path(step.target), ticket)
    if not (step.gone or ready.exists()):
        return  # done the time before
    if target.exists():
        _keep(target, _free_aside(target, ticket), away=step.gone)
    if not step.gone:
        os.replace(ready, target)
    sync_directory(target.parent)


def _keep(target: Path, aside: Path, *, away: bool) -> None:
    """Give the old file its second name; the first goes by the rename over it, so that there always is a file."""
    if not away:
        if aside.exists():
            return  # by the time before, which came no further
        try:
            os.link(target, aside)
        except OSError:  # a file system without links: for a moment there is no file, and the plan says how to go on
            away = True
    if away:
        os.replace(target, aside)
    sync_directory(target.parent)


def _free_aside(target: Path, ticket: str) -> Path:
    """The name for the old file: free, or already this file's, for another may have been put there meanwhile."""
    for aside in _aside_names(target, ticket):
        if not aside.exists() or aside.samefile(target):
            return aside
    raise AssertionError  # the names have no end


def _asides(target: Path, ticket: str) -> list[Path]:
    found = []
    for aside in _aside_names(target, ticket):
        if not aside.exists():
            break
        found.append(aside)
    return found


def _aside_names(target: Path, ticket: str) -> Iterator[Path]:
    yield target.with_name(f"{target.name}{ASIDE}{ticket}")
    again = 2
    while True:
        yield target.with_name(f"{target.name}{ASIDE}{ticket}-{again}")
        again += 1


def _put(source: Path, ready: Path) -> int:
    """Copy a file to its place beside the target, durable; returns its inode."""
    target = ready.with_name(ready.name[1:].partition(_READY)[0])
    with source.open("rb") as old, ready.open("xb") as new:
        os.fchmod(new.fileno(), 0o600)
        shutil.copyfileobj(old, new, _CHUNK)
        new.flush()
        _own(new.fileno(), target)
        os.fsync(new.fileno())
        return os.fstat(new.fileno()).st_ino


def _own(fd: int, target: Path) -> None:
    """Let the new file belong to whom the old one belongs, or to whom the folder does."""
    try:
        old = target.stat()
        mode = stat.S_IMODE(old.st_mode)
    except FileNotFoundError:
        old = target.parent.stat()
        mode = old.st_mode & 0o666
    mine = os.fstat(fd)
    if (mine.st_uid, mine.st_gid) != (old.st_uid, old.st_gid):
        with contextlib.suppress(PermissionError):  # only root gives files away; the mode below keeps it readable
            os.fchown(fd, old.st_uid, old.st_gid)
    os.fchmod(fd, mode)


def _sweep(base: Path) -> None:
    """Remove the plans for `base`, and what was prepared for them and never swapped."""
    for left in base.parent.glob(f"..{escape(base.name)}{_READY}*.tmp"):
        left.unlink()
    for plan in _plans(base):
        ticket = plan.name.removeprefix(f".{base.name}{_READY}").removesuffix(_PLAN)
        steps = _read(plan).steps
        plan.unlink()
        for step in steps:
            with contextlib.suppress(FileNotFoundError):
                _ready(Path(step.target), ticket).unlink()


def _sweep_beside(target: Path) -> None:
    """Remove what a preparation that died left beside a target, whatever its ticket was."""
    name = escape(target.name)
    for left in (*target.parent.glob(f".{name}{_READY}*"), *target.parent.glob(f"..{name}{_READY}*.tmp")):
        left.unlink()


def _plans(base: Path) -> list[Path]:
    return list(base.parent.glob(f".{escape(base.name)}{_READY}*{_PLAN}"))


def _read(plan: Path) -> _Plan:
    try:
        return msgspec.json.decode(plan.read_bytes(), type=_Plan)
    except (OSError, msgspec.MsgspecError):
        return _Plan(())


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # a link stays a link; what it leads to is exchanged


def _ready(target: Path, ticket: str) -> Path:
    return target.with_name(f".{target.name}{_READY}{ticket}")


def _plan(base: Path, ticket: str) -> Path:
    return base.with_name(f".{base.name}{_READY}{ticket}{_PLAN}")
