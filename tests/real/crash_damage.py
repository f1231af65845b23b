"""What may a disk, or a crash in the middle of everything, leave of a state directory?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from selfheal.store.documents import CHECKSUMS
from selfheal.store.frames import Frame, scan
from tests.real.crash_story import VIEWS, live


def lived(state: Path) -> None:
    """A state directory after one life."""
    asyncio.run(live(state, lambda _: None, lambda: None))


def flip(path: Path, at: int) -> None:
    """Damage one byte."""
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def second_event(segment: Path) -> tuple[int, int]:
    """The second event of a segment: its number, and a place in it."""
    frame = [item for item in scan(segment.read_bytes()) if isinstance(item, Frame)][1]
    return frame.seq, frame.offset + 60


def a_flipped_bit(state: Path) -> frozenset[int]:
    """Damage an event in the middle of the first segment; return what is lost by it."""
    first = min((state / "journal").glob("*.log"))
    number, place = second_event(first)
    flip(first, place)
    return frozenset({number})


def a_torn_tail(state: Path) -> frozenset[int]:
    last = max((state / "journal").glob("*.log"))
    with last.open("ab") as file:
        file.write(b"\xffSHR" + bytes(700))
    return frozenset()


def damaged_views(state: Path) -> frozenset[int]:
    flip(state / VIEWS[0], 0)  # no JSON any more: where the sums are lost too, what parses is believed
    (state / VIEWS[1]).write_bytes(b"")
    return frozenset()


def lost_sums(state: Path) -> frozenset[int]:
    flip(state / CHECKSUMS, 3)
    return frozenset()


def half_files(state: Path) -> frozenset[int]:
    for place in (state, state / "journal"):
        (place / ".000000000001.log.x7.tmp").write_bytes(b"half")
        (place / f".{VIEWS[0]}.previous.tmp").write_bytes(b"half")
    return frozenset()


def everything(state: Path) -> frozenset[int]:
    return frozenset().union(*(damage(state) for damage in DAMAGE.values() if damage is not everything))


DAMAGE: dict[str, Callable[[Path], frozenset[int]]] = {
    "a flipped bit": a_flipped_bit,
    "a torn tail": a_torn_tail,
    "damaged views": damaged_views,
    "lost sums": lost_sums,
    "half files": half_files,
    "everything": everything,
}
"""Each damages a state directory and returns the events that are lost by it."""
