"""The check `file`: is a file there, fresh, of a sensible size, and does it say what it should?"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, model_validator

from selfheal.clock import Clock
from selfheal.config.models import CheckConfig
from selfheal.config.texts import Text, holds
from selfheal.config.units import Duration, Size
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.observe.wording import Unwell, size_text, span_text

_TAIL_BYTES = 64 * 1024


class FileCheckConfig(CheckConfig):
    """A file that the agent keeps."""

    # A text, since the configuration moves what is a Path to the folder of its file, and this starts at the agent's.
    file: str = Field(min_length=1, description="Path, from the agent's directory.")
    max_age: Duration | None = Field(None, gt=0, description="Written to within this time.")
    min_size: Size | None = Field(None, description="At least this large.")
    max_size: Size | None = Field(None, description="At most this large.")
    contains: Text | None = Field(None, description="Text within its last 64 KiB, or /a regular expression/.")

    @model_validator(mode="after")
    def _some_size_is_right(self) -> FileCheckConfig:
        if self.min_size is not None and self.max_size is not None and self.min_size > self.max_size:
            raise ValueError("min_size is larger than max_size, so no file is right; exchange them")
        return self


@dataclass(frozen=True, slots=True)
class FileCheck:
    """Signals: `age` since it was last written to in seconds, and `size` in bytes."""

    path: Path
    wanted: FileCheckConfig
    clock: Clock

    async def run(self) -> Mapping[str, float]:
        # In a thread: a network file system may let even stat() wait for minutes.
        try:
            return await asyncio.to_thread(self._look)
        except (FileNotFoundError, NotADirectoryError) as why:
            raise CheckFailed(f"{str(self.path)!r} does not exist", cause="stale") from why

    def _look(self) -> Mapping[str, float]:
        found = self.path.stat()
        age_s = max(0.0, self.clock.now() - self.clock.of_file(found.st_mtime))
        signals = {"age": age_s, "size": float(found.st_size)}
        old = self._judge_age(age_s)
        if old is not None:
            raise Unwell(f"{str(self.path)!r} {old}", signals, "stale")
        wrong = self._judge_size(found) or self._judge_content(found)
        if wrong is not None:
            raise Unwell(f"{str(self.path)!r} {wrong}", signals, "wrong_answer")
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

    def _judge_content(self, found: os.stat_result) -> str | None:
        if self.wanted.contains is None:
            return None
        if not stat.S_ISREG(found.st_mode):  # to open a pipe would wait for its writer
            return "is not a regular file, so there is nothing to read"
        if not holds(self.wanted.contains, self._tail()):
            return f"does not contain {self.wanted.contains!r} in its last {_TAIL_BYTES // 1024} KiB"
        return None

    def _tail(self) -> str:
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            return file.read(_TAIL_BYTES).decode(errors="replace")


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, FileCheckConfig)
    return FileCheck(context.directory / config.file, config, context.clock)


FILE = CheckKind(name="file", model=FileCheckConfig, build=_build, signals=("age", "size"))
