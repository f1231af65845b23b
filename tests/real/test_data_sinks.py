"""Do real stores of other programs get what was proved, and is one that fails no failure of the backup?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from selfheal.compose.sinks import sinks_of
from selfheal.config.data import BackupsConfig
from selfheal.data.sinks import Restic
from tests.real.repositories import back_up, borg_at, restic_at
from tests.real.vaults import NOW


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "the password"
    path.write_text("hush-hush\n")
    return path


@pytest.fixture
def restic(tmp_path: Path, password: Path) -> Restic:
    return restic_at(tmp_path, password)


def test_one_that_fails_is_told_and_tried_again_and_the_backup_counts(tmp_path: Path, restic: Restic) -> None:
    away = Path(restic.repository).rename(tmp_path / "away")
    backup = back_up(tmp_path, restic)
    assert (backup.counts, backup.sunk) == (True, ())
    assert "cannot hand the backup over to restic (restic backup)" in backup.told[0]
    assert not Path(restic.repository).exists()  # a disk that is not mounted does not become a repository
    away.rename(restic.repository)
    again = back_up(tmp_path, restic, now=NOW + 1)
    assert (again.id, again.sunk, again.told) == (backup.id, ("restic",), ())


def test_a_wrong_password_is_told_and_never_shown(tmp_path: Path, password: Path) -> None:
    borg = borg_at(tmp_path, password)
    password.write_text("wrong-one")
    (said,) = back_up(tmp_path, borg).told
    assert "borg create" in said
    assert "wrong-one" not in said


def test_a_program_that_is_not_there_is_told(tmp_path: Path, password: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (said,) = back_up(tmp_path, Restic(repository="/r", password_file=password)).told
    assert "restic is not installed" in said


def test_one_that_hangs_is_ended_with_all_it_has_started(
    tmp_path: Path, password: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = tmp_path / "bin" / "restic"
    hanging.parent.mkdir()
    hanging.write_text("#!/bin/sh\nsleep 1000 &\nsleep 1000\n")
    hanging.chmod(0o700)
    monkeypatch.setenv("PATH", str(hanging.parent), prepend=os.pathsep)
    (said,) = back_up(tmp_path, Restic(repository="/r", password_file=password, timeout=0.3)).told
    assert "took longer than 0.3 s" in said


def test_the_configuration_says_which_there_are(password: Path) -> None:
    written = {
        "repository": "/mnt/fleet",
        "password_file": password,
        "environment": {"AWS_SECRET_ACCESS_KEY": "hushed"},
    }
    config = BackupsConfig.model_validate({"restic": written, "borg": written})
    restic, borg = sinks_of(config)
    assert (restic.name, borg.name) == ("restic", "borg")
    assert restic.environment == {"AWS_SECRET_ACCESS_KEY": "hushed"}
    assert "hushed" not in repr(config) + repr(restic)


@pytest.mark.parametrize(
    ("repository", "said"), [("fleet", "from the root"), ("rest:https://me:secret@host/", "holds a password")]
)
def test_a_repository_that_cannot_be_meant_is_refused(repository: str, said: str, password: Path) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        BackupsConfig.model_validate({"borg": {"repository": repository, "password_file": password}})
    assert "secret" not in str(refused.value)
