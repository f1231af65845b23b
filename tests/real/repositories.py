"""Real repositories of other backup programs, and backups that are handed over to them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from selfheal.data.backup import Backup, Keep
from selfheal.data.files import FilesAsset
from selfheal.data.jobs import BackUp
from selfheal.data.sinks import AnySink, Borg, Restic
from selfheal.data.work import run
from tests.real.counterparts import program
from tests.real.vaults import NOW, furnish


def restic_at(folder: Path, password: Path) -> Restic:
    """A repository of restic, new."""
    program("restic", "restic")
    sink = Restic(repository=str(folder / "restic"), password_file=password)
    told(["restic", "init"], sink)
    return sink


def borg_at(folder: Path, password: Path) -> Borg:
    """A repository of borg, new."""
    program("borg", "borgbackup")
    sink = Borg(repository=str(folder / "borg"), password_file=password)
    told(["borg", "init", "--encryption", "repokey-blake2"], sink)
    return sink


def told(command: list[str], sink: AnySink) -> list[str]:
    """What a program says about a repository whose password is known."""
    own = {
        "RESTIC_REPOSITORY": sink.repository,
        "RESTIC_PASSWORD_FILE": str(sink.password_file),
        "BORG_REPO": sink.repository,
        "BORG_PASSPHRASE": "hush-hush",
    }
    ended = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def back_up(tmp_path: Path, *sinks: AnySink, text: str = "", now: float = NOW) -> Backup:
    """A backup of a folder with this text in it, made by the whole job."""
    data = tmp_path / "data"
    if not data.exists():
        furnish(data)
    (data / "text").write_text(text)
    job = BackUp(
        asset=FilesAsset(agent="docs", path=data),
        room=tmp_path / "room",
        now=now,
        vault=tmp_path / "vault",
        sinks=sinks,
        keep=Keep(1, 0, 0, 0),
    )
    answer = run(job)
    assert isinstance(answer, Backup)
    return answer
