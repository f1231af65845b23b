"""Does the kind `files` see what was damaged, and put back only that?"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from selfheal.data.asset import Health
from selfheal.data.files import FilesAsset
from selfheal.data.sums import Changes
from selfheal.errors import DataFailed
from tests.real.vaults import NOW, content, furnish, old


class Files:
    """A folder that is watched, and its memory."""

    def __init__(self, tmp_path: Path, changes: Changes, required: tuple[str, ...] = ()) -> None:
        self.folder, self.room, self.copy = (tmp_path / name for name in ("data", "room", "copy"))
        self.folder.mkdir(parents=True)
        self.asset = FilesAsset(
            agent="docs", path=self.folder, exclude=("*.tmp",), changes=changes, required=required, room=self.room
        )
        self.sparing = FilesAsset(
            agent="docs", path=self.folder, exclude=("*.tmp",), changes=changes, room=self.room, sparing=True
        )

    def write(self, name: str, text: str, at: float = NOW) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return old(path, at)

    def flip(self, name: str) -> None:
        """Another byte, and the times as they were: what a disk does."""
        path = self.folder / name
        seen, data = path.stat(), path.read_bytes()
        path.write_bytes(bytes((data[0] ^ 1, *data[1:])))
        os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))

    def look(self, *, thorough: bool = True) -> Health:
        return self.asset.examine(self.room, thorough=thorough)

    def capture(self) -> Path:
        self.copy.mkdir()
        self.asset.capture(self.copy)
        return self.copy


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path, "any")


@pytest.fixture(params=["never", "append", "any"])
def whatever(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return Files(tmp_path, request.param)


def test_a_sound_folder_is_counted(whatever: Files) -> None:
    whatever.write("a", "one")
    whatever.write("deep/b", "three")
    whatever.write("left.tmp", "not meant")
    health = whatever.look()
    assert (health.reason, health.counts) == ("", {"files": 2.0, "bytes": 8.0})
    assert whatever.look(thorough=False).reason == ""


@pytest.mark.parametrize("thorough", [True, False])
def test_another_content_under_the_same_time_is_damage_whatever_may_change(whatever: Files, thorough: bool) -> None:
    whatever.write("a", "one")
    whatever.look()
    whatever.flip("a")
    for _ in range(2):  # it does not become right by being looked at
        health = whatever.look(thorough=thorough)
        assert (health.cause, health.reason) == ("corrupted", "a: its content is another, though nobody wrote to it")


@pytest.mark.parametrize(
    ("changes", "text", "said"),
    [
        ("never", "one and more", "a: it was changed, and should never be"),
        ("append", "one and more", ""),
        ("append", "once", "a: what was written before is another, and should only be added to"),
        ("append", "on", "a: it has 2 bytes and had 3, and should only grow"),
        ("append", "one\0\0\0\0", "a: what was added is nothing but zeros"),
        ("any", "quite another", ""),
        ("any", "\0\0\0\0\0", "a: it holds nothing but zeros"),
        ("any", "", ""),
    ],
)
def test_a_change_is_damage_where_it_may_not_be(changes: Changes, text: str, said: str, tmp_path: Path) -> None:
    files = Files(tmp_path, changes)
    files.write("a", "one")
    files.look()
    files.write("a", text, NOW + 60)
    for thorough in (False, True):
        assert files.look(thorough=thorough).reason == said


def test_a_file_is_given_time_to_be_written(tmp_path: Path) -> None:
    files = Files(tmp_path, "never")
    (files.folder / "a").write_text("half of")
    files.look()
    (files.folder / "a").write_text("half of what it will be")
    assert files.look().reason == ""


def test_missing_files_are_missed_where_they_must_stay(tmp_path: Path) -> None:
    for changes, required, said in (("never", (), "it is missing"), ("any", (), ""), ("any", ("a",), "it is missing")):
        files = Files(tmp_path / (changes + str(len(required))), "any" if changes == "any" else "never", required)
        files.write("a", "one")
        files.write("b", "two")
        files.look()
        (files.folder / "a").unlink()
        health = files.look(thorough=False)
        assert said in health.reason
        assert health.cause == ("missing_data" if said else "")


def test_what_is_required_must_be_there_from_the_first_look_and_hold_something(tmp_path: Path) -> None:
    files = Files(tmp_path, "any", ("*.db",))
    files.write("a", "one")
    assert files.look().reason == "*.db: there is none"
    files.write("deep/main.db", "one")
    assert files.look().reason == ""
    files.write("deep/main.db", "", NOW + 60)
    assert files.look().reason == "deep/main.db: it is empty, and held something"


def test_a_folder_that_is_gone_is_missing_and_one_that_is_closed_is_not_known(tmp_path: Path) -> None:
    gone = FilesAsset(agent="docs", path=tmp_path / "gone")
    assert gone.examine(tmp_path / "room", thorough=False).cause == "missing_data"
    with pytest.raises(DataFailed, match="there is no"):
        gone.capture(tmp_path)


def test_a_damaged_memory_accuses_nobody(files: Files) -> None:
    files.write("a", "one")
    files.look()
    memory = files.room / "seen.json"
    memory.write_bytes(memory.read_bytes().replace(b'"size":3', b'"size":4'))
    assert files.look().reason == ""


def test_a_copy_is_all_of_the_folder_and_proves_itself(files: Files) -> None:
    furnish(files.folder)
    copy = files.capture()
    assert content(copy / "content") == content(files.folder)
    proof = files.asset.prove(copy)
    assert proof.counts["files"] == 8
    assert (copy / "content" / "hole").stat().st_blocks * 512 < 2_100_000


@pytest.mark.parametrize("harm", ["other bytes", "another mode", "one more", "one less", "no sums"])
def test_a_copy_that_is_not_what_it_was_proves_nothing(harm: str, files: Files) -> None:
    furnish(files.folder)
    copy = files.capture()
    log = copy / "content" / "lines.log"
    harms: dict[str, Callable[[], object]] = {
        "other bytes": partial(log.write_text, "other"),
        "another mode": partial(log.chmod, 0o600),
        "one more": log.with_name("more").touch,
        "one less": log.unlink,
        "no sums": (copy / "sums.json").unlink,
    }
    harms[harm]()
    with pytest.raises(DataFailed) as failed:
        files.asset.prove(copy)
    assert failed.value.cause == "corrupted"


def test_what_was_only_touched_is_the_same(files: Files, tmp_path: Path) -> None:
    files.write("a", "one")
    files.copy.mkdir()
    first = files.asset.capture(files.copy)
    files.write("a", "one", NOW + 60)
    (tmp_path / "again").mkdir()
    again = files.asset.capture(tmp_path / "again")
    assert (first.digest, first.counts) == (again.digest, again.counts)


def test_damage_is_never_backed_up(files: Files) -> None:
    files.write("a", "one")
    files.look()
    files.flip("a")
    with pytest.raises(DataFailed, match="cannot back up docs: a: its content is another"):
        files.capture()


def test_salvage_takes_what_is_sound_and_says_what_is_not(files: Files, tmp_path: Path) -> None:
    files.write("a", "one")
    files.write("b", "two")
    with pytest.raises(DataFailed, match="nobody knows"):
        files.asset.salvage(tmp_path)
    files.look()
    files.copy.mkdir()
    with pytest.raises(DataFailed, match="nothing of it is damaged"):
        files.asset.salvage(files.copy)
    files.flip("a")
    (tmp_path / "second").mkdir()
    salvaged = files.asset.salvage(tmp_path / "second")
    assert "a: its content is another" in salvaged.lost
    assert files.asset.prove(tmp_path / "second").counts == {"files": 1.0, "bytes": 3.0}


def test_only_what_is_damaged_comes_from_the_backup(tmp_path: Path) -> None:
    files = Files(tmp_path, "any", ())
    files.write("a", "one")
    files.write("b", "two")
    files.write("x.tmp", "not meant")
    copy = files.capture()
    files.write("a", "newer one", NOW + 3600)
    files.write("b", "newer two", NOW + 3600)
    files.write("c", "new", NOW + 3600)
    files.look()
    files.flip("b")
    note = files.sparing.prepare(copy, "t1")
    assert (
        note == "1 of 2 files come from the backup ('b'), the others stay; the last 3600 s of writes to them are lost"
    )
    swapped = files.sparing.swap("t1")
    there = {path.name: path.read_text() for path in files.folder.iterdir()}
    assert there == {"a": "newer one", "b": "two", "c": "new", "x.tmp": "not meant"}
    assert (Path(swapped.aside) / "b").read_text() == "oewer two"
    assert files.look().reason == ""


def test_all_comes_from_the_backup_where_that_is_wanted(files: Files) -> None:
    furnish(files.folder)
    files.write("x.tmp", "not meant")
    before = content(files.folder)
    copy = files.capture()
    files.look()
    files.write("lines.log", "newer", NOW + 3600)
    files.write("made since", "new", NOW + 3600)
    files.asset.prepare(copy, "t1")
    files.asset.swap("t1")
    assert content(files.folder) == before
    assert files.look().reason == ""


def test_a_folder_that_is_gone_comes_back_whole(files: Files) -> None:
    before = content(furnish(files.folder))
    copy = files.capture()
    files.look()
    files.folder.rename(files.folder.with_name("away"))
    for asset in (files.sparing, files.asset):
        asset.prepare(copy, "t1")
    assert files.asset.swap("t1").aside == ""
    assert content(files.folder) == before


def test_a_single_file_is_data_too(tmp_path: Path) -> None:
    path = tmp_path / "one.bin"
    asset = FilesAsset(agent="one", path=path, changes="never", room=tmp_path / "room")
    path.write_text("one")
    old(path)
    assert asset.examine(tmp_path / "room", thorough=True).counts == {"files": 1.0, "bytes": 3.0}
    (tmp_path / "copy").mkdir()
    asset.capture(tmp_path / "copy")
    path.unlink()
    assert asset.examine(tmp_path / "room", thorough=True).cause == "missing_data"
    asset.prepare(tmp_path / "copy", "t1")
    asset.swap("t1")
    assert path.read_text() == "one"
    assert asset.examine(tmp_path / "room", thorough=True).reason == ""


@pytest.mark.parametrize("broken_after", [0, 1, 2])
def test_a_swap_that_was_broken_off_is_brought_to_its_end(
    broken_after: int, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write("a", "one")
    copy = files.capture()
    files.write("a", "damaged", NOW + 60)
    files.asset.prepare(copy, "t1")
    files.asset.prepare(copy, "t1")
    moves = iter(range(broken_after))
    move = Path.rename

    def broken(source: Path, place: Path) -> Path:
        if next(moves, None) is None:
            raise KeyboardInterrupt
        return move(source, place)

    with monkeypatch.context() as broken_off:
        broken_off.setattr(Path, "rename", broken)
        try:
            files.asset.swap("t1")
        except KeyboardInterrupt:
            assert broken_after < 2
    first = files.asset.swap("t1")
    assert files.asset.swap("t1") == first
    assert (files.folder / "a").read_text() == "one"
    assert (Path(first.aside) / "a").read_text() == "damaged"
    assert first.written_at == NOW + 60 - 1e6


def test_who_writes_between_the_two_steps_of_a_swap_loses_nothing(files: Files) -> None:
    files.write("a", "one")
    copy = files.capture()
    files.asset.prepare(copy, "t1")
    files.folder.rename(files.folder.with_name("data.damaged-t1"))
    files.write("b", "written meanwhile")
    files.asset.swap("t1")
    assert (files.folder / "a").read_text() == "one"
    assert (files.folder.with_name("data.damaged-t1-2") / "b").read_text() == "written meanwhile"


def test_a_swap_without_anything_prepared_changes_nothing(files: Files) -> None:
    files.folder.rmdir()
    with pytest.raises(DataFailed, match="nothing was prepared"):
        files.asset.swap("t1")
    with pytest.raises(DataFailed, match="ticket"):
        files.asset.swap("../t1")
