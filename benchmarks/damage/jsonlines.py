"""What damage of JSON is found by which look, and what comes back of it?

A file is damaged at a random place, again and again, without any trace in its times, as a disk does it. Each record
that comes back is compared with what was there. A file is looked at with the memory of a sound look, and for the first
time; it is salvaged with that memory and without.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from benchmarks.report import Findings, Goal
from selfheal.data.asset import Health
from selfheal.data.jsondata import JsonAsset
from selfheal.errors import DataFailed

BLOCK = 4096
SALVAGED = 4  # one of so many damages is salvaged too
SMALL = 4_000_000
Damage = Callable[[bytearray, random.Random], None]


def flipped_bit(data: bytearray, dice: random.Random) -> None:
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def changed_digit(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data) - 1000)
    at = next(at for at in range(at, len(data)) if chr(data[at]).isdigit())
    data[at] = ord(dice.choice([digit for digit in "123456789" if ord(digit) != data[at]]))


def zeroed_block(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data) // BLOCK) * BLOCK
    data[at : at + BLOCK] = bytes(BLOCK)


def overwritten(data: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(data) // BLOCK - 4) * BLOCK
    data[at : at + 4 * BLOCK] = dice.randbytes(4 * BLOCK)


def lost_newline(data: bytearray, dice: random.Random) -> None:
    at = data.index(b"\n", dice.randrange(len(data) * 9 // 10))
    del data[at]


def cut_off(data: bytearray, dice: random.Random) -> None:
    del data[dice.randrange(len(data) * 9 // 10, len(data)) :]


def torn_last_line(data: bytearray, dice: random.Random) -> None:
    last = data.rindex(b"\n", 0, len(data) - 1)
    del data[dice.randrange(last + 2, len(data)) :]


def zeros_at_the_end(data: bytearray, dice: random.Random) -> None:
    size = dice.randrange(1, 2 * BLOCK)
    data[-size:] = bytes(size)


DAMAGES: tuple[Damage, ...] = (
    flipped_bit, changed_digit, zeroed_block, overwritten, lost_newline, cut_off, torn_last_line, zeros_at_the_end,
)  # fmt: skip
OF_DOCUMENTS = tuple(each for each in DAMAGES if each not in {lost_newline, torn_last_line})


def records(size: int) -> list[str]:
    dice, made, written = random.Random(1), list[str](), 0
    while written < size:
        number = len(made)
        made.append(json.dumps({"id": number, "who": f"name {number % 997}", "amount": number / 7,
                                "tags": [number % 3, None, True], "note": dice.randbytes(50).hex()}))  # fmt: skip
        written += len(made[-1]) + 1
    return made


class Bench:
    """A sound file, what looks have kept of it, and what was found of its damages."""

    def __init__(self, folder: Path, name: str, content: bytes, whole: list[str]) -> None:
        self.path, self.memory, self.first = folder / name, folder / "memory", folder / "first"
        self.content, self.whole = content, frozenset(line.encode() for line in whole)
        self.asset = JsonAsset(agent="ledger", path=self.path)
        self.path.write_bytes(content)
        os.utime(self.path, (1e9, 1e9))
        self.look(self.memory, thorough=True)
        self.seen = (self.memory / "json-seen.msgpack").read_bytes()

    def look(self, memory: Path, *, thorough: bool) -> Health:
        return self.asset.examine(memory, thorough=thorough)

    def damages(self, damage: Damage, times: int) -> dict[str, float]:
        dice = random.Random(damage.__name__)
        found = dict.fromkeys(("quick", "thorough", "first", "back", "wrong", "blind", "none_back"), 0.0)
        for number in range(times):
            data = bytearray(self.content)
            damage(data, dice)
            with self.path.open("r+b") as file:  # the inode stays, as a disk leaves it
                file.truncate(0)
                file.write(data)
            os.utime(self.path, (1e9, 1e9))
            self._detect(found)
            if number % SALVAGED == 0:
                self._salvage(found)
        return found | {"back": found["back"] / (len(self.whole) * len(range(0, times, SALVAGED))) * 100}

    def _detect(self, found: dict[str, float]) -> None:
        for how in ("quick", "thorough"):
            (self.memory / "json-seen.msgpack").write_bytes(self.seen)
            found[how] += bool(self.look(self.memory, thorough=how == "thorough").reason)
        shutil.rmtree(self.first, ignore_errors=True)
        found["first"] += bool(self.look(self.first, thorough=True).reason)

    def _salvage(self, found: dict[str, float]) -> None:
        (self.memory / "json-seen.msgpack").write_bytes(self.seen)
        shutil.rmtree(self.first, ignore_errors=True)
        self.first.mkdir()
        try:
            right, wrong = self._salvaged(self.memory)
            found["blind"] += self._salvaged(self.first)[1]
        except DataFailed:
            found["none_back"] += 1
            return
        found["back"] += right
        found["wrong"] += wrong

    def _salvaged(self, memory: Path) -> tuple[int, int]:
        """Return how many records came back as they were, and how many otherwise."""
        into = memory / "into"
        into.mkdir()
        try:
            msgspec.structs.replace(self.asset, room=memory).salvage(into)
            back = (into / self.path.name).read_bytes().strip(b"[]").split(b"\n")
        finally:
            shutil.rmtree(into)
        right = len(self.whole.intersection(line.rstrip(b",") for line in back))
        return right, sum(bool(line) for line in back) - right


def timed(folder: Path, megabytes: int) -> dict[str, float]:
    """How long each step takes with a file of so many megabytes."""
    path, memory = folder / "large.jsonl", folder / "memory"
    path.write_text("\n".join(records(megabytes * 1_000_000)) + "\n", encoding="ascii")
    asset = JsonAsset(agent="ledger", path=path)
    copy, back = memory / "copy", memory / "back"
    took: dict[str, float] = {"megabytes": path.stat().st_size / 1e6}

    def take(name: str, work: Callable[[], object]) -> None:
        began = time.perf_counter()
        work()
        took[name] = time.perf_counter() - began

    def restore() -> None:
        asset.prove(copy)
        asset.prepare(copy, "T")
        asset.swap("T")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    take("first_s", lambda: asset.examine(memory, thorough=False))
    take("quick_s", lambda: asset.examine(memory, thorough=False))
    take("thorough_s", lambda: asset.examine(memory, thorough=True))
    for place in (copy, back):
        place.mkdir()
    take("capture_s", lambda: asset.capture(copy))
    take("restore_s", restore)
    take("salvage_s", lambda: asset.salvage(back))
    took["more_memory_mb"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return took


def jsonlines(folder: Path, damages: int, megabytes: int) -> list[Findings]:
    took = timed(
        _made(folder / "large"), megabytes
    )  # first: what memory it takes is seen before other things take more
    whole = records(SMALL)
    of_lines = Bench(_made(folder / "lines"), "ledger.jsonl", "".join(f"{line}\n" for line in whole).encode(), whole)
    joined = ",\n".join(whole)
    document = Bench(_made(folder / "document"), "state.json", f"[{joined}]".encode(), whole)
    lines = {damage.__name__.replace("_", " "): of_lines.damages(damage, damages) for damage in DAMAGES}
    documents = {damage.__name__.replace("_", " "): document.damages(damage, damages) for damage in OF_DOCUMENTS}
    settings = {"damages": damages, "megabytes": megabytes}
    columns = {
        "quick": "quick look", "thorough": "thorough look", "first": "first look", "back": "records back, %",
        "wrong": "wrong records", "blind": "without memory", "none_back": "nothing back",
    }  # fmt: skip
    seen = (*lines.values(), *documents.values())
    goals = [
        Goal("damages found of each sort", min(each["thorough"] for each in seen), damages, f"of {damages}", True),
        Goal("wrong records that came back", sum(each["wrong"] for each in seen), 0, "records"),
        Goal(f"restore of {took['megabytes']:.0f} MB", took["restore_s"], 10, "s"),
    ]
    times = {key: key.removesuffix("_s").replace("_", " ") + (", s" if key.endswith("_s") else "") for key in took}
    return [
        Findings(f"JSON lines: {damages} damages of each sort, 4 MB", columns, lines, settings, goals),
        Findings(f"JSON document: {damages} damages of each sort, 4 MB", columns, documents, settings),
        Findings("JSON lines: how long each step takes", times, {"one file": took}, settings),
    ]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
