"""Which lines of a log give a cause away?

The patterns that everybody who runs processes has learned to read. Each names one cause; `weight` is how much a match
counts against the other evidence, in the same unit as `verdict` uses: about the odds against "unknown".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from selfheal.vocabulary import CAUSES


@dataclass(frozen=True, slots=True)
class Pattern:
    """A sign in the log and the cause that it stands for."""

    cause: str
    regex: re.Pattern[str]
    weight: float

    @property
    def pattern(self) -> str:
        return self.regex.pattern

    @property
    def says(self) -> str:
        return CAUSES[self.cause]


@dataclass(frozen=True, slots=True)
class Hit:
    """A pattern that matched, and the latest line that it matched."""

    pattern: Pattern
    line: str


def _sign(cause: str, weight: float, *alternatives: str) -> Pattern:
    return Pattern(cause, re.compile("|".join(alternatives), re.IGNORECASE), weight)


PATTERNS: tuple[Pattern, ...] = (
    _sign(
        "port_taken",
        30,
        r"address (is )?already in use",
        r"\bEADDRINUSE\b",
        r"port \d+ is (already )?(in use|taken|allocated)",
        r"errno 98\b",
        r"bind\(?\)? failed.*in use",
    ),
    _sign(
        "disk_full",
        30,
        r"no space left on device",
        r"\bENOSPC\b",
        r"errno 28\b",
        r"disk (is )?full",
        r"disk quota exceeded",
        r"database or disk is full",
    ),
    _sign(
        "missing_module",
        30,
        r"\bModuleNotFoundError\b",
        r"\bno module named\b",
        r"cannot find (module|package) '",
        r"\bImportError\b",
        r"error while loading shared libraries",
    ),
    _sign(
        "missing_variable",
        25,
        r"(?-i:KeyError: '[A-Z][A-Z0-9_]{2,}')",
        r"environment variable \S+ (is )?(not set|missing|required|undefined)",
        r"missing (required )?(environment|env) var",
        r"\b[A-Z][A-Z0-9_]{3,} (is not set|must be set|is required)\b",
        r"unbound variable",
    ),
    _sign(
        "out_of_memory",
        30,
        r"\bMemoryError\b",
        r"\bout of memory\b",
        r"cannot allocate memory",
        r"\bENOMEM\b",
        r"oom-?kill",
        r"heap out of memory",
        r"std::bad_alloc",
    ),
    _sign("out_of_fds", 30, r"too many open files", r"\bEMFILE\b", r"errno 24\b"),
    _sign(
        "permission",
        22,
        r"permission denied",
        r"\bEACCES\b",
        r"\bEPERM\b",
        r"operation not permitted",
        r"\bPermissionError\b",
        r"errno 13\b",
    ),
    _sign(
        "bad_configuration",
        18,
        r"(invalid|bad|unknown|unrecognized|malformed) (configuration|config|option|setting|directive|argument)",
        r"config(uration)? (file )?(error|is invalid|could not be (read|parsed)|not found)",
        r"error (in|reading|parsing) config",
        r"unrecognized arguments?:",
        r"\b(TOML|YAML|JSON)DecodeError\b",
        r"yaml\.\w+\.\w*Error",
        r"syntax error in .*conf",
    ),
    _sign(
        "dependency_down",
        12,
        r"connection refused",
        r"\bECONNREFUSED\b",
        r"could not connect to",
        r"\bConnectionRefusedError\b",
        r"(server|database|upstream|broker|redis|cache) (is )?(down|unavailable|unreachable|not available)",
        r"errno 111\b",
        r"name or service not known",
        r"temporary failure in name resolution",
        r"\bENOTFOUND\b",
    ),
)


def hits(lines: Sequence[str]) -> tuple[Hit, ...]:
    """Return each pattern that matches some line, with the latest such line, the latest line's pattern first."""
    found: dict[int, tuple[int, Hit]] = {}
    for position, line in enumerate(lines):
        for index, pattern in enumerate(PATTERNS):
            if pattern.regex.search(line):
                found[index] = (position, Hit(pattern, line.strip()))
    return tuple(hit for _, hit in sorted(found.values(), key=lambda one: -one[0]))
