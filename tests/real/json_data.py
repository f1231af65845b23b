"""Files of JSON to damage, and the asset that they are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from selfheal.data.asset import Health
from selfheal.data.jsondata import JsonAsset

LONG_AGO = 1_700_000_000


def record(number: int) -> dict[str, object]:
    return {"id": number, "name": f"record {number}", "paid": number % 3 == 0, "amounts": [number, number / 4]}


def lines(count: int, first: int = 0) -> bytes:
    return b"".join(json.dumps(record(number)).encode() + b"\n" for number in range(first, first + count))


def write(path: Path, data: bytes, at: float = LONG_AGO) -> Path:
    """Write a file that nobody has touched since `at`. The old content is written over: the inode stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("r+b" if path.exists() else "wb") as file:
        file.truncate(0)
        file.write(data)
    os.utime(path, (at, at))
    return path


def add(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def damage(path: Path, offset: int, data: bytes) -> None:
    """Change bytes behind everybody's back: the times of the file stay as they are."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def asset(path: Path, **options: object) -> JsonAsset:
    return JsonAsset(agent="ledger", path=path, **options)  # type: ignore[arg-type] # whatever a test wants


def quick(asset: JsonAsset, memory: Path) -> Health:
    return asset.examine(memory, thorough=False)


def thorough(asset: JsonAsset, memory: Path) -> Health:
    return asset.examine(memory, thorough=True)


def numbers(path: Path) -> list[int]:
    """The ids of the records in a healed file, each line of which has to be one."""
    return [json.loads(line)["id"] for line in path.read_bytes().splitlines()]


def kept_aside(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.damaged-*"))


def are_records(ids: Iterable[int], content: bytes) -> bool:
    """Whether these are whole records that were in `content`, as they were."""
    whole = {json.loads(line)["id"] for line in content.splitlines()}
    return set(ids) <= whole
