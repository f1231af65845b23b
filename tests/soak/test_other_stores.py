"""Do real repositories of restic and borg get what was proved? Each of their commands takes a second."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.repositories import back_up, borg_at, restic_at, told
from tests.real.vaults import NOW


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "the password"
    path.write_text("hush-hush\n")
    return path


def test_restic_gets_it_and_forgets_what_is_too_old(tmp_path: Path, password: Path) -> None:
    restic = restic_at(tmp_path, password)
    backup = back_up(tmp_path, restic, text="first")
    assert (backup.told, backup.sunk) == ((), ("restic",))
    back_up(tmp_path, restic, text="second", now=NOW + 1)
    assert len([line for line in told(["restic", "snapshots", "--compact"], restic) if "selfheal" in line]) == 1
    told(["restic", "restore", "latest", "--tag", "agent=docs", "--target", str(tmp_path / "out")], restic)
    (found,) = (tmp_path / "out").rglob("text")
    assert found.read_text() == "second"
    assert found.relative_to(tmp_path / "out") == Path("content/text")


def test_borg_gets_it_and_forgets_what_is_too_old(tmp_path: Path, password: Path) -> None:
    borg = borg_at(tmp_path, password)
    told(["borg", "create", "::selfheal+docs-2+1", str(password)], borg)
    backup = back_up(tmp_path, borg, text="first")
    assert (backup.told, backup.sunk) == ((), ("borg",))
    second = back_up(tmp_path, borg, text="second", now=NOW + 1)
    archives = told(["borg", "list", "--short"], borg)
    assert archives == ["selfheal+docs-2+1", f"selfheal+docs+{second.id}"]
    assert "content/text" in told(["borg", "list", "--short", f"::{archives[1]}"], borg)
