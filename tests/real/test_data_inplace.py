"""Are sound files put in place whatever moment the machine dies at, and is nothing old ever lost?"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from selfheal.data import inplace
from selfheal.data.asset import Swapped
from selfheal.errors import DataFailed
from tests.real.json_data import LONG_AGO, asset, lines, quick, write

KILLED = 9
OLD, NEW = b"old", b"new"


def dies_at(step: int, act: Callable[[], object]) -> bool:
    """Do it in a process that dies at the given call to the system; returns whether it came that far."""
    child = os.fork()
    if child == 0:
        steps = itertools.count()

        def mortal(call: Callable[..., object]) -> Callable[..., object]:
            def called(*given: object, **named: object) -> object:
                if next(steps) == step:
                    os._exit(KILLED)
                return call(*given, **named)

            return called

        for name in ("link", "replace", "fsync", "unlink", "open", "write", "fchmod", "mkdir"):
            setattr(os, name, mortal(getattr(os, name)))
        act()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


@pytest.fixture
def targets(tmp_path: Path) -> dict[Path, Path]:
    """Three files: two that are there, one that is not; and what is to be put in their place."""
    found = {}
    for name in ("a.json", "sub/b.json", "c.json"):
        target = tmp_path / "data" / name
        write(tmp_path / "copy" / name, NEW + name.encode())
        if name != "c.json":
            write(target, OLD + name.encode(), LONG_AGO + len(name))
        found[target] = tmp_path / "copy" / name
    return found


def test_files_are_exchanged_and_the_old_ones_kept(targets: dict[Path, Path], tmp_path: Path) -> None:
    base = tmp_path / "data" / "all"
    first, second, third = targets
    first.chmod(0o640)
    inplace.prepare(base, "t1", targets)
    assert first.read_bytes() == b"olda.json"
    swapped = inplace.swap(base, "t1")
    assert [path.read_bytes() for path in targets] == [b"newa.json", b"newsub/b.json", b"newc.json"]
    asides = [first.with_name("a.json.damaged-t1"), second.with_name("b.json.damaged-t1")]
    assert swapped == Swapped(", ".join(map(str, asides)), LONG_AGO + len("sub/b.json"))
    assert [path.read_bytes() for path in asides] == [b"olda.json", b"oldsub/b.json"]
    assert stat.S_IMODE(first.stat().st_mode) == 0o640
    assert stat.S_IMODE(third.stat().st_mode) == stat.S_IMODE(third.parent.stat().st_mode) & 0o666
    assert inplace.swap(base, "t1") == swapped
    assert inplace.put_in_place(base, first, first.stat().st_ino)
    assert not inplace.put_in_place(base, first, asides[0].stat().st_ino)


def test_a_swap_that_dies_at_any_call_is_brought_to_its_end(targets: dict[Path, Path], tmp_path: Path) -> None:
    base = tmp_path / "data" / "all"
    for step in itertools.count():
        ticket = f"t{step}"
        for number, path in enumerate(targets):
            if number < 2:
                write(path, OLD + path.name.encode())
            else:
                path.unlink(missing_ok=True)
        inplace.prepare(base, ticket, targets)
        died = dies_at(step, lambda ticket=ticket: inplace.swap(base, ticket))  # type: ignore[misc]
        for path in list(targets)[:2]:
            assert path.read_bytes()[:3] in {OLD, NEW}  # there is a whole file at each moment
        swapped = inplace.swap(base, ticket)
        assert [path.read_bytes()[:3] for path in targets] == [NEW] * 3
        kept = swapped.aside.split(", ")
        assert [Path(aside).read_bytes()[:3] for aside in kept] == [OLD] * 2
        assert inplace.swap(base, ticket) == swapped
        if not died:
            break
    assert step > 8


def test_a_preparation_that_dies_at_any_call_is_begun_anew(targets: dict[Path, Path], tmp_path: Path) -> None:
    base = tmp_path / "data" / "all"
    for step in itertools.count():
        died = dies_at(step, lambda: inplace.prepare(base, "t", targets))
        assert [path.read_bytes()[:3] for path in list(targets)[:2]] == [OLD] * 2
        if not died:
            break
    assert step > 15
    inplace.prepare(base, "t", targets)
    inplace.swap(base, "t")
    assert [path.read_bytes()[:3] for path in targets] == [NEW] * 3
    inplace.prepare(base, "u", targets)
    assert [path.name for path in (tmp_path / "data").rglob(".*") if "-t" in path.name] == []


def test_a_file_that_somebody_exchanged_between_two_tries_is_kept_too(tmp_path: Path) -> None:
    target, source = write(tmp_path / "a.json", b"first"), write(tmp_path / "copy.json", NEW)
    inplace.prepare(target, "t", {target: source})
    os.link(target, tmp_path / "a.json.damaged-t")
    target.unlink()
    write(target, b"second")
    swapped = inplace.swap(target, "t")
    assert [Path(aside).read_bytes() for aside in swapped.aside.split(", ")] == [b"first", b"second"]
    assert target.read_bytes() == NEW


def test_what_is_to_be_gone_goes_aside_once(tmp_path: Path) -> None:
    target, log = write(tmp_path / "a.db", OLD), write(tmp_path / "a.db-wal", b"log")
    inplace.prepare(target, "t", {target: write(tmp_path / "copy", NEW)}, gone=(log,))
    swapped = inplace.swap(target, "t")
    assert not log.exists()
    write(log, b"another log")
    assert inplace.swap(target, "t") == swapped
    assert log.read_bytes() == b"another log"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real = write(tmp_path / "disk" / "a.json", OLD)
    link = tmp_path / "a.json"
    link.symlink_to(real)
    inplace.prepare(link, "t", {link: write(tmp_path / "copy", NEW)})
    inplace.swap(link, "t")
    assert link.is_symlink()
    assert real.read_bytes() == NEW


def test_what_was_not_prepared_cannot_be_swapped(tmp_path: Path) -> None:
    with pytest.raises(DataFailed, match="nothing was prepared for 't'; prepare it first"):
        inplace.swap(tmp_path / "a.json", "t")


def test_what_a_swap_put_in_place_is_no_loss_though_there_is_less(tmp_path: Path) -> None:
    path, copy = write(tmp_path / "data" / "ledger.jsonl", lines(10)), tmp_path / "copy"
    memory = tmp_path / "memory"
    quick(asset(path), memory)
    path.unlink()
    assert quick(asset(path), memory).cause == "missing_data"
    write(copy / "ledger.jsonl", lines(8))
    asset(path).prepare(copy, "t")
    assert asset(path).swap("t") == Swapped("")
    health = quick(asset(path), memory)
    assert (health.reason, health.counts["lines"]) == ("", 8)
    assert quick(asset(path), memory).reason == ""


def test_of_many_files_those_that_are_sound_may_stay_as_they_are(tmp_path: Path) -> None:
    folder, copy = tmp_path / "data", tmp_path / "copy"
    for name, now in {"torn.json": b'{"a": 2', "newer.json": b'{"a": 3}', "gone.json": b""}.items():
        write(copy / name, b'{"a": 1}')
        if now:
            write(folder / name, now)
    every = asset(folder, pattern="*.json", room=tmp_path / "memory", sparing=True)
    assert every.prepare(copy, "t") == "1 of 3 files are sound and stay as they are"
    every.swap("t")
    assert {path.name: path.read_bytes() for path in folder.glob("*.json")} == {
        "torn.json": b'{"a": 1}', "newer.json": b'{"a": 3}', "gone.json": b'{"a": 1}',
    }  # fmt: skip
    assert asset(folder, pattern="*.json").prepare(copy, "u") is None
