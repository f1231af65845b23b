"""Is this text JSON, and if it is not, what in it is?

What Python's own writer gives is taken (NaN, a lone surrogate, keys that stand twice): it can be read, so it is no
damage. Nothing is ever made up: of a damaged text only what is whole by itself counts, an object or a list. One that
ends where a line ends, or begins where it begins, cannot have been a part of something else on that line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import msgspec

BOM = b"\xef\xbb\xbf"
_SPACE = " \t\r\n"
_CONTAINER = (b"{", b"[")
# Without its values: twice as fast, and memory for none of them.
_SKIM: Callable[[bytes], object] = msgspec.json.Decoder(msgspec.Raw).decode
_TOKEN = re.compile(
    r"[ \t\r\n]*+(?:(?P<mark>[{}\[\],:])"
    r'|(?P<text>"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+")'
    r"|(?P<plain>(?:-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null|NaN|-?Infinity)\b))"
)


def fault(text: bytes) -> str:
    """Say in a few words why `text` is no JSON document; empty where it is one."""
    if b"\0" in text:
        return "NUL bytes"
    try:
        words = text.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    try:
        _SKIM(text)
    except (msgspec.MsgspecError, RecursionError):
        return _fault_in(words)
    return ""


def all_sound(lines: list[bytes], text: bytes) -> bool:
    """Whether each of these lines, of which `text` consists, is a document. The quick way for the usual case."""
    try:
        text.decode()
        for line in lines:
            _SKIM(line)
    except (UnicodeDecodeError, msgspec.MsgspecError, RecursionError):
        return False
    return b"\0" not in text


def value_of(text: bytes) -> object:
    """Return what a sound document holds. Raises ValueError where it is nested too deeply to be held."""
    try:
        return json.loads(text.decode())
    except RecursionError as why:
        raise ValueError("nested too deeply") from why


def items_of(text: bytes) -> int:
    """Count the items at the top of a sound document; what is no list and no object counts as one."""
    try:
        found: object = msgspec.json.decode(text, type=list[msgspec.Raw] | dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        try:
            found = json.loads(text.decode())
        except RecursionError:
            return 1
    return len(found) if isinstance(found, list | dict) else 1


def whole(text: bytes) -> bool:
    """Whether this is a sound object or list: nothing that was cut off can look like one."""
    return text.lstrip().startswith(_CONTAINER) and not fault(text)


def parts(line: bytes) -> list[bytes]:
    """Return what can be saved of a damaged line: whole objects and lists, in order; nothing where there is doubt."""
    if b"\0" in line:
        first, *_, last = re.split(rb"\0+", line)  # what stands between two gaps may be a part of something
        return [part for side in (first, last) for part in ([side] if whole(side) else _unglued(side))]
    return _unglued(line)


def first_document(text: bytes) -> bytes:
    """Return the object or list with which `text` begins, where it is whole; else nothing."""
    sound = text[: _sound_prefix(text)].decode()
    begin = len(sound) - len(sound.lstrip(_SPACE))
    if not sound[begin:].startswith(("{", "[")):
        return b""
    try:
        return sound[: _end(sound, begin)].encode()
    except ValueError:
        return b""


def _unglued(line: bytes) -> list[bytes]:
    """Take a line apart that has lost the newlines between its documents; all of them have to be whole."""
    found = []
    while line.strip():
        part = first_document(line)
        if not part:
            return []
        found.append(part.strip())
        line = line[len(part) :]
    return found


def _sound_prefix(text: bytes) -> int:
    try:
        text.decode()
    except UnicodeDecodeError as why:
        return why.start
    return len(text)


def _fault_in(words: str) -> str:
    try:
        json.loads(words)
    except RecursionError:
        return _fault_in_depth(words)
    except json.JSONDecodeError as why:
        return "cut short" if why.pos >= len(words.rstrip()) or "Unterminated" in why.msg else "no JSON"
    return ""


def _fault_in_depth(words: str) -> str:
    try:
        end = _walk(words, 0)
    except ValueError as why:
        return str(why)
    return "no JSON" if words[end:].strip(_SPACE) else ""


def _end(words: str, begin: int) -> int:
    """Where the document that begins at `begin` ends. Raises ValueError where it is not whole."""
    try:
        return json.JSONDecoder().raw_decode(words, begin)[1]
    except RecursionError:
        return _walk(words, begin)


def _walk(words: str, at: int) -> int:
    """As `_end`, for what is nested deeper than a reader of JSON goes."""
    closing: list[str] = []
    wanted = "value"
    while True:
        token = _TOKEN.match(words, at)
        if token is None:
            raise ValueError("no JSON" if words[at:].strip(_SPACE) else "cut short")
        at = token.end()
        wanted = _next(wanted, token, closing)
        if wanted == "end":
            return at


def _next(wanted: str, token: re.Match[str], closing: list[str]) -> str:
    """What has to follow after this token, where it is one that may stand here. `closing` is what is open."""
    mark = token["mark"]
    match wanted, mark:
        case ("value" | "item", "{"):
            closing.append("}")
            return "key or end"
        case ("value" | "item", "["):
            closing.append("]")
            return "item"
        case ("item", "]") | ("key or end", "}"):
            closing.pop()
        case ("comma", "}" | "]") if closing[-1] == mark:
            closing.pop()
        case ("comma", ","):
            return "key" if closing[-1] == "}" else "value"
        case ("colon", ":"):
            return "value"
        case ("key" | "key or end", None) if token["text"]:
            return "colon"
        case ("value" | "item", None):
            pass
        case _:
            raise ValueError("no JSON")
    return "comma" if closing else "end"
