"""What does a backup cost, and how soon are the data back, beside restic and borg over the same files?

100 MB: a database of SQLite, JSON lines and a dump. Backed up for the first time, once more unchanged, and once more
after one part in a hundred has changed; then restored. Ours is the whole job: copied, stored, restored to a scratch
place and proved; the store alone stands beside it, for that is what the others are asked for.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from benchmarks.report import Figures, Findings, Goal, run, save, show
from selfheal.data.asset import Proof
from selfheal.data.backup import Backup
from selfheal.data.files import FilesAsset
from selfheal.data.jobs import BackUp, Prepare, Swap
from selfheal.data.vault import Vault
from selfheal.data.work import run as do

PART_BYTES = 33_400_000
ROWS = 1000
NOW = 1_800_000_000.0
RESTORE_S = 10.0


def furnish(folder: Path, chance: random.Random) -> None:
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(3, 9))) for _ in range(3000)]

    def line(number: int) -> str:
        return f"{number}\t{' '.join(chance.choices(words, k=8))}\t{chance.randbytes(8).hex()}\n"

    for name in ("lines.jsonl", "dump.sql"):
        with (folder / name).open("w", encoding="ascii") as file:
            while file.tell() < PART_BYTES:
                file.writelines(line(number) for number in range(ROWS))
    base = sqlite3.connect(folder / "ledger.db")
    base.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, said, key)")
    while (folder / "ledger.db").stat().st_size < PART_BYTES:
        base.executemany(
            "INSERT INTO entry (said, key) VALUES (?, ?)", (line(at).split("\t")[1:] for at in range(ROWS))
        )
        base.commit()
    base.close()


def change(folder: Path, chance: random.Random) -> None:
    """A hundredth of each: rows in one place of the database, lines at the end, lines in the midst of the dump."""
    base = sqlite3.connect(folder / "ledger.db")
    (rows,) = base.execute("SELECT count(*) FROM entry").fetchone()
    first = chance.randrange(rows // 2)
    base.execute("UPDATE entry SET key = 'changed' WHERE id BETWEEN ? AND ?", (first, first + rows // 100))
    base.commit()
    base.close()
    more = "".join(f"{at}\tmore\t{chance.randbytes(24).hex()}\n" for at in range(PART_BYTES // 6000))
    with (folder / "lines.jsonl").open("a", encoding="ascii") as file:
        file.write(more)
    dump = (folder / "dump.sql").read_bytes()
    middle = dump.index(b"\n", len(dump) // 2) + 1
    (folder / "dump.sql").write_bytes(dump[:middle] + more.encode() + dump[middle:])


class Store(Protocol):
    """What keeps backups."""

    def back_up(self, data: Path) -> None: ...

    def restore(self, data: Path) -> None: ...

    @property
    def place(self) -> Path: ...


class Ours:
    """The whole job, as the daemon does it."""

    def __init__(self, folder: Path) -> None:
        self.place, self._room, self._at = folder / "vault", folder / "room", NOW

    def back_up(self, data: Path) -> None:
        self._at += 3600
        asset = FilesAsset(agent="data", path=data)
        assert isinstance(do(BackUp(asset=asset, room=self._room, now=self._at, vault=self.place)), Backup)

    def restore(self, data: Path) -> None:
        asset = FilesAsset(agent="data", path=data)
        do(Prepare(asset=asset, room=self._room, now=self._at, vault=self.place, ticket="t"))
        do(Swap(asset=asset, room=self._room, now=self._at, ticket="t"))


class Alone:
    """The store alone, from where the data are, and nothing proved."""

    def __init__(self, folder: Path) -> None:
        self.place = folder / "store"

    def back_up(self, data: Path) -> None:
        Vault(self.place).store("data", "files", data, Proof(NOW), NOW)

    def restore(self, data: Path) -> None:
        data.mkdir()
        Vault(self.place).take(Vault(self.place).backups()[-1], data)


class Restic:
    """restic, as it comes."""

    def __init__(self, folder: Path) -> None:
        self.place = folder / "restic"
        self._environment = {**os.environ, "RESTIC_REPOSITORY": str(self.place), "RESTIC_PASSWORD": "bench"}
        self._run("init")

    def back_up(self, data: Path) -> None:
        self._run("backup", ".", directory=data)

    def restore(self, data: Path) -> None:
        self._run("restore", "latest", "--target", str(data))

    def _run(self, *words: str, directory: Path | None = None) -> None:
        command = ["restic", "--quiet", "--no-cache", *words]
        subprocess.run(command, env=self._environment, cwd=directory, check=True, capture_output=True)


class Borg:
    """BorgBackup, as it comes."""

    def __init__(self, folder: Path) -> None:
        self.place = folder / "borg"
        base = {"BORG_REPO": str(self.place), "BORG_PASSPHRASE": "bench", "BORG_BASE_DIR": str(folder / "base")}
        self._environment = {**os.environ, **base}
        self._run("init", "--encryption", "repokey-blake2")
        self._count = 0

    def back_up(self, data: Path) -> None:
        self._count += 1
        self._run("create", f"::{self._count}", ".", directory=data)

    def restore(self, data: Path) -> None:
        data.mkdir()
        self._run("extract", f"::{self._count}", directory=data)

    def _run(self, *words: str, directory: Path | None = None) -> None:
        subprocess.run(["borg", *words], env=self._environment, cwd=directory, check=True, capture_output=True)


def timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def size_of(folder: Path) -> float:
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()) / 1e6


def measure(store: Store, data: Path) -> dict[str, float]:
    """The data are a copy of its own, which is changed and lost."""
    found: dict[str, float] = {}
    before = 0.0
    for what in ("first", "unchanged", "changed"):
        if what == "changed":
            change(data, random.Random(2))
        found[f"{what}_s"] = timed(lambda: store.back_up(data))
        found[f"{what}_mb"] = size_of(store.place) - before
        before = size_of(store.place)
    wanted = {path.name: path.read_bytes() for path in data.iterdir()}
    shutil.rmtree(data)
    found["restore_s"] = timed(lambda: store.restore(data))
    assert {path.name: path.read_bytes() for path in data.iterdir()} == wanted
    return found


def main() -> None:
    kinds: dict[str, Callable[[Path], Store]] = {"selfheal": Ours, "selfheal, store alone": Alone}
    kinds |= {name: kind for name, kind in (("restic", Restic), ("borg", Borg)) if shutil.which(name)}
    figures: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd()) as name:
        folder = Path(name)
        original = folder / "original"
        original.mkdir()
        furnish(original, random.Random(1))
        size_mb = sum(path.stat().st_size for path in original.iterdir()) / 1e6
        for kind, make in kinds.items():
            place = folder / kind.replace(" ", "-")
            shutil.copytree(original, place / "data")
            figures[kind] = measure(make(place), place / "data")
    _report(figures, size_mb)


def _report(figures: dict[str, Figures], size_mb: float) -> None:
    columns = {
        "first_s": "first s", "first_mb": "MB", "unchanged_s": "unchanged s", "unchanged_mb": "MB",
        "changed_s": "1 % changed s", "changed_mb": "MB", "restore_s": "restored s",
    }  # fmt: skip
    restored = figures["selfheal"]["restore_s"]
    assert restored is not None
    goals = [Goal("restore of 100 MB, proved and in place", restored, RESTORE_S, "s")]
    show(Findings(f"Backups of {size_mb:.0f} MB", columns, figures, {}, goals))
    save("backups", {"size_mb": size_mb, "rows_at_once": ROWS}, figures, goals)


if __name__ == "__main__":
    run(main)
