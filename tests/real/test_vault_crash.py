"""Does a vault stay sound whatever dies in it, whoever else works on it, and whether or not there is room?"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal.data.vault import Vault
from selfheal.errors import DataFailed
from tests.real.vaults import NOW, PROOF, content, furnish, pieces, stored

# Stores, and dies by itself at the given write; or goes on for ever, saying so after each store.
STORE = """
import itertools, os, signal, sys
from pathlib import Path
from selfheal.data.asset import Proof
from selfheal.data.vault import Vault

vault, source, agent, left, times = sys.argv[1:]
replace, fsync, unlink = os.replace, os.fsync, os.unlink
steps = itertools.count()
def counted(act):
    def step(*words, **named):
        if int(left) and next(steps) == int(left):
            os.kill(os.getpid(), signal.SIGKILL)
        return act(*words, **named)
    return step
os.replace, os.fsync, os.unlink = counted(replace), counted(fsync), counted(unlink)
place = Vault(Path(vault))
for at in range(int(times)):
    backup = place.store(agent, "files", Path(source), Proof(0.0), 1_700_000_100.0 + at)
    place.mark_verified(backup, 1.0)
    place.forget(place.backups(agent)[:-1])
print(next(steps))
"""


def storing(vault: Path, source: Path, *, agent: str = "ledger", dies_at: int = 0, times: int = 1) -> list[str]:
    return [sys.executable, "-c", STORE, str(vault), str(source), agent, str(dies_at), str(times)]


def is_whole(vault: Path, into: Path) -> bool:
    """Every backup that is there can be taken; a collection then leaves all of them whole."""
    place = Vault(vault)
    for backup in place.backups():
        assert not backup.damaged
        folder = into / f"{backup.agent}-{backup.id}"
        folder.mkdir(parents=True)
        place.take(backup, folder)
    return True


def test_killed_at_any_step_it_leaves_nothing_half(tmp_path: Path) -> None:
    source, vault = tmp_path / "source", tmp_path / "vault"
    source.mkdir()
    for name in ("one", "two", "three"):
        (source / name).write_bytes(os.urandom(1000))
    stored(vault, source)
    counted = subprocess.run(storing(tmp_path / "other", source), check=True, capture_output=True)
    for step in range(1, int(counted.stdout), 3):
        (source / "one").write_bytes(os.urandom(1000))
        ended = subprocess.run(storing(vault, source, dies_at=step), check=False, capture_output=True)
        assert ended.returncode == -signal.SIGKILL
        assert is_whole(vault, tmp_path / str(step))
    place = Vault(vault)
    place.store("ledger", "files", source, PROOF, NOW + 1e6)
    place.forget(place.backups("ledger")[:-1])
    assert len(pieces(vault)) == 3
    assert [path.name for path in vault.rglob("*.tmp")] == []
    assert is_whole(vault, tmp_path / "end")


def test_many_at_once_take_nothing_from_each_other(tmp_path: Path) -> None:
    """Three store and collect side by side, what they have in common and what they have not."""
    vault = tmp_path / "vault"
    shared = os.urandom(300_000)
    running = []
    for agent in ("one", "two", "three"):
        source = tmp_path / agent
        source.mkdir()
        (source / "shared").write_bytes(shared)
        (source / "own").write_bytes(os.urandom(100_000))
        running.append(subprocess.Popen(storing(vault, source, agent=agent, times=8), stdout=subprocess.DEVNULL))
    assert [child.wait(30) for child in running] == [0, 0, 0]
    assert len(Vault(vault).backups()) == 3
    assert is_whole(vault, tmp_path / "taken")


def test_nothing_is_collected_while_another_stores(tmp_path: Path) -> None:
    source, vault = furnish(tmp_path / "source"), tmp_path / "vault"
    backup = stored(vault, source)
    seen: list[int] = []

    def meanwhile(doing: str, share: float) -> None:
        if doing == "storing" and not seen:
            seen.append(Vault(vault).forget([backup]))

    again = Vault(vault).store("ledger", "files", source, PROOF, NOW + 1, meanwhile)
    assert seen == [0]
    (tmp_path / "taken").mkdir()
    Vault(vault).take(again, tmp_path / "taken")
    assert content(tmp_path / "taken") == content(source)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "small"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk, and not on every machine")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_backup_never_fills_the_disk(small_disk: Path, tmp_path: Path) -> None:
    vault, source = small_disk / "vault", tmp_path / "source"
    source.mkdir()
    (source / "small").write_bytes(os.urandom(1_000_000))
    first = stored(vault, source)
    (source / "large").write_bytes(os.urandom(9_000_000))
    with pytest.raises(DataFailed, match=r"cannot store a backup of ledger: .* free \S+ MB there") as failed:
        stored(vault, source, NOW + 1)
    assert failed.value.cause == "disk_full"
    assert [one.id for one in Vault(vault).backups()] == [first.id]
    assert len(pieces(vault)) == 16  # what was stored of the other is gone again
    (source / "large").unlink()
    assert stored(vault, source, NOW + 2).stored == 0


def test_what_would_not_fit_is_not_begun_to_be_restored(small_disk: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "large").write_bytes(bytes(7_000_000))
    backup = stored(tmp_path / "vault", source)
    with pytest.raises(DataFailed, match=r"cannot restore the backup .* of ledger: the disk"):
        Vault(tmp_path / "vault").take(backup, small_disk)
    assert list(small_disk.iterdir()) == []


def test_a_disk_that_is_full_all_the_same_is_told_as_such(small_disk: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "one").write_bytes(os.urandom(100_000))
    with (small_disk / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(bytes(4096))
    with pytest.raises(DataFailed, match="cannot store a backup of ledger") as failed:
        stored(small_disk / "vault", source)
    assert failed.value.cause == "disk_full"
