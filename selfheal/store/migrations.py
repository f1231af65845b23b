"""Is the state directory laid out as this version has it, and how does one of an older version become so?

Its file `schema` holds the number of the layout; a directory without it is of schema 1. A migration adds files under
names that the older layout does not know; then the new number is written, which is the moment at which it has
happened; and only then what is not needed any more is removed. A death at any instant leaves the one layout or the
other, whole. A directory of a newer version is refused, with nothing touched: that version may have dropped what this
one would need.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from selfheal.durable import replace_file
from selfheal.errors import SelfhealError
from selfheal.events import StateDamaged
from selfheal.store import held
from selfheal.store.names import content, set_aside

NAME = "schema"
_TEXT = re.compile(rb"selfheal state, schema (\d{1,9}), sum ([0-9a-f]{16})\n")


def _nothing(_state_dir: Path) -> None:
    """Both layouts have it the same."""


def _list_snapshots(state_dir: Path) -> None:
    folder = state_dir / "journal"
    if folder.is_dir():
        held.note(folder)


@dataclass(frozen=True, slots=True)
class Migration:
    """A way from one number to the next. Both parts are done again where a death came between; they raise OSError.

    One that `can_wait` is left for the next start where the disk has no room for it now.
    """

    why: str
    add: Callable[[Path], None] = _nothing
    remove: Callable[[Path], None] = _nothing
    can_wait: bool = False


# From each number to the next one.
MIGRATIONS: Mapping[int, Migration] = {
    1: Migration("from 2 on the beginning of the journal may be dropped, and snapshots stand for it", can_wait=True),
    2: Migration("from 3 on a list says which snapshots there are", _list_snapshots, can_wait=True),
}


class NewerState(SelfhealError):
    """A newer version of selfheal has been at work in the directory."""

    def __init__(self, state_dir: Path, number: int, known: int) -> None:
        super().__init__(
            f"cannot use state directory {str(state_dir)!r}: it is of schema {number}, which a newer version of "
            f"selfheal has made, and this one knows {known}; install that version again, or give this one a directory "
            f"of its own with --state-dir"
        )


def migrate(state_dir: Path, now: float, migrations: Mapping[int, Migration] = MIGRATIONS) -> tuple[StateDamaged, ...]:
    """Bring the state directory to the layout of this version; returns what was found damaged on the way.

    For who holds the lock. Blocks. Raises NewerState, and OSError with the directory as it was or as it should be.
    """
    newest = max(migrations, default=0) + 1
    number, damages = _number(state_dir, now, newest)
    if number > newest:
        raise NewerState(state_dir, number, newest)
    if number - 1 in migrations:
        migrations[number - 1].remove(state_dir)
    while number < newest and _went_on(state_dir, number, migrations[number]):
        number += 1
    if damages:
        with contextlib.suppress(OSError):  # said again by the next start
            replace_file(state_dir / NAME, _text(number))
    return damages


def _went_on(state_dir: Path, number: int, migration: Migration) -> bool:
    try:
        migration.add(state_dir)
        replace_file(state_dir / NAME, _text(number + 1))
        migration.remove(state_dir)
    except OSError:
        if not migration.can_wait:
            raise
        return False
    return True


def _number(state_dir: Path, now: float, newest: int) -> tuple[int, tuple[StateDamaged, ...]]:
    path = state_dir / NAME
    try:
        said = _said(content(path))
    except FileNotFoundError:
        return 1, ()
    except OSError:
        said = None
    if said is not None:
        return said, ()
    aside = set_aside(path, "", now).kept_as
    lost = f"nothing: what is there is taken for schema {newest}"
    return newest, (StateDamaged(now, NAME, "it does not say which layout this is", aside, lost),)


def _said(text: bytes) -> int | None:
    match = _TEXT.fullmatch(text)
    return int(match[1]) if match is not None and text == _text(int(match[1])) else None


def _text(number: int) -> bytes:
    said = f"selfheal state, schema {number}"
    return f"{said}, sum {hashlib.blake2b(said.encode(), digest_size=8).hexdigest()}\n".encode()
