"""A folder with all sorts of things in it, and what there is of it elsewhere: for tests of backups."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from random import Random

from selfheal.data.asset import Proof
from selfheal.data.backup import Backup
from selfheal.data.vault import Vault

NOW = 1_700_000_000.0
PROOF = Proof(NOW, {"files": 1.0}, "digest")


def old(path: Path, at: float = NOW) -> Path:
    """Let a file have been written long ago, so that it counts as settled."""
    os.utime(path, (at - 1e6, at - 1e6), follow_symlinks=False)
    return path


def furnish(folder: Path, seed: int = 1) -> Path:
    """Text, pages, nothing, a hole, links, empty folders, odd names and modes."""
    chance = Random(seed)
    (folder / "deep" / "empty").mkdir(parents=True)
    (folder / "lines.log").write_bytes(b"".join(b"%d %d\n" % (at, chance.getrandbits(64)) for at in range(20_000)))
    (folder / "pages.db").write_bytes(b"\0" + chance.randbytes(300_000))
    (folder / "nothing").touch()
    (folder / "deep" / "tool.sh").write_text("#!/bin/sh\n")
    (folder / "deep" / "tool.sh").chmod(0o750)
    (folder / os.fsdecode(b"odd-\xff-name")).write_text("odd")
    (folder / "link").symlink_to("deep/tool.sh")
    (folder / "nowhere").symlink_to("/not/there")
    with (folder / "hole").open("wb") as hole:
        hole.truncate(5_000_000)
        hole.seek(4_000_000)
        hole.write(b"middle")
    for path in sorted(folder.rglob("*"), reverse=True):
        old(path)
    (folder / "deep").chmod(0o550)
    return folder


def content(folder: Path) -> dict[str, object]:
    """All below a folder: what it is, its mode and time, and what it holds."""
    return {os.fsdecode(os.fsencode(path.relative_to(folder))): _one(path) for path in folder.rglob("*")}


def pieces(vault: Path) -> list[Path]:
    """The pieces in a vault, the largest first."""
    found = [path for path in (vault / "objects").glob("??/*") if path.is_file()]
    return sorted(found, key=lambda path: path.stat().st_size, reverse=True)


def stored(vault: Path, source: Path, at: float = NOW, *, agent: str = "ledger") -> Backup:
    """A backup that counts."""
    made = Vault(vault)
    return made.mark_verified(made.store(agent, "files", source, PROOF, at), at)


def _one(path: Path) -> tuple[object, ...]:
    seen = path.lstat()
    mode = stat.S_IMODE(seen.st_mode)
    if path.is_symlink():
        return ("link", str(path.readlink()))
    if path.is_dir():
        return ("folder", mode, seen.st_mtime_ns)
    return ("file", mode, seen.st_mtime_ns, path.read_bytes())
