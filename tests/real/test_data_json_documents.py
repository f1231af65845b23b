"""Is damage to a JSON document found, and is one that was written anew no damage?"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from selfheal.errors import DataFailed
from tests.real.json_data import LONG_AGO, asset, damage, quick, record, thorough, write

ITEMS = json.dumps([record(number) for number in range(10)]).encode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "data" / "state.json", ITEMS)


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory"


def test_a_sound_document_is_counted_by_its_items(path: Path, memory: Path) -> None:
    health = quick(asset(path), memory)
    assert (health.reason, health.counts) == ("", {"files": 1, "items": 10})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"\0" * 300, "it cannot be read (NUL bytes)"),
        (ITEMS[:-1], "it cannot be read (cut short)"),
        (ITEMS[:100], "it cannot be read (cut short)"),
        (ITEMS[:100] + b"\0" * 100 + ITEMS[200:], "it cannot be read (NUL bytes)"),
        (ITEMS + b"\0" * 100, "NUL bytes follow its content"),
        (ITEMS + ITEMS, "its content stands there twice"),
        (ITEMS + ITEMS[-7:], "7 bytes follow its content"),
        (ITEMS.replace(b"record", b"r\xe9cord"), "it cannot be read (not UTF-8)"),
    ],
)
def test_damage_is_said(path: Path, memory: Path, data: bytes, reason: str) -> None:
    quick(asset(path), memory)
    write(path, data, LONG_AGO + 1)
    for _ in range(2):
        health = quick(asset(path), memory)
        assert (health.cause, health.reason) == ("corrupted", f"state.json: {reason}")


@pytest.mark.parametrize(
    "data", [b"\xef\xbb\xbf" + ITEMS, ITEMS + b"\r\n", b'{"a": NaN}', b"[" * 9000 + b"]" * 9000, b"1"]
)
def test_what_is_unusual_is_no_damage(path: Path, memory: Path, data: bytes) -> None:
    write(path, data)
    assert quick(asset(path), memory).reason == ""


def test_every_bit_that_flips_behind_the_back_of_a_quiet_document_is_found(path: Path, memory: Path) -> None:
    quick(asset(path), memory)
    chance = random.Random(3)
    for _ in range(60):
        at = chance.randrange(len(ITEMS))
        damage(path, at, bytes([ITEMS[at] ^ 1 << chance.randrange(8)]))
        for look in (quick, thorough):
            assert look(asset(path), memory).cause == "corrupted"
        damage(path, at, ITEMS[at : at + 1])
        assert quick(asset(path), memory).reason == ""


def test_a_large_document_that_nobody_has_touched_is_read_by_thorough_looks(tmp_path: Path, memory: Path) -> None:
    data = json.dumps([record(number) for number in range(20_000)]).encode()
    path = write(tmp_path / "large.json", data)
    assert quick(asset(path), memory).counts["items"] == 20_000
    damage(path, data.index(b"19999"), b"2")
    assert quick(asset(path), memory).reason == ""
    assert thorough(asset(path), memory).reason == "large.json: its content changed, and nobody has written to it"


def test_a_document_that_is_written_anew_is_no_damage(path: Path, memory: Path) -> None:
    for count in (10, 3, 0, 12):
        write(path, json.dumps([record(number) for number in range(count)]).encode(), LONG_AGO + count)
        assert quick(asset(path), memory).counts["items"] == count


def test_items_that_are_gone_are_missed_where_that_is_asked_for(path: Path, memory: Path) -> None:
    guarded = asset(path, max_drop=0.3)
    assert quick(guarded, memory).reason == ""
    write(path, json.dumps([record(number) for number in range(6)]).encode())
    for _ in range(2):
        health = quick(guarded, memory)
        assert (health.cause, health.reason) == ("missing_data", "state.json: 6 items are left of 10")


def test_a_document_has_to_be_of_the_form_that_is_asked_for(path: Path, memory: Path, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "array", "items": {"required": ["id", "name"]}}', encoding="utf-8")
    assert quick(asset(path, schema=schema), memory).reason == ""
    write(path, b'[{"id": 1}]')
    health = quick(asset(path, schema=schema), memory)
    assert (health.cause, health.reason) == ("schema_broken", "state.json is not as it should be: 0.name is missing")


def test_a_schema_that_cannot_be_used_is_no_damage(path: Path, memory: Path, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"oneOf": []}', encoding="utf-8")
    with pytest.raises(DataFailed, match="the keyword 'oneOf' is not known") as caught:
        quick(asset(path, schema=schema), memory)
    assert caught.value.cause == "bad_configuration"


def test_a_document_that_is_too_large_is_no_damage_and_is_said(path: Path, memory: Path) -> None:
    os.truncate(path, 300 << 20)
    with pytest.raises(DataFailed, match=r"it is larger than 256 MiB; write it as lines"):
        quick(asset(path), memory)
