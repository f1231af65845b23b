"""Do the fixes that move and delete files touch what was listed, and nothing else on this machine?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from selfheal.errors import FixFailed
from selfheal.recover.clean_restart import CleanRestartSettings, forget, move_aside, put_back
from selfheal.recover.free_disk import FreeDiskSettings, free
from selfheal.recover.listed import listed

NOW = 2_000_000_000.0
NOBODY = Path("/nonexistent")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Files of different ages, a link out of the folder, and what is beside it."""
    for number, name in enumerate(("c.tmp", "a.tmp", "b.tmp", "keep.txt")):
        (tmp_path / "var" / "deep").mkdir(parents=True, exist_ok=True)
        file = tmp_path / "var" / name
        file.write_bytes(b"x" * 5000)
        os.utime(file, (NOW - 1000 + number, NOW - 1000 + number))
    (tmp_path / "beside.tmp").write_text("beside")
    (tmp_path / "var" / "out").symlink_to(tmp_path)
    (tmp_path / "var" / "link.tmp").symlink_to(tmp_path / "beside.tmp")
    return tmp_path


def room(place: Path, *patterns: str, until: float = 1.0, older_than: float = 60.0) -> FreeDiskSettings:
    return FreeDiskSettings(paths=tuple(place / pattern for pattern in patterns), until=until, older_than=older_than)


def left(place: Path) -> set[str]:
    return {file.name for file in (place / "var").iterdir()}


def test_what_is_listed_is_deleted_and_nothing_else(place: Path) -> None:
    told = free(room(place, "var/*.tmp"), NOBODY, NOW)
    assert told.startswith("3 files with ")
    assert left(place) == {"keep.txt", "deep", "out", "link.tmp"}, "neither a link nor what it leads to"
    assert (place / "beside.tmp").exists()


def test_the_oldest_go_first_and_only_until_there_is_room(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free_shares = iter((0.01, 0.05, 0.2, 0.2, 0.2))
    monkeypatch.setattr("selfheal.recover.free_disk._free_share", lambda folder: next(free_shares))
    assert free(room(place, "var/*.tmp", until=0.1), NOBODY, NOW).startswith("2 files")
    assert left(place) == {"b.tmp", "keep.txt", "deep", "out", "link.tmp"}


def test_what_was_just_written_is_held_open_or_is_ours_stays(place: Path) -> None:
    os.utime(place / "var" / "a.tmp", (NOW - 5, NOW - 5))
    with (place / "var" / "b.tmp").open():
        free(room(place, "var/*.tmp"), NOBODY, NOW)
    assert {"a.tmp", "b.tmp"} <= left(place)
    with pytest.raises(FixFailed, match="nothing was there to delete"):
        free(room(place, "var/*.tmp"), place / "var", NOW)


def test_where_there_is_room_or_nothing_to_delete_it_fails_and_says_so(place: Path) -> None:
    with pytest.raises(FixFailed, match="which is enough as it is"):
        free(room(place, "var/*.tmp", until=0.000001), NOBODY, NOW)
    with pytest.raises(FixFailed, match="nothing was there to delete"):
        free(room(place, "var/*.none"), NOBODY, NOW)


@pytest.mark.parametrize(
    "pattern", ["/", "/*", "/**/*", "/home", "/etc/*", "/usr/**", "/var/*", "~/x", "../x", "a/../../b", ".", "*", "**"]
)
def test_what_nobody_can_have_meant_is_refused_when_the_file_is_read(pattern: str) -> None:
    with pytest.raises(ValidationError):
        FreeDiskSettings(paths=(Path(pattern),))


@pytest.mark.parametrize("pattern", ["/var/tmp/app/*", "/home/app/cache/**/*.tmp", "var/*.gz", "/tmp/app-*", "cache"])
def test_what_lies_in_a_folder_of_ones_own_may_be_listed(pattern: str) -> None:
    assert FreeDiskSettings(paths=(Path(pattern),)).paths == (Path(pattern),)


def test_a_link_that_is_found_on_the_way_never_leads_out(place: Path) -> None:
    assert [*listed([place / "var" / "*" / "*.tmp"], NOBODY)] == []
    assert (place / "beside.tmp") not in [*listed([place / "var" / "**" / "*"], NOBODY)]


# --- caches ---


def caches(place: Path) -> tuple[Path, ...]:
    (place / "cache").mkdir()
    (place / "cache" / "index").write_text("old")
    (place / "one.cache").write_text("old")
    return CleanRestartSettings(caches=(place / "cache", place / "*.cache")).caches


def test_caches_are_moved_aside_put_back_and_forgotten(place: Path) -> None:
    meant = caches(place)
    assert move_aside(meant, NOBODY, "inc-7") == 2
    assert not (place / "cache").exists()
    assert (place / ".cache.cleared-inc-7" / "index").read_text() == "old"
    assert move_aside(meant, NOBODY, "inc-7") == 0, "doing it twice is harmless"

    (place / "cache").mkdir()
    (place / "cache" / "index").write_text("new")
    assert put_back(meant, "inc-7") == 2
    assert (place / "cache" / "index").read_text() == "old"
    assert put_back(meant, "inc-7") == 0
    forget(meant, frozenset())
    assert sorted(file.name for file in place.iterdir()) == ["beside.tmp", "cache", "one.cache", "var"]


def test_what_was_moved_aside_stays_while_its_incident_is_open(place: Path) -> None:
    meant = caches(place)
    move_aside(meant, NOBODY, "inc-7")
    assert forget(meant, frozenset({"inc-7"})) == 0
    assert forget(meant, frozenset({"inc-17"})) == 2
    assert not list(place.glob(".*cleared*"))


def test_with_no_cache_there_is_nothing_to_do(place: Path) -> None:
    with pytest.raises(FixFailed, match="it starts without them as it is"):
        move_aside((place / "none",), NOBODY, "inc-7")
