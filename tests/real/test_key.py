"""Does the key outlive the daemon, and is one that was damaged told and kept?"""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from selfheal.store.key import KEY_BYTES, read_key

NOON = 1_767_355_200.0  # 2026-01-02T12:00:00Z


def test_a_key_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "key"
    key, damage = read_key(path, NOON)
    assert (len(key), damage) == (KEY_BYTES, None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key(path, NOON) == (key, None)


@pytest.mark.parametrize("left", [b"", b"short", b"x" * (KEY_BYTES + 1)])
def test_a_damaged_key_is_told_kept_and_made_anew(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(left)
    key, damage = read_key(path, NOON)
    assert damage is not None
    assert (damage.file, damage.what, damage.kept_as) == (
        "key",
        f"it holds {len(left)} bytes, not 32",
        "key.damaged-20260102T120000Z",
    )
    assert "login" in damage.lost
    assert (tmp_path / "key.damaged-20260102T120000Z").read_bytes() == left
    assert read_key(path, NOON) == (key, None)


def test_what_is_no_file_is_no_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.mkdir()
    key, damage = read_key(path, NOON)
    assert damage is not None
    assert damage.what == "it cannot be read: Is a directory"
    assert read_key(path, NOON) == (key, None)
