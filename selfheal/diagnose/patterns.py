"""Which lines of a log give a cause away?

The patterns that everybody who runs processes has learned to read. Each names one cause; `weight` is how much a match
counts against the other evidence, in the same unit as `verdict` uses: about the odds against "unknown".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from selfheal.diagnose import safe
from selfheal.events import OWN, Signature
from selfheal.vocabulary import CAUSES

HEAVIEST = 30.0
# Of what a person has written less is looked at: it may be slow on long lines.
REACH = 1_000_000


@dataclass(frozen=True, slots=True)
class Pattern:
    """A sign in the log and the cause that it stands for, looked for in the first `reach` characters of a line."""

    cause: str
    regex: re.Pattern[str]
    weight: float
    id: str = ""
    reach: int = REACH

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
    return Pattern(cause, re.compile("|".join(alternatives), re.IGNORECASE), weight, f"general.{cause}")


PATTERNS: tuple[Pattern, ...] = (
    _sign(
        "port_taken",
        30,
        r"address (is )?already in use",
        r"\bEADDRINUSE\b",
        r"port \d+ is (already )?(in use|taken|allocated)",
        r"errno 98\b",
        r"bind\(?\)? failed.*in use",
        r"connection in use: \(",
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
        r"cannot load such file -- ",
        r"\bClassNotFoundException\b",
        r"could not find or load main class",
        r"error while loading shared libraries",
    ),
    _sign(
        "missing_variable",
        25,
        r"(?-i:KeyError: '[A-Z][A-Z0-9_]{2,}')",
        r"key not found: \"(?-i:[A-Z][A-Z0-9_]{2,})\"",
        r"environment variable (\S+ )?(is )?(not set|missing|required|undefined)",
        r"missing (required )?(environment|env) var",
        r"\b(?-i:[A-Z][A-Z0-9]*_[A-Z0-9_]+) (is not set|must be set|is required)\b",
        r"required key (?-i:[A-Z][A-Z0-9_]+) missing value",
        r"unbound variable",
    ),
    _sign(
        "out_of_memory",
        30,
        r"\b(OutOf)?MemoryError\b",
        r"\bout of memory\b",
        r"cannot allocate memory",
        r"\bENOMEM\b",
        r"oom-?kill",
        r"allowed memory size of \d+ bytes exhausted",
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
        r"\bAccessDeniedException\b",
    ),
    _sign(
        "bad_configuration",
        18,
        r"(invalid|bad|unknown|unrecognized|malformed) (configuration|config|option|setting|directive)",
        r"config(uration)? (file )?(error|is invalid|could not be (read|parsed)|not found)",
        r"error (in|reading|parsing) config",
        r"(unrecognized|unknown) arguments?\b",
        r"flag provided but not defined",
        r"\b(TOML|YAML)DecodeError\b",
        r"yaml\.\w+\.\w*Error",
        r"yaml: line \d+",
        r"\bImproperlyConfigured\b",
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
        r"host not found in upstream",
    ),
)

# The patterns as the knowledge base has them.
SIGNATURES: tuple[Signature, ...] = tuple(
    Signature(one.id, one.cause, (one.pattern,), one.weight / (1.0 + one.weight), CAUSES[one.cause]) for one in PATTERNS
)


# What stands between an error and the end of the log, however deep the program was: the frames of its stack.
_FRAME = re.compile(r"\s+(at |File \"|from |\.\.\. \d+ more|\^+\s*$)|goroutine \d+ |\t|Node\.js v\d|\s*[{}]?\s*$")
# How the runtimes that agents are written for print what ended them: a type that is an error, and what it says.
_RAISED = re.compile(
    r"((Caused by: |Exception in thread \"[^\"]*\" |Uncaught )?[A-Za-z_][\w.$]*(Error|Exception|Exit|Interrupt)"
    r"( \[\w+\])?(:.*)?|panic: .*|fatal error: .*|thread '.*' panicked at .*)$"
    # Or the level at which a program says that it gives up, after the time and the place where its log has them.
    r"|.{0,80}?(\b(FATAL|CRITICAL)\b|\blevel\W{1,3}(fatal|critical)\b)"
)


def telling(lines: Sequence[str]) -> tuple[str, ...]:
    """The lines without the frames of stacks, so that the last few reach back to the error itself."""
    return tuple(line for line in lines if not _FRAME.match(line))


def raised(lines: Sequence[str]) -> str | None:
    """The last line that prints an exception, as a traceback ends with, or gives up; None where there is none."""
    return next((line.strip() for line in reversed(lines) if _RAISED.match(line)), None)


def patterns(known: Iterable[Signature], precisions: Mapping[str, float]) -> tuple[Pattern, ...]:
    """Signatures as patterns that weigh what they are worth by now: the odds that they are right."""
    return tuple(_pattern(one, weight_of(precisions[one.id])) for one in known)


def _pattern(one: Signature, weight: float) -> Pattern:
    regex = re.compile("|".join(f"(?:{each})" for each in one.patterns), re.IGNORECASE)
    return Pattern(one.cause, regex, weight, one.id, safe.REACH if one.source == OWN else REACH)


def weight_of(precision: float) -> float:
    """The odds that a signature is right, which never are so high that nothing else counts."""
    return min(precision / (1.0 - precision), HEAVIEST) if precision < 1.0 else HEAVIEST


def hits(lines: Sequence[str], known: Sequence[Pattern] = PATTERNS) -> tuple[Hit, ...]:
    """Return each pattern that matches some line, with the latest such line, the latest line's pattern first."""
    found: dict[int, tuple[int, Hit]] = {}
    for position, line in enumerate(lines):
        for index, pattern in enumerate(known):
            if pattern.regex.search(line, 0, pattern.reach):
                found[index] = (position, Hit(pattern, line.strip()))
    return tuple(hit for _, hit in sorted(found.values(), key=lambda one: -one[0]))
