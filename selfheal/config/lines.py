"""On which line of the file does a key stand?

The standard library's parser gives values without places, so the text is scanned a second time, for places alone.
The text has been parsed before: what this scanner cannot follow it gives up on, keeping what it has found.
"""

from __future__ import annotations

import json
import re
import tomllib
from bisect import bisect_left
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the top of the file, such as `("agents", "api", "checks", 0, "interval")`."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_STRING = re.compile(
    r'''"""(?:[^\\]|\\.)*?"""(?:"{0,2})|"(?:[^"\\]|\\.)*"|\'\'\'.*?\'\'\'(?:'{0,2})|'[^']*\'''', re.DOTALL
)  # up to two quotes may stand right before the three that close
_SCALAR = re.compile(r"[^,\]}#\r\n]+")


def dotted(path: KeyPath) -> str:
    """Write a path as a person does: `agents.api.checks[0].interval`, with quotes where TOML wants them."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False)
            text += f".{name}" if text else name
    return text


def find_lines(text: str) -> dict[KeyPath, int]:
    """Return the 1-based line of every key, table and list element of a TOML text."""
    scanner = _Scanner(text)
    scanner.scan()
    return scanner.lines


def line_of(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """Return the line of `path`, or of the nearest table around it that has one."""
    for end in range(len(path), 0, -1):
        if (line := lines.get(path[:end])) is not None:
            return line
    return None


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._line_ends = [match.start() for match in re.finditer("\n", text)]
        self._sizes: dict[KeyPath, int] = {}  # of the arrays of tables seen so far

    def scan(self) -> None:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            began = self._at
            if self._peek("["):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)
            if self._at == began:
                return

    def _header(self) -> KeyPath:
        line, brackets = self._line(), 2 if self._peek("[[") else 1
        self._at += brackets
        *parents, last = self._keys() or [""]
        path: KeyPath = ()
        for key in parents:
            path = self._newest((*path, key))
            self.lines.setdefault(path, line)
        path = (*path, last)
        if brackets == 1:
            path = self._newest(path)
        else:
            self.lines.setdefault(path, line)
            self._sizes[path] = self._sizes.get(path, 0) + 1
            path = self._newest(path)
        self.lines[path] = line
        self._skip(_SPACE)
        self._at += brackets
        return path

    def _newest(self, path: KeyPath) -> KeyPath:
        """A header below an array of tables speaks of its newest element."""
        return (*path, self._sizes[path] - 1) if path in self._sizes else path

    def _pair(self, table: KeyPath) -> None:
        line, path = self._line(), table
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._skip(_SPACE)
        if path != table and self._peek("="):
            self._at += 1
            self._skip(_SPACE)
            self._value(path)

    def _keys(self) -> list[str]:
        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            match = _KEY.match(self._text, self._at)
            if match is None:
                return keys
            self._at = match.end()
            keys.append(_plain(match[0]))
            self._skip(_SPACE)
            if not self._peek("."):
                return keys
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        if self._peek("["):
            self._elements(path)
        elif self._peek("{"):
            self._inline_table(path)
        elif not self._skip(_STRING):
            self._skip(_SCALAR)

    def _elements(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while not self._closed("]"):
            self.lines[(*path, index)] = self._line()
            began = self._at
            self._value((*path, index))
            self._comma()
            if self._at == began:
                return
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while not self._closed("}"):
            began = self._at
            self._pair(path)
            self._comma()
            if self._at == began:
                return

    def _closed(self, bracket: str) -> bool:
        self._skip(_BLANK)
        if self._peek(bracket):
            self._at += 1
            return True
        return self._at >= len(self._text)

    def _comma(self) -> None:
        self._skip(_BLANK)
        if self._peek(","):
            self._at += 1

    def _peek(self, mark: str) -> bool:
        return self._text.startswith(mark, self._at)

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
        return match is not None

    def _line(self) -> int:
        return bisect_left(self._line_ends, self._at) + 1


def _plain(key: str) -> str:
    """Take the quotes and escapes off a key."""
    if key[0] not in "\"'":
        return key
    try:
        value = tomllib.loads(f"k = {key}")["k"]
    except tomllib.TOMLDecodeError:  # only in a text that is no TOML
        return key
    return value if isinstance(value, str) else key
