"""What does a gRPC server say of its health?

The standard protocol (https://github.com/grpc/grpc/blob/master/doc/health-checking.md), one unary call over HTTP/2:

    message HealthCheckRequest  { string service = 1; }
    message HealthCheckResponse { ServingStatus status = 1; }  // UNKNOWN 0, SERVING 1, NOT_SERVING 2, SERVICE_UNKNOWN 3

These two messages are written and read here by hand, and h2 speaks HTTP/2: gRPC's own library would cost the daemon
9 MB and threads of its own. How a call looks in HTTP/2: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from selfheal.errors import CheckFailed
from selfheal.net import Dialer
from selfheal.observe.wire import Wire, connected
from selfheal.observe.wording import excerpt, with_words

if TYPE_CHECKING:
    from h2.connection import H2Connection
    from h2.events import Event

MAX_ANSWER_BYTES = 64 * 1024  # everything that the server says; an answer is a few hundred bytes
SERVING = 1
STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")

# https://github.com/grpc/grpc/blob/master/doc/statuscodes.md
_CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
_CAUSES = {
    "PERMISSION_DENIED": "bad_configuration",
    "UNAUTHENTICATED": "credential_expired",
    "UNAVAILABLE": "unreachable",
}
_PATH = "/grpc.health.v1.Health/Check"
_STREAM = 1  # the first that a client may open
_MAX_TIMEOUT_MS = 99_999_999  # eight digits are allowed
_PREFIX_BYTES = 5  # compressed or not, and four bytes of length
_STATUS_TAG = 1 << 3 | 0  # field 1, a number
_SERVICE_TAG = 1 << 3 | 2  # field 1, bytes after their length
_SETTINGS = b"\x04"  # the fourth byte of a frame is its type
_MAX_VARINT_BYTES = 10

_Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Question:
    """Whom to ask about which service; the empty one stands for the server as a whole. `timeout_s` is told to it."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    service: str
    metadata: tuple[tuple[str, str], ...] = field(repr=False)
    timeout_s: float

    def headers(self) -> list[tuple[str, str]]:
        """The head of the call."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return [
            (":method", "POST"),
            (":scheme", "http" if self.tls is None else "https"),
            (":path", _PATH),
            (":authority", f"{host}:{self.port}"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "selfheal"),
            ("grpc-timeout", f"{min(_MAX_TIMEOUT_MS, max(1, round(self.timeout_s * 1000)))}m"),
            *self.metadata,
        ]


async def health(question: Question, dialer: Dialer) -> int:
    """The ServingStatus as a number, which may be none of STATUSES. Raises CheckFailed where there is none."""
    async with connected(dialer, question.host, question.port, question.tls) as wire:
        call = _Call(wire)
        await call.begin(question.headers(), framed(encoded(question.service)))
        while not call.ended:
            await call.listen()
        return _status_in(call)


def encoded(service: str) -> bytes:
    """A HealthCheckRequest. A field that has its default is left out."""
    name = service.encode()
    return b"" if not name else bytes((_SERVICE_TAG,)) + _varint(len(name)) + name


def decoded(message: bytes) -> int:
    """The status of a HealthCheckResponse; fields that a later version may add are passed over. Raises ValueError."""
    status, at = 0, 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        value, at = _read_field(message, at, tag & 7)
        if tag == _STATUS_TAG:
            status = value
    return status


def framed(message: bytes) -> bytes:
    """A message as it stands in the body of a call: not compressed, and its length."""
    return b"\0" + len(message).to_bytes(4, "big") + message


class _Call:
    """One call on a connection of its own, and what came back of it.

    h2 keeps a frame of up to 16 MiB before it says that it is too long; here all frames together are shorter.
    """

    def __init__(self, wire: Wire) -> None:
        from h2.config import H2Configuration
        from h2.connection import H2Connection

        self.head: Mapping[str, str] = {}
        self.trailers: Mapping[str, str] = {}
        self.body = b""
        self.ended = False
        self._heard_bytes = 0
        self._wire = wire
        self._h2: H2Connection = H2Connection(H2Configuration(client_side=True))

    async def begin(self, headers: list[tuple[str, str]], body: bytes) -> None:
        self._h2.initiate_connection()
        self._h2.send_headers(_STREAM, headers)
        self._h2.send_data(_STREAM, body, end_stream=True)
        await self._wire.send(self._h2.data_to_send())

    async def listen(self) -> None:
        """Take in what comes next, and answer what HTTP/2 itself wants answered."""
        from h2.exceptions import ProtocolError

        data = await self._wire.some()
        self._heard_bytes += len(data)
        if self._is_foreign():
            raise CheckFailed(f"not an HTTP/2 answer: it begins with {self._wire.greeting!r}", cause="wrong_answer")
        if not data:
            raise self._wire.cut_short()
        if self._heard_bytes > MAX_ANSWER_BYTES:
            raise CheckFailed(f"an answer of more than {MAX_ANSWER_BYTES // 1024} KiB", cause="wrong_answer")
        try:
            events = self._h2.receive_data(data)
        except (ProtocolError, UnicodeDecodeError) as why:
            raise CheckFailed(f"a broken HTTP/2 answer: {excerpt(str(why))}", cause="wrong_answer") from why
        for event in events:
            self._note(event)
        if answer := self._h2.data_to_send():
            await self._wire.send(answer)

    def _note(self, event: Event) -> None:
        from h2 import events

        match event:
            case events.ResponseReceived(headers=headers):
                self.head = _plain(headers or ())
            case events.TrailersReceived(headers=headers):
                self.trailers = _plain(headers or ())
            case events.DataReceived(data=data):
                self.body += data or b""
            case events.StreamEnded():
                self.ended = True
            case events.StreamReset(error_code=code):
                raise CheckFailed(f"the call was reset: {_name(code)}", cause="wrong_answer")
            case events.ConnectionTerminated(error_code=code) if not self.ended:
                raise CheckFailed(f"the server ended the connection: {_name(code)}", cause="unreachable")
            case _:
                pass

    def _is_foreign(self) -> bool:
        """Whether the first frame is no SETTINGS, with which HTTP/2 begins (RFC 9113, 3.4)."""
        return self._wire.first[3:4] not in (b"", _SETTINGS)


def _status_in(call: _Call) -> int:
    """What a call that is over came to. A server may put everything into the head of its answer."""
    if call.head.get(":status") != "200":
        raise CheckFailed(f"HTTP status {call.head.get(':status')}, expected 200", cause="wrong_answer")
    told = {**call.head, **call.trailers}
    if not told.get("content-type", "").startswith("application/grpc"):
        shown = excerpt(told.get("content-type", ""), 40)
        raise CheckFailed(f"content-type is {shown!r}, expected 'application/grpc'", cause="wrong_answer")
    if told.get("grpc-status") != "0":
        raise _refused(told.get("grpc-status", ""), unquote(told.get("grpc-message", "")))
    try:
        return decoded(_unframed(call.body))
    except ValueError as why:
        raise CheckFailed(f"not an answer about health: {why}", cause="wrong_answer") from why


def _refused(code: str, message: str) -> CheckFailed:
    name = _CODES[int(code)] if code.isdecimal() and len(code) <= 2 and int(code) < len(_CODES) else f"{code[:10]!r}"
    if name == "DEADLINE_EXCEEDED":
        return CheckFailed(with_words("it gave up by itself, DEADLINE_EXCEEDED", message), "timeout", "slow")
    words = {"UNIMPLEMENTED": "it has no health service, ", "NOT_FOUND": "it knows no such service, "}.get(name, "")
    return CheckFailed(with_words(f"{words}grpc-status {name}", message), cause=_CAUSES.get(name, "wrong_answer"))


def _unframed(body: bytes) -> bytes:
    if len(body) < _PREFIX_BYTES or len(body) - _PREFIX_BYTES != int.from_bytes(body[1:_PREFIX_BYTES], "big"):
        raise ValueError("its length is wrong")
    if body[0]:
        raise ValueError("it is compressed, which nobody asked for")
    return body[_PREFIX_BYTES:]


def _read_field(message: bytes, at: int, wire: int) -> tuple[int, int]:
    """The value of a field, where it is a number, and where the next begins."""
    match wire:  # https://protobuf.dev/programming-guides/encoding/#structure
        case 0:
            return _read_varint(message, at)
        case 1:
            end = at + 8
        case 2:
            length, at = _read_varint(message, at)
            end = at + length
        case 5:
            end = at + 4
        case _:
            raise ValueError(f"no field has the wire type {wire}")
    if end > len(message):
        raise ValueError("it is cut short")
    return 0, end


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(message[at : at + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, at + count + 1
    raise ValueError("a number has no end")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def _plain(headers: _Headers) -> Mapping[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


def _name(code: object) -> str:
    """An error code of HTTP/2; a number where it has no name."""
    return str(getattr(code, "name", code))
