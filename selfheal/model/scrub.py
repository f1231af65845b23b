"""What of a text may leave this machine?

Pure. Secrets are masked by whoever knows them and by how they look; addresses and names of people become `ip#1`,
`host#2`, `mail#3`, the same for the same one within a question, so that what belongs together can still be seen.
Of a line of a log only the form is left: it is written by whoever can make a program say something.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise
from math import log2

MASK = "***"
LINE_LENGTH = 160
# Shorter than this nothing is told from a word by how it looks.
RANDOM_LENGTH = 20
# A name of a class changes between upper and lower case in every fifth letter, say; a key in every second one.
LETTERS_A_CHANGE = 4
# Bits a character: English has about 3 in so short a text, and then no digits; sixteen digits in random order have 3.5.
RANDOM_BITS = 3.0
# No word has so many consonants in a row.
CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{7}", re.IGNORECASE)

_PEM = re.compile(r"-----BEGIN [^-]{1,60}-----.*?(?:-----END [^-]{1,60}-----|\Z)", re.DOTALL)
_MAIL = re.compile(r"[\w.+%-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:%\w+)?(?![\w:])")
_URL_HOST = re.compile(r"(?<=://)(?:[^\s/?#@\"'<>]*@)?([^\s/?#:@\"'<>\[\]]+)")
_URL_REST = re.compile(r"(?<=://)([^\s/?#\"'<>]+)[/?#][^\s\"'<>]*")
_RUN = re.compile(rf"[A-Za-z0-9+/=_~-]{{{RANDOM_LENGTH},}}")
_JOINED = re.compile(r"[-_/=+~]+")

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_QUOTED = re.compile(r"\"[^\"]{0,400}\"|(?<!\w)'[^']{0,400}'")
_PATH = re.compile(r"(?<![\w:/])(?:~|\.{1,2})?(?:/[\w.@%+~-]+)+/?")
_HEX = re.compile(r"\b(?:0x[0-9a-fA-F]+|(?=[a-f]*\d)[0-9a-f]{7,})\b")
_NUMBER = re.compile(r"(?<![#\w])[-+]?\d+(?:[.,:]\d+)*")


class Scrubber:
    """Takes out of texts what may not leave. `redact` masks the secrets that are known."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self._names: dict[tuple[str, str], str] = {}

    def text(self, text: str) -> str:
        """Return `text` on one line without secrets, addresses and what cannot be seen."""
        text = self._redact(_PEM.sub(MASK, _visible(text)))
        text = _MAIL.sub(lambda found: self._named("mail", found[0]), text)
        text = _URL_HOST.sub(lambda found: self._host(found[1]), text)
        text = _URL_REST.sub(r"\1/…", text)
        text = _IPV6.sub(self._address, _IPV4.sub(self._address, text))
        return _RUN.sub(lambda found: MASK if _is_random(found[0]) else found[0], text)

    def line(self, line: str) -> str:
        """Return the form of a line of a log: what varies in it is only told by its kind."""
        line = _UUID.sub("<id>", self._redact(_PEM.sub(MASK, _visible(line))))
        line = _QUOTED.sub("<text>", line)
        line = self.text(line)
        line = _NUMBER.sub("<n>", _HEX.sub("<id>", _PATH.sub("<path>", line)))
        return line if len(line) <= LINE_LENGTH else line[: LINE_LENGTH - 1] + "…"

    def lines(self, lines: Iterable[str], most: int) -> list[tuple[str, int]]:
        """Return the forms of `lines` with how often each occurs, the most frequent first."""
        counted = Counter(form for form in map(self.line, lines) if form)
        return sorted(counted.items(), key=lambda one: (-one[1], one[0]))[:most]

    def _host(self, host: str) -> str:
        return host if host == "localhost" or _IPV4.fullmatch(host) else self._named("host", host.lower())

    def _address(self, found: re.Match[str]) -> str:
        address = found[0]
        return address if address in ("::", "127.0.0.1", "0.0.0.0", "::1") else self._named("ip", address.lower())  # noqa: S104

    def _named(self, kind: str, value: str) -> str:
        """The name by which `value` goes, the same each time."""
        number = 1 + sum(known == kind for known, _ in self._names)
        return self._names.setdefault((kind, value), f"{kind}#{number}")


def _visible(text: str) -> str:
    """Return `text` on one line, without control characters and all else that is there and cannot be seen."""
    shown = (" " if char in "\t\r\n" else char for char in _COLOUR.sub("", text))
    return " ".join("".join(char for char in shown if not unicodedata.category(char).startswith("C")).split())


def _is_random(run: str) -> bool:
    """Whether a run of characters looks drawn by chance, as keys and digests do; words that are joined do not."""
    parts = [part for part in _JOINED.split(run) if part]
    words = sum(len(part) for part in parts if part.isalpha() and not _is_mixed(part))
    if words * 2 > len(run):
        return any(len(part) >= RANDOM_LENGTH and CONSONANTS.search(part) is not None for part in parts)
    counts = Counter(run).values()
    bits = -sum(count / len(run) * log2(count / len(run)) for count in counts)
    has_both = any(map(str.isdigit, run)) and any(map(str.isalpha, run))
    return bits >= RANDOM_BITS and (has_both or _is_mixed(run))


def _is_mixed(part: str) -> bool:
    changes = sum(one.islower() != other.islower() for one, other in pairwise(part))
    return changes * LETTERS_A_CHANGE >= len(part)
