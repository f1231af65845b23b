"""The check `file`: is a file there, fresh, of a sensible size, and does it say what it should?

A pattern stands for the newest file that it matches, and for how many there are.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from selfheal.clock import Clock
from selfheal.config.models import CheckConfig
from selfheal.config.texts import Text, holds
from selfheal.config.units import Count, Duration, Size
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.observe.patience import Patience
from selfheal.observe.wording import Unwell, size_text, span_text

_TAIL_BYTES = 64 * 1024
_SHOWN_DIGITS = 12  # of a checksum in a reason: enough to tell two apart


def _digest(text: str) -> str:
    if re.fullmatch(r"[0-9a-fA-F]{64}", text) is None:
        raise ValueError("it is not a SHA-256; write its 64 hexadecimal digits, as sha256sum prints them")
    return text.lower()


class FileCheckConfig(CheckConfig):
    """A file that the agent keeps."""

    # A text, since the configuration moves what is a Path to the folder of its file, and this starts at the agent's.
    file: str = Field(min_length=1, description="Path or pattern, from the agent's directory.")
    max_age: Duration | None = Field(None, gt=0, description="Written to within this time.")
    min_size: Size | None = Field(None, description="At least this large.")
    max_size: Size | None = Field(None, description="At most this large.")
    contains: Text | None = Field(None, description="Text within its last 64 KiB, or /a regular expression/.")
    sha256: Annotated[str, AfterValidator(_digest)] | None = Field(None, description="Checksum of the whole file.")
    min_count: Annotated[Count, Field(ge=0)] | None = Field(
        None, description="Of a pattern: at least so many match. Default: 1, with max_count = 0 none."
    )
    max_count: Annotated[Count, Field(ge=0)] | None = Field(None, description="Of a pattern: at most so many match.")

    @property
    def is_pattern(self) -> bool:
        """Whether `file` stands for all that matches it."""
        return glob.has_magic(self.file)

    @property
    def least(self) -> int:
        """How many have to match a pattern."""
        return min(1, 1 if self.max_count is None else self.max_count) if self.min_count is None else self.min_count

    @model_validator(mode="after")
    def _some_count_is_right(self) -> FileCheckConfig:
        if not self.is_pattern and (self.min_count is not None or self.max_count is not None):
            raise ValueError(
                "min_count and max_count need a pattern; write one such as 'backups/*.gz', or take them out"
            )
        if self.max_count is not None and self.least > self.max_count:
            raise ValueError("min_count is larger than max_count, so no number is right; exchange them")
        return self

    @model_validator(mode="after")
    def _some_size_is_right(self) -> FileCheckConfig:
        if self.min_size is not None and self.max_size is not None and self.min_size > self.max_size:
            raise ValueError("min_size is larger than max_size, so no file is right; exchange them")
        return self


class Checksum:
    """The SHA-256 of a file, read anew only where another file is there or it was written to."""

    def __init__(self) -> None:
        self._known: tuple[tuple[int, ...], str] = ((), "")

    def of(self, path: Path, found: os.stat_result) -> str:
        """Blocking. `found` is what stat() said of the file."""
        version = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if self._known[0] != version:
            with path.open("rb") as file:
                self._known = version, hashlib.file_digest(file, "sha256").hexdigest()
        return self._known[1]


@dataclass(frozen=True, slots=True)
class FileCheck:
    """Signals: `age` since it was last written to in seconds, `size` in bytes, and of a pattern `count`."""

    directory: Path
    wanted: FileCheckConfig
    clock: Clock
    patience: Patience
    checksum: Checksum

    @property
    def path(self) -> Path:
        return self.directory / self.wanted.file

    async def run(self) -> Mapping[str, float]:
        return await self.patience.of(self._look_among if self.wanted.is_pattern else self._look, repr(str(self.path)))

    def _look(self) -> Mapping[str, float]:
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError) as why:
            raise CheckFailed(f"{str(self.path)!r} does not exist", cause="stale") from why
        return self._judge(self.path, found, {})

    def _look_among(self) -> Mapping[str, float]:
        count, newest = self._matches()
        signals, wanted = {"count": float(count)}, self.wanted
        if count < wanted.least:
            why = f"{str(self.path)!r} matches {count or 'nothing'}, expected at least {wanted.least}"
            raise Unwell(why, signals, "stale")
        if wanted.max_count is not None and count > wanted.max_count:
            why = f"{str(self.path)!r} matches {count}, expected at most {wanted.max_count}"
            raise Unwell(why, signals, "wrong_answer")
        return signals if newest is None else self._judge(*newest, signals)

    def _matches(self) -> tuple[int, tuple[Path, os.stat_result] | None]:
        """How many match, and the one that was written to last. One that goes away meanwhile does not count."""
        count, newest = 0, None
        for name in glob.iglob(self.wanted.file, root_dir=self.directory):  # noqa: PTH207 - which takes no absolute one
            path = self.directory / name
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            count += 1
            if newest is None or found.st_mtime_ns > newest[1].st_mtime_ns:
                newest = path, found
        return count, newest

    def _judge(self, path: Path, found: os.stat_result, signals: dict[str, float]) -> Mapping[str, float]:
        age_s = max(0.0, self.clock.now() - self.clock.of_file(found.st_mtime))
        signals |= {"age": age_s, "size": float(found.st_size)}
        old = self._judge_age(age_s)
        if old is not None:
            raise Unwell(f"{str(path)!r} {old}", signals, "stale")
        wrong = self._judge_size(found) or self._judge_content(path, found)
        if wrong is not None:
            raise Unwell(f"{str(path)!r} {wrong}", signals, "wrong_answer")
        return signals

    def _judge_age(self, age_s: float) -> str | None:
        longest = self.wanted.max_age
        if longest is None or age_s <= longest:
            return None
        return f"was last written {span_text(age_s)} ago, expected within {span_text(longest)}"

    def _judge_size(self, found: os.stat_result) -> str | None:
        wanted = self.wanted
        if wanted.min_size is not None and found.st_size < wanted.min_size:
            return f"has {size_text(found.st_size)}, expected at least {size_text(wanted.min_size)}"
        if wanted.max_size is not None and found.st_size > wanted.max_size:
            return f"has {size_text(found.st_size)}, expected at most {size_text(wanted.max_size)}"
        return None

    def _judge_content(self, path: Path, found: os.stat_result) -> str | None:
        wanted = self.wanted
        if wanted.contains is None and wanted.sha256 is None:
            return None
        if not stat.S_ISREG(found.st_mode):  # to open a pipe would wait for its writer
            return "is not a regular file, so there is nothing to read"
        if wanted.contains is not None and not holds(wanted.contains, _tail(path)):
            return f"does not contain {wanted.contains!r} in its last {_TAIL_BYTES // 1024} KiB"
        if wanted.sha256 is not None and (digest := self.checksum.of(path, found)) != wanted.sha256:
            return f"has the checksum {digest[:_SHOWN_DIGITS]}…, expected {wanted.sha256[:_SHOWN_DIGITS]}…"
        return None


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        return file.read(_TAIL_BYTES).decode(errors="replace")


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, FileCheckConfig)
    return FileCheck(context.directory, config, context.clock, Patience(), Checksum())


FILE = CheckKind(name="file", model=FileCheckConfig, build=_build, signals=("age", "size", "count"))
