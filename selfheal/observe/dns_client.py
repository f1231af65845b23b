"""What does a resolver answer to a question?

Over UDP, asked again while it is unanswered, and over TCP where the answer does not fit. dnspython puts messages
together and takes them apart; the sockets are ours. Only this kind needs it, and it takes 20 ms and 1.4 MB: whoever
imports this module does so where the first question is.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdtypes.txtbase
import dns.reversename

from selfheal.errors import CheckFailed
from selfheal.net import Dialer
from selfheal.net.awaiting import ready
from selfheal.net.names import socket_address
from selfheal.net.poller import READ
from selfheal.observe.dial import in_words, resolve
from selfheal.observe.wire import connected
from selfheal.observe.wording import excerpt

_AGAIN_S = 1.0  # a datagram may get lost
_MAX_DATAGRAM_BYTES = 65535

Server = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a resolver said: its response code, and the records of the type asked for, as a zone file has them.

    `ttl_s` is the lowest of theirs, and of the aliases that lead to them.
    """

    rcode: str
    records: tuple[str, ...] = ()
    ttl_s: float = 0.0


def check_domain(text: str) -> str:
    """Return `text` where it can be asked for; raises ValueError else."""
    try:
        dns.name.from_text(text)
    except (dns.exception.DNSException, UnicodeError) as why:
        raise ValueError(f"{text!r} is not a domain name; write one such as 'example.org'") from why
    return text


async def ask(dialer: Dialer, name: str, record: str, servers: Sequence[Server]) -> Answer:
    """Ask one server after the other, round and round, until one answers; the caller bounds the time.

    Raises CheckFailed where none of them can be asked.
    """
    question = dns.message.make_query(_name(name, record), record)
    while True:
        failures: list[CheckFailed] = []
        for server in servers:
            try:
                heard = await _ask(dialer, question, server)
            except CheckFailed as why:
                failures.append(why)
                continue
            if heard is not None:
                return _answer(heard)
        if len(failures) == len(servers):
            raise failures[0]


def _name(name: str, record: str) -> dns.name.Name:
    """The name that is asked for; that of an address where a host's name is wanted."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return dns.name.from_text(name)
    return dns.reversename.from_address(name) if record == "PTR" else dns.name.from_text(name)


async def _ask(dialer: Dialer, question: dns.message.Message, server: Server) -> dns.message.Message | None:
    """Ask one server once; None where it is silent."""
    heard = await _datagram(dialer, server, question.to_wire())
    answer = None if heard is None else _read(question, heard)
    if answer is not None and answer.flags & dns.flags.TC:
        return _read(question, await _stream(dialer, server, question.to_wire()))
    return answer


async def _datagram(dialer: Dialer, server: Server, question: bytes) -> bytes | None:
    host, port = server
    place = (await resolve(dialer.names, host))[0]
    with socket.socket(place[0], socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        try:
            sock.connect(socket_address(place, port))  # so that nobody else is heard, and that a refusal is
            sock.send(question)
            async with asyncio.timeout(_AGAIN_S):
                await ready(dialer.poller, sock.fileno(), READ)
            return sock.recv(_MAX_DATAGRAM_BYTES)
        except TimeoutError:
            return None
        except OSError as why:
            raise in_words(why) from why


async def _stream(dialer: Dialer, server: Server, question: bytes) -> bytes:
    """Over TCP two bytes with its length go before each message (RFC 1035, 4.2.2)."""
    async with connected(dialer, *server) as wire:
        await wire.send(len(question).to_bytes(2, "big") + question)
        return await wire.exactly(int.from_bytes(await wire.exactly(2), "big"))


def _read(question: dns.message.Message, heard: bytes) -> dns.message.Message:
    try:
        answer = dns.message.from_wire(heard)
    except (dns.exception.DNSException, ValueError) as why:
        raise CheckFailed(f"not a DNS answer: {excerpt(heard.decode('latin-1'))!r}", cause="wrong_answer") from why
    if not question.is_response(answer):
        raise CheckFailed("it answers another question than was asked", cause="wrong_answer")
    return answer


def _answer(heard: dns.message.Message) -> Answer:
    rcode = dns.rcode.to_text(heard.rcode())
    if rcode != "NOERROR":
        return Answer(rcode)
    try:
        assert isinstance(heard, dns.message.QueryMessage)  # it answers the question
        found = heard.resolve_chaining()
    except dns.exception.DNSException as why:
        raise CheckFailed(f"a broken DNS answer: {why}", cause="wrong_answer") from why
    records = tuple(_text(record) for record in found.answer or ())
    return Answer(rcode, records, float(found.minimum_ttl))


def _text(record: dns.rdata.Rdata) -> str:
    """As a zone file has it, but a text in one piece and without quotes."""
    if isinstance(record, dns.rdtypes.txtbase.TXTBase):
        return b"".join(record.strings).decode(errors="replace")
    return record.to_text()
