"""Does the check of files see what is really there, and does a file system that hangs do no harm?"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from selfheal.errors import CheckFailed
from selfheal.observe.files import FILE, Checksum
from selfheal.observe.patience import Patience
from tests.real.asking import NOON, named, seen
from tests.real.servers import build, context, outcome


def test_a_file_is_found_from_the_directory_of_the_agent_and_measured(tmp_path: Path) -> None:
    file = tmp_path / "out" / "report.txt"
    file.parent.mkdir()
    file.write_bytes(b"x" * 1234)
    os.utime(file, (0, NOON.now() - 50))
    reason, signals = seen("file", {"file": "out/report.txt"}, context(tmp_path, clock=NOON))
    assert reason == ""
    assert signals == {"age": pytest.approx(50, abs=1e-3), "size": 1234.0}
    assert seen("file", {"file": str(file)}, context(Path("/")))[0] == ""


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"max_age": "1m"}, ""),
        ({"max_age": 30}, "was last written 50 s ago, expected within 30 s"),
        ({"min_size": "1KB", "max_size": "2KB"}, ""),
        ({"min_size": "2KB"}, "has 1.234 KB, expected at least 2 KB"),
        ({"max_size": "1KB"}, "has 1.234 KB, expected at most 1 KB"),
        ({"contains": "done"}, ""),
        ({"contains": "/d.ne$/"}, ""),
        ({"contains": "failed"}, "does not contain 'failed' in its last 64 KiB"),
    ],
)
def test_age_size_and_content_of_a_file_are_judged(tmp_path: Path, table: dict[str, object], reason: str) -> None:
    file = tmp_path / "report.txt"
    file.write_bytes(b"x" * 1230 + b"done")
    os.utime(file, (0, NOON.now() - 50))
    said, signals = seen("file", {"file": "report.txt", **table}, context(tmp_path, clock=NOON))
    assert said == (f"'{file}' {reason}" if reason else "")
    assert signals["size"] == 1234.0


def test_a_file_that_is_old_or_missing_is_stale_and_any_other_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_bytes(b"x" * 1234)
    os.utime(tmp_path / "report.txt", (0, NOON.now() - 50))
    causes = [
        named(FILE, {"file": "report.txt", **table}, context(tmp_path, clock=NOON))
        for table in (
            {"max_age": 30, "max_size": "1KB"},
            {"max_size": "1KB"},
            {"min_size": "2KB"},
            {"contains": "y"},
            {},
        )
    ]
    assert causes == ["stale", "wrong_answer", "wrong_answer", "wrong_answer", None]
    assert named(FILE, {"file": "nothing"}, context(tmp_path)) == "stale"


def test_only_the_end_of_a_long_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"early" + b"x" * 1_000_000 + b"late")
    assert seen("file", {"file": "log", "contains": "late"}, context(tmp_path))[0] == ""
    assert "does not contain 'early'" in seen("file", {"file": "log", "contains": "early"}, context(tmp_path))[0]


def test_a_file_that_is_not_there_fails_and_so_does_one_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("nothing", "file/below"):
        assert seen("file", {"file": name}, context(tmp_path)) == (f"'{tmp_path / name}' does not exist", {})


def test_a_pipe_is_not_opened_to_look_into_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reason, _ = seen("file", {"file": "pipe", "contains": "x"}, context(tmp_path))
    assert reason.endswith("is not a regular file, so there is nothing to read")


def test_sizes_that_no_file_can_have_are_refused() -> None:
    with pytest.raises(ValidationError, match="min_size is larger than max_size"):
        FILE.model.model_validate({"file": "x", "min_size": 2, "max_size": 1})


@pytest.mark.parametrize(
    ("table", "reason", "count"),
    [
        ({}, "", 3),
        ({"min_count": 3, "max_count": 3, "max_age": "15s", "contains": "new"}, "", 3),
        ({"min_count": 4}, "'{there}/*.gz' matches 3, expected at least 4", 3),
        ({"max_count": 2}, "'{there}/*.gz' matches 3, expected at most 2", 3),
        ({"max_age": 5}, "'{there}/new.gz' was last written 10 s ago, expected within 5 s", 3),
        ({"min_size": "1KB"}, "'{there}/new.gz' has 3 B, expected at least 1 KB", 3),
        ({"file": "b/*.zip"}, "'{there}/*.zip' matches nothing, expected at least 1", 0),
        ({"file": "b/*.zip", "max_count": 0}, "", 0),
        ({"file": "b/*.zip", "min_count": 0, "max_count": 5, "max_age": 5}, "", 0),
        ({"file": "b/[n]*.gz"}, "", 1),
        ({"file": "*/new.gz"}, "", 1),
        ({"file": "{there}/???.gz"}, "", 2),
    ],
)
def test_of_a_pattern_the_newest_file_is_judged_and_all_are_counted(
    tmp_path: Path, table: dict[str, object], reason: str, count: int
) -> None:
    there = tmp_path / "b"
    there.mkdir()
    for name, age_s in (("oldest.gz", 1000), ("new.gz", 10), ("old.gz", 100)):
        (there / name).write_text(name.partition(".")[0])
        os.utime(there / name, (0, NOON.now() - age_s))
    (there / "gone.gz").symlink_to(there / "nowhere")
    table = {"file": "b/*.gz", **table}
    table["file"] = str(table["file"]).replace("{there}", str(there))
    said, signals = seen("file", table, context(tmp_path, clock=NOON))
    assert said == reason.replace("{there}", str(there))
    assert signals["count"] == float(count)
    assert ("age" in signals) is (count > 0 and "matches" not in said)


def test_too_few_matches_are_stale_and_too_many_are_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.gz").touch()
    assert named(FILE, {"file": "*.zip"}, context(tmp_path)) == "stale"
    assert named(FILE, {"file": "*.gz", "max_count": 0}, context(tmp_path)) == "wrong_answer"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"file": "a", "min_count": 1}, "min_count and max_count need a pattern; write one such as"),
        ({"file": "*", "min_count": 3, "max_count": 2}, "min_count is larger than max_count"),
        ({"file": "a", "sha256": "abc"}, "write its 64 hexadecimal digits"),
    ],
)
def test_what_no_file_can_be_judged_by_is_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FILE.model.model_validate(table)


def test_a_checksum_is_that_of_the_whole_file_and_read_again_when_it_was_written_to(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"x" * 3_000_000)
    good = hashlib.sha256(b"x" * 3_000_000).hexdigest()
    check = build(FILE, {"file": "model.bin", "sha256": good.upper()}, context(tmp_path))
    assert asyncio.run(outcome(check))[0] == ""
    modified = file.stat().st_mtime_ns
    with file.open("r+b") as opened:
        opened.write(b"y")
    os.utime(file, ns=(modified, modified))  # as whoever does not want to be seen would
    bad = hashlib.sha256(file.read_bytes()).hexdigest()
    for _ in range(2):
        reason = asyncio.run(outcome(check))[0]
        assert reason == f"'{file}' has the checksum {bad[:12]}…, expected {good[:12]}…"


def test_an_unchanged_file_is_not_read_again_for_its_checksum(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"x")
    found, checksum = file.stat(), Checksum()
    digest = checksum.of(file, found)
    file.unlink()
    assert checksum.of(file, found) == digest == hashlib.sha256(b"x").hexdigest()


def test_a_look_that_hangs_is_joined_by_no_other_and_ends_when_it_can() -> None:
    hanging, looks = threading.Event(), []

    def look() -> int:
        looks.append(threading.current_thread())
        hanging.wait()
        return len(looks)

    async def story() -> None:
        patience = Patience()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await patience.of(look, "'/mnt'")
        with pytest.raises(CheckFailed, match="'/mnt' has not answered since an earlier check"):
            await patience.of(look, "'/mnt'")
        assert [thread.daemon for thread in looks] == [True]
        hanging.set()
        looks[0].join()
        assert await patience.of(look, "'/mnt'") == 2

    asyncio.run(story())


def test_what_a_look_raises_is_raised_where_it_is_waited_for() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(Patience().of(lambda: 1 // 0, "nothing"))
