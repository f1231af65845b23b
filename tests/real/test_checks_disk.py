"""Does the check of a disk see the room that there really is, and whether it can be written to?"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from selfheal.observe.disk import DISK
from tests.real.asking import named, seen
from tests.real.servers import CLOCK, context

ROOT = Path(__file__).parents[2]

# Runs where it may mount: on a tmpfs of 1 MiB for 20 files each check comes to its reason, signals and cause.
ON_A_SMALL_DISK = """
import json, os, subprocess, sys
from pathlib import Path
from tests.real.asking import named, seen
from tests.real.servers import context
from selfheal.observe.disk import DISK

there = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=20", "tmpfs", there], check=True)
told = {}

def look(name, **table):
    table = {"disk": str(there), **table}
    told[name] = [*seen("disk", table, context(there)), named(DISK, table, context(there))]

look("empty", min_free="1MB", max_used=0.1, min_inodes=10, max_inodes_used=0.5, writable=True)
for number in range(15):
    (there / str(number)).touch()
look("files", min_inodes=10)
look("share of files", max_inodes_used=0.5)
for number in range(15):
    (there / str(number)).unlink()
(there / "half").write_bytes(bytes(512 * 1024))
look("half", min_free="600KiB")
look("share", max_used=0.4)
with open(there / "rest", "wb", buffering=0) as rest:
    try:
        while rest.write(bytes(4096)):
            pass
    except OSError:
        pass
look("full", writable=True)
look("full and not written to")
(there / "rest").unlink()
os.umask(0)
subprocess.run(["mount", "-o", "remount,bind,ro", there], check=True)
look("read-only", writable=True)
print(json.dumps(told))
"""

Told = Mapping[str, tuple[str, Mapping[str, float], str | None]]


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Told:
    unshare = shutil.which("unshare")
    private = [unshare or "unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",))]
    if unshare is None or subprocess.run([*private, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    there = tmp_path_factory.mktemp("disk")
    done = subprocess.run(
        [*private, sys.executable, "-c", ON_A_SMALL_DISK, there], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if "mount:" in done.stderr:
        pytest.skip("no tmpfs can be mounted here")
    assert done.returncode == 0, done.stderr
    told: Told = json.loads(done.stdout)
    return {name: (reason.replace(str(there), "DISK"), found, cause) for name, (reason, found, cause) in told.items()}


def test_a_disk_with_room_is_well_and_measured(small_disk: Told) -> None:
    reason, signals, _ = small_disk["empty"]
    assert reason == ""
    assert signals == {"disk_free": 2.0**20, "disk": 0.0, "inodes": pytest.approx(1 / 20)}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("files", "'DISK' has 4 inodes free, expected at least 10"),
        ("share of files", "'DISK' has 80 % of its inodes used, expected at most 50 %"),
        ("half", "'DISK' has 524.3 KB free, expected at least 614.4 KB"),
        ("share", "'DISK' is 50 % full, expected at most 40 %"),
        ("full", "'DISK' has no space left to write to"),
    ],
)
def test_a_disk_without_room_is_named_as_full(small_disk: Told, name: str, reason: str) -> None:
    said, signals, cause = small_disk[name]
    assert (said, cause) == (reason, "disk_full")
    assert set(signals) == {"disk_free", "disk", "inodes"}


def test_a_full_disk_of_which_nothing_is_expected_is_measured_alone(small_disk: Told) -> None:
    reason, signals, _ = small_disk["full and not written to"]
    assert (reason, signals["disk_free"], signals["disk"]) == ("", 0.0, 1.0)


def test_a_disk_that_is_read_only_is_told_as_such(small_disk: Told) -> None:
    assert small_disk["read-only"][0] == "'DISK' is mounted read-only"
    assert small_disk["read-only"][2] == "permission"


def test_the_figures_are_those_of_df(tmp_path: Path) -> None:
    reason, signals = seen("disk", {"disk": ".", "max_used": 1, "min_free": 1}, context(tmp_path))
    usage = shutil.disk_usage(tmp_path)
    assert reason == ""
    assert signals["disk"] == pytest.approx(usage.used / (usage.used + usage.free), abs=0.05)
    assert signals["disk_free"] == pytest.approx(usage.free, rel=0.2, abs=1e9)


def test_what_is_written_is_gone_afterwards(tmp_path: Path) -> None:
    assert seen("disk", {"disk": str(tmp_path), "writable": True}, context(tmp_path))[0] == ""
    assert list(tmp_path.iterdir()) == []


def test_another_disk_than_the_agents_is_not_taken_for_it(tmp_path: Path) -> None:
    table = {"disk": "/proc"}
    assert "disk" not in seen("disk", table, context(tmp_path))[1]
    assert "disk" in seen("disk", table, context(Path("/proc/self")))[1]
    assert "disk" not in seen("disk", table, context(tmp_path / "gone"))[1]
    assert "disk" in seen("disk", table, replace(context(tmp_path), watched_since=CLOCK.now()))[1]


def test_what_is_not_there_or_no_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert seen("disk", {"disk": "nothing"}, context(tmp_path)) == (f"'{tmp_path}/nothing' does not exist", {})
    assert seen("disk", {"disk": "file/x"}, context(tmp_path))[0] == f"'{tmp_path}/file/x' does not exist"
    assert seen("disk", {"disk": "file"}, context(tmp_path))[0] == ""
    reason, signals = seen("disk", {"disk": "file", "writable": True}, context(tmp_path))
    assert reason == f"'{tmp_path}/file' is not a directory, so nothing can be written to it"
    assert "disk_free" in signals


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_of_somebody_else_is_told_as_such() -> None:
    assert named(DISK, {"disk": "/", "writable": True}, context(Path("/"))) == "permission"


@pytest.mark.parametrize("table", [{"max_used": 1.5}, {"max_used": 0}, {"min_free": "lots"}, {"min_inodes": 0}])
def test_limits_that_make_no_sense_are_refused(table: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DISK.model.model_validate({"disk": "/", **table})
