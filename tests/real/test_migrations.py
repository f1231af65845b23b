"""Does a state directory of an older version become one of this, all or nothing, and is a newer one left alone?"""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal.store.migrations import MIGRATIONS, NAME, Migration, NewerState, migrate
from tests.real.journal_files import PAYLOADS, child, numbered, opened, written

NOW = 1_800_000_000.0
NEWEST = max(MIGRATIONS) + 1


def content(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def number(place: Path) -> str:
    return (place / NAME).read_text().partition(",")[2].partition(",")[0].strip()


def test_a_directory_without_a_number_gets_one_and_keeps_all_it_has(tmp_path: Path) -> None:
    """The layout before there were numbers: a journal from its first record on, and no snapshots."""
    written(tmp_path / "journal", PAYLOADS)
    before = content(tmp_path)
    assert migrate(tmp_path, NOW) == ()
    assert number(tmp_path) == f"schema {NEWEST}"
    after = content(tmp_path)
    del after[NAME], after["journal/held"]  # what there was not before
    assert after == before
    assert migrate(tmp_path, NOW) == ()
    assert numbered(opened(tmp_path / "journal")[1]) == list(enumerate(PAYLOADS, start=1))


def test_a_newer_directory_is_refused_with_nothing_touched(tmp_path: Path) -> None:
    two = {1: Migration("one"), 2: Migration("two")}
    migrate(tmp_path, NOW, two)
    before = content(tmp_path)
    with pytest.raises(NewerState, match=r"^cannot use state directory .*: it is of schema 3, which a newer version"):
        migrate(tmp_path, NOW, {1: Migration("one")})
    assert content(tmp_path) == before


@pytest.mark.parametrize("text", [b"", b"\0" * 40, b"selfheal state, schema 9, sum 0123456789abcdef\n"])
def test_a_number_that_cannot_be_believed_is_kept_told_and_written_again(tmp_path: Path, text: bytes) -> None:
    (tmp_path / NAME).write_bytes(text)
    (told,) = migrate(tmp_path, NOW)
    assert told.file == NAME
    assert told.kept_as is not None
    assert (tmp_path / told.kept_as).read_bytes() == text
    assert number(tmp_path) == f"schema {NEWEST}"
    assert migrate(tmp_path, NOW) == ()


def add(place: Path) -> None:
    (place / "new").write_bytes((place / "old").read_bytes().upper())


def remove(place: Path) -> None:
    (place / "old").unlink(missing_ok=True)


def end(place: Path) -> None:
    """A death in the middle, as the file system sees it."""
    raise KeyboardInterrupt


WHOLE = Migration("renamed", add, remove)


def add_and_end(place: Path) -> None:
    add(place)
    end(place)


@pytest.mark.parametrize("dying", [Migration("", add_and_end), Migration("", add, end)])
def test_a_migration_that_was_interrupted_is_done_by_the_next_start(tmp_path: Path, dying: Migration) -> None:
    (tmp_path / "old").write_bytes(b"words")
    with pytest.raises(KeyboardInterrupt):
        migrate(tmp_path, NOW, {1: dying})
    assert (tmp_path / "old").read_bytes() == b"words", "it is there until the new one counts"
    assert migrate(tmp_path, NOW, {1: WHOLE}) == ()
    assert {NAME, "new"} == set(content(tmp_path))
    assert (tmp_path / "new").read_bytes() == b"WORDS"


def test_migrations_follow_each_other(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"words")
    done: list[int] = []
    steps = {1: WHOLE, 2: Migration("", lambda place: done.append(len((place / "new").read_bytes())))}
    assert migrate(tmp_path, NOW, steps) == ()
    assert done == [5]
    assert number(tmp_path) == "schema 3"


def test_a_full_disk_keeps_nobody_from_starting_where_the_older_layout_will_do(tmp_path: Path) -> None:
    program = """
        import pathlib, resource, sys
        from selfheal.store.migrations import Migration, migrate
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        place = pathlib.Path(sys.argv[1])
        assert migrate(place, 1.8e9) == ()
        try:
            migrate(place, 1.8e9, {1: Migration("needed")})
        except OSError:
            sys.exit(7)
    """
    ended = child(program, tmp_path)
    assert ended.returncode == 7, ended.stderr
    assert content(tmp_path) == {}
    migrate(tmp_path, NOW)
    assert number(tmp_path) == f"schema {NEWEST}"
