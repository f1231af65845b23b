"""Is a file that a living process is writing ever taken for a damaged one?"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from selfheal.errors import DataFailed
from tests.real.json_data import LONG_AGO, add, asset, lines, quick, write

# Each writes for ever, as programs do: what it says on a line is that it has begun.
_BEGIN = "import json, os, sys, itertools\npath = sys.argv[1]\nprint('writing', flush=True)\n"
_RECORD = "json.dumps({'id': n, 'name': 'x' * (n % 700), 'list': list(range(n % 50))})"
WRITERS = {
    "lines in pieces": f"""
with open(path, 'ab', buffering=0) as file:
    for n in itertools.count():
        text = {_RECORD}.encode() + b'\\n'
        for at in range(0, len(text), 40):
            file.write(text[at:at + 40])
""",
    "lines through a buffer": f"""
with open(path, 'a') as file:
    for n in itertools.count():
        file.write({_RECORD} + '\\n')
""",
    "lines that are rotated": f"""
for n in itertools.count():
    with open(path, 'a') as file:
        for m in range(200):
            file.write({_RECORD} + '\\n')
    os.replace(path, path + '.' + str(n))
""",
    "lines that are rotated, and begin a moment later": f"""
import time
for n in itertools.count():
    with open(path, 'a') as file:
        for m in range(200):
            file.write({_RECORD} + '\\n')
    time.sleep(0.05)
    os.replace(path, path + '.' + str(n))
    time.sleep(0.1)
""",
    "lines that are copied and cut": f"""
with open(path, 'ab', buffering=0) as file:
    for n in itertools.count():
        file.write({_RECORD}.encode() + b'\\n')
        if n % 300 == 299:
            with open(path, 'rb') as old, open(path + '.new', 'wb') as new:
                new.write(old.read())
            os.replace(path + '.new', path + '.' + str(n))
            file.truncate(0)
""",
}
DOCUMENTS = {
    "a document by rename": """
for n in itertools.count():
    with open(path + '.tmp', 'w') as file:
        json.dump({'n': n, 'list': list(range(n % 5000))}, file)
    os.replace(path + '.tmp', path)
""",
    "a document in place": """
import time
for n in itertools.count():
    time.sleep(0.002)
    with open(path, 'w') as file:
        json.dump({'n': n, 'list': list(range(n % 5000))}, file)
""",
}
LOOKS = 20


@contextmanager
def writing(path: Path, program: str) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", _BEGIN + program, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "writing\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("how", WRITERS)
def test_lines_that_are_being_written_are_sound(tmp_path: Path, how: str) -> None:
    path = write(tmp_path / "data" / "live.jsonl", b"", time.time())
    with writing(path, WRITERS[how]):
        for _ in range(LOOKS):
            assert quick(asset(path), tmp_path / "memory").reason == ""


@pytest.mark.parametrize("how", DOCUMENTS)
def test_a_document_that_is_being_written_is_sound(tmp_path: Path, how: str) -> None:
    path = write(tmp_path / "data" / "live.json", b"{}", time.time())
    with writing(path, DOCUMENTS[how]):
        for _ in range(LOOKS):
            assert quick(asset(path), tmp_path / "memory").reason == ""


@pytest.mark.parametrize("how", [*WRITERS, *DOCUMENTS])
def test_a_copy_of_what_is_being_written_is_whole(tmp_path: Path, how: str) -> None:
    suffix = "jsonl" if how in WRITERS else "json"
    path = write(tmp_path / "data" / f"live.{suffix}", b"{}\n", time.time())
    with writing(path, (WRITERS | DOCUMENTS)[how]):
        for number in range(5):
            into = tmp_path / f"copy-{number}"
            into.mkdir()
            proof = asset(path).capture(into)
            again = asset(path).prove(into)
            assert (proof.counts, proof.digest) == (again.counts, again.digest)
            assert proof.as_of <= time.time()


PAUSED = """
file = open(path, 'ab', buffering=0)
file.write(b'{"id": 10, "na')
print('paused', flush=True)
sys.stdin.readline()
"""


def test_a_writer_that_pauses_within_a_line_for_an_hour_is_a_writer(tmp_path: Path) -> None:
    path = write(tmp_path / "live.jsonl", lines(10), time.time())
    with writing(path, PAUSED) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "paused\n"
        for _ in range(3):
            health = quick(asset(path), tmp_path / "memory")
            assert (health.reason, health.signals["unfinished"]) == ("", 14)
        with pytest.raises(DataFailed, match="has it open; stop that first"):
            asset(path).mend("truncate_tail")
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert quick(asset(path), tmp_path / "memory").cause == "torn_tail"


def test_what_a_dead_writer_left_is_torn_though_the_next_one_has_the_file_open(tmp_path: Path) -> None:
    path = write(tmp_path / "live.jsonl", lines(10) + b'{"id": 10, "na', time.time() - 10)
    began = "file = open(path, 'ab')\nprint('open', flush=True)\nsys.stdin.readline()\n"
    with writing(path, began) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        assert quick(asset(path), tmp_path / "memory").cause == "torn_tail"
        assert "cut 14 bytes" in asset(path).mend("truncate_tail")
    assert quick(asset(path), tmp_path / "memory").reason == ""


def test_an_unfinished_end_that_was_just_written_is_torn_at_the_second_look_alike(tmp_path: Path) -> None:
    path = write(tmp_path / "live.jsonl", lines(10), time.time())
    add(path, b'{"id": 10')
    assert quick(asset(path), tmp_path / "memory").reason == ""
    assert quick(asset(path), tmp_path / "memory").cause == "torn_tail"
    add(path, b"}\n")
    assert quick(asset(path), tmp_path / "memory").reason == ""
