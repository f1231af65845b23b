"""Are the state files whole, readable and to be trusted, whatever happened to the disk?"""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.clock import RealClock
from selfheal.errors import StateFileDamaged
from selfheal.store.documents import CHECKSUMS, Documents, previous, read, write

OLD: dict[str, object] = {"schema_version": 1, "updated_at": "2026-01-01T00:00:00Z", "agents": [{"name": "web"}]}
NEW: dict[str, object] = {"schema_version": 1, "updated_at": "2026-01-01T00:01:00Z", "agents": []}
CLOCK = RealClock()


def visible(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))


def test_a_document_is_plain_json_that_a_person_can_read(tmp_path: Path) -> None:
    path = tmp_path / "agent_status.json"
    write(path, OLD)
    assert path.read_text() == textwrap.dedent(
        """\
        {
          "schema_version": 1,
          "updated_at": "2026-01-01T00:00:00Z",
          "agents": [
            {
              "name": "web"
            }
          ]
        }
        """
    )
    assert read(path, CLOCK) == (OLD, None)
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


def test_one_older_generation_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    for number in range(5):
        write(path, {"number": number})
    assert json.loads(path.read_text()) == {"number": 4}
    assert json.loads(previous(path).read_text()) == {"number": 3}
    assert sorted(file.name for file in tmp_path.iterdir()) == [CHECKSUMS, "metrics.json", "metrics.json.previous"]


@pytest.mark.parametrize("name", ["metrics.json", CHECKSUMS])
@pytest.mark.parametrize("kind", [os.mkdir, os.mkfifo])
def test_what_has_the_name_of_a_document_and_is_no_file_is_kept_aside(
    tmp_path: Path, name: str, kind: Callable[[Path], None]
) -> None:
    path = tmp_path / "metrics.json"
    kind(tmp_path / name)
    assert read(path, CLOCK)[0] is None
    (kept,) = tmp_path.glob(f"{name}.damaged-*")
    assert not kept.is_file()
    write(path, NEW)
    assert read(path, CLOCK) == (NEW, None)


def test_a_document_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert read(tmp_path / "traces.json", CLOCK) == (None, None)


def test_a_damaged_document_is_kept_aside_and_the_older_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write(path, OLD)
    write(path, NEW)
    damaged = path.read_bytes().replace(b"2026", b"2027")
    path.write_bytes(damaged)
    document, damage = read(path, CLOCK)
    assert document == OLD
    assert damage is not None
    assert "its checksum does not match" in str(damage)
    assert damage.kept_as.read_bytes() == damaged
    assert damage.kept_as.name.startswith("metrics.json.damaged-20")
    assert not path.exists()
    write(path, NEW)
    assert read(path, CLOCK) == (NEW, None)


def test_two_damaged_generations_are_none_and_both_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write(path, OLD)
    write(path, NEW)
    path.write_bytes(b"")
    previous(path).write_bytes(b"{}")
    document, damage = read(path, CLOCK)
    assert document is None
    assert isinstance(damage, StateFileDamaged)
    assert len([name for name in visible(tmp_path) if ".damaged-" in name]) == 2


def test_lost_or_damaged_sums_condemn_no_document(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write(path, OLD)
    sums = tmp_path / CHECKSUMS
    sums.write_bytes(sums.read_bytes().replace(b"metrics", b"metricz"))
    document, damage = read(path, CLOCK)
    assert document == OLD
    assert damage is not None
    assert damage.path == sums
    assert read(path, CLOCK) == (OLD, None)
    path.write_bytes(b"[1, 2]")
    document, damage = read(path, CLOCK)
    assert document is None
    assert "it is no JSON object" in str(damage)


@settings(max_examples=40)
@given(st.data())
def test_any_damage_is_noticed_and_costs_one_generation(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("state") / "metrics.json"
    write(path, OLD)
    write(path, NEW)
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    cut = data.draw(st.booleans())
    path.write_bytes(content[:at] if cut else content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    document, damage = read(path, CLOCK)
    assert document == OLD
    assert damage is not None


async def in_thread(work: Callable[[], None]) -> None:
    await asyncio.to_thread(work)


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    async def story() -> None:
        documents = Documents(tmp_path, in_thread)
        await documents.save({"a.json": OLD, "b.json": OLD}, {})
        before = {name: (tmp_path / name).stat().st_mtime_ns for name in ("a.json", "b.json")}
        await documents.save({"a.json": dict(OLD), "b.json": NEW}, {})
        assert (tmp_path / "a.json").stat().st_mtime_ns == before["a.json"]
        assert not previous(tmp_path / "a.json").exists()
        assert read(tmp_path / "b.json", CLOCK) == (NEW, None)

    asyncio.run(story())


def test_a_stamp_is_no_change_and_is_renewed_with_everything_else(tmp_path: Path) -> None:
    async def story() -> None:
        documents = Documents(tmp_path, in_thread)
        for at, renew in ((1, False), (2, False), (3, True)):
            await documents.save({"a.json": {"n": 1}}, {"updated_at": at}, renew=renew)
            assert read(tmp_path / "a.json", CLOCK) == ({"updated_at": 3 if renew else 1, "n": 1}, None)

    asyncio.run(story())


class Gated(Mapping[str, dict[str, object]]):
    """Documents that take until the gate opens to be looked at, as a disk may take to answer."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.gate = threading.Event()

    def __iter__(self) -> Iterator[str]:
        self.begun.set()
        assert self.gate.wait(10)
        yield "a.json"

    def __getitem__(self, name: str) -> dict[str, object]:
        return OLD

    def __len__(self) -> int:
        return 1


def test_a_save_does_not_overtake_one_that_was_given_up(tmp_path: Path) -> None:
    async def story() -> None:
        documents = Documents(tmp_path, in_thread)
        gated = Gated()
        async with asyncio.TaskGroup() as group:
            slow = group.create_task(documents.save(gated, {}))
            await asyncio.to_thread(gated.begun.wait, 10)
            slow.cancel()
        with pytest.raises(BlockingIOError, match="cannot save the state files: the disk is still at the last"):
            await documents.save({"a.json": NEW}, {})
        gated.gate.set()

    asyncio.run(story())
    assert read(tmp_path / "a.json", CLOCK) == (OLD, None)


def child(program: str, directory: Path) -> object:
    argv = [sys.executable, "-c", textwrap.dedent(program), str(directory)]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, cwd=Path(__file__).parents[2])
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_a_disk_that_refuses_leaves_the_old_files_and_nothing_else(tmp_path: Path) -> None:
    program = """
        import asyncio, json, os, pathlib, resource, sys
        from selfheal.clock import RealClock
        from selfheal.store.documents import Documents, read
        directory = pathlib.Path(sys.argv[1])

        async def story():
            documents = Documents(directory, asyncio.to_thread)
            await documents.save({"a.json": {"n": 1}, "b.json": {"n": 1}}, {})
            before = sorted(os.listdir(directory))
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
            changed = {"a.json": {"n": 2}, "b.json": {"n": "x" * 5000}}
            try:
                await documents.save(changed, {})
                why = None
            except OSError as error:
                why = error.strerror
            left = sorted(os.listdir(directory)) == before
            old = [read(directory / name, RealClock())[0] for name in changed]
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            await documents.save(changed, {})
            new = [read(directory / name, RealClock())[0] for name in changed] == [*changed.values()]
            print(json.dumps([why, left, old, new]))

        asyncio.run(story())
    """
    assert child(program, tmp_path) == ["File too large", True, [{"n": 1}, {"n": 1}], True]


def test_a_crash_at_any_instant_leaves_one_of_the_two_generations(tmp_path: Path) -> None:
    """Killed at every operation on the file system in turn. The process that writes is a fork, for speed."""
    program = """
        import json, os, pathlib, signal, sys
        from selfheal.clock import RealClock
        from selfheal.store.documents import Documents, read, write

        def write_and_die(path, instant):
            left = instant
            def hook(event, arguments):
                nonlocal left
                if event in ("open", "os.rename", "os.link", "os.remove"):
                    left -= 1
                    if left < 0:
                        os.kill(os.getpid(), signal.SIGKILL)
            sys.addaudithook(hook)
            write(path, {"n": 3})
            os._exit(0)

        told = []
        for instant in range(100):
            path = pathlib.Path(sys.argv[1]) / str(instant) / "a.json"
            path.parent.mkdir()
            write(path, {"n": 1})
            write(path, {"n": 2})
            pid = os.fork()
            if pid == 0:
                write_and_die(path, instant)
            _, status = os.waitpid(pid, 0)
            Documents(path.parent, None)
            document, damage = read(path, RealClock())
            told.append([document["n"], damage is None, len(os.listdir(path.parent))])
            if os.WIFEXITED(status):
                break
        print(json.dumps(told))
    """
    told = child(program, tmp_path)
    assert isinstance(told, list)
    assert len(told) > 8
    assert [kind for kind in told if kind not in ([2, True, 3], [3, True, 3])] == []
    assert told[0][0] == 2
    assert told[-1][0] == 3


def test_what_an_interrupted_write_left_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".a.json.x7.tmp").write_text("half")
    (tmp_path / "mine.tmp").write_text("not ours")
    Documents(tmp_path, in_thread)
    assert list(tmp_path.iterdir()) == [tmp_path / "mine.tmp"]
