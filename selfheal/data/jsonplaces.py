"""Which files are meant by a path and a pattern, and which of them hold lines?"""

from __future__ import annotations

from collections.abc import Iterator
from glob import has_magic
from pathlib import Path

import msgspec

from selfheal.data.inplace import is_ours

_OF_LINES = frozenset({".jsonl", ".ndjson"})


class Places(msgspec.Struct, frozen=True):
    """The files of an asset: one, or all that match `pattern` below `folder`. `lines` None goes by the suffix."""

    folder: Path
    pattern: str
    many: bool
    lines: bool | None

    @classmethod
    def of(cls, path: Path, pattern: str, lines: bool | None) -> Places:
        """Take a path apart: a pattern may stand in it, or beside it."""
        if pattern:
            return cls(path, pattern, True, lines)
        parts = path.parts
        fixed = next((at for at, part in enumerate(parts) if has_magic(part)), len(parts))
        if fixed == len(parts) or path.exists():
            return cls(path.parent, path.name, False, lines)
        return cls(Path(*parts[:fixed]), str(Path(*parts[fixed:])), True, lines)

    def files(self) -> list[Path]:
        """What there is, by name; for one file its path, whether it is there or not."""
        if not self.many:
            return [self.folder / self.pattern]
        return sorted(path for path in self._matching() if path.is_file() and not is_ours(path.name))

    def base(self, agent: str) -> Path:
        """The path beside which the plans of a swap lie."""
        return self.folder / (agent if self.many else self.pattern)

    def target(self, copy: Path, file: Path) -> Path:
        """Where a file of a copy belongs."""
        return self.folder / file.relative_to(copy)

    def copied(self, copy: Path, file: Path) -> Path:
        """Where a file goes in a copy."""
        return copy / file.relative_to(self.folder)

    def holds_lines(self, path: Path) -> bool:
        """Whether each line of this file is a document."""
        return path.suffix in _OF_LINES if self.lines is None else self.lines

    def _matching(self) -> Iterator[Path]:
        return self.folder.glob(self.pattern)
