"""The check `icmp`: does a host answer to echo requests, as to `ping`?

Linux lets programs without privileges send them on a socket of its own kind, to the groups that
net.ipv4.ping_group_range names; a raw socket is what root has in its place.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from selfheal.clock import Clock
from selfheal.config.address import Endpoint
from selfheal.config.models import CheckConfig
from selfheal.config.units import Count, Duration, Host, Number
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.net import Dialer
from selfheal.net.awaiting import ready
from selfheal.net.names import Place, socket_address
from selfheal.net.poller import READ, Poller
from selfheal.observe.deadline import Deadline
from selfheal.observe.dial import in_words, resolve
from selfheal.observe.wording import Unwell, span_text

_HEADER = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence number (RFC 792, RFC 4443)
_REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}
_PROTOCOL = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
_TOKEN_BYTES = 32  # by which we know our own replies, whoever else asks the same host
_MAX_PACKET_BYTES = 2048
# All requests share this much of the timeout: what got lost can only be counted before the scheduler cuts in.
_SHARE = 0.9
# A reply that is missed by an eye that opens this much too late is nobody's fault, as the scheduler has it.
_OWN_LAG_S = 0.25


class IcmpCheckConfig(CheckConfig):
    """Echo requests to a host, one after the other."""

    icmp: Host = Field(description="Name or IP address of the host.")
    count: Annotated[Count, Field(ge=1, le=100)] = Field(1, description="How many requests.")
    max_loss: Annotated[Number, Field(ge=0, lt=1)] = Field(0.0, description="This share of them may get lost.")
    max_rtt: Duration | None = Field(None, gt=0, description="The replies take no longer than this on average.")

    def endpoint(self) -> Endpoint | None:
        return self.icmp, 0  # there are no ports


@dataclass(frozen=True, slots=True)
class IcmpCheck:
    """Signals: `latency`, the mean round trip in seconds where anything came back, and `loss` as a share."""

    wanted: IcmpCheckConfig
    dialer: Dialer
    clock: Clock

    async def run(self) -> Mapping[str, float]:
        place = (await resolve(self.dialer.names, self.wanted.icmp))[0]
        trips = await self._trips(place)
        signals = {"loss": 1 - len(trips) / self.wanted.count}
        if trips:
            signals["latency"] = sum(trips) / len(trips)
        self._judge(signals)
        return signals

    def _judge(self, signals: dict[str, float]) -> None:
        wanted, loss, mean_s = self.wanted, signals["loss"], signals.get("latency")
        if mean_s is None:
            raise Unwell(f"no reply to {_requests(wanted.count)}", signals, "unreachable", silent=True)
        if loss > wanted.max_loss:
            lost = round(loss * wanted.count)
            reason = f"{lost} of {_requests(wanted.count)} got lost, expected at most {wanted.max_loss:.0%}"
            raise Unwell(reason, signals, "unreachable")
        if wanted.max_rtt is not None and mean_s > wanted.max_rtt:
            reason = f"replies took {span_text(mean_s)}, expected at most {span_text(wanted.max_rtt)}"
            raise Unwell(reason, signals, "slow")

    async def _trips(self, place: Place) -> Sequence[float]:
        """How long each of the requests took that were answered."""
        limit_s = self.wanted.timeout * _SHARE / self.wanted.count
        with _open(place[0]) as sock:
            try:
                sock.connect(socket_address(place, 0))  # waits for nothing; and nobody else's packets are heard
                trips = [await self._trip(sock, number, limit_s) for number in range(self.wanted.count)]
            except OSError as why:
                raise in_words(why) from why
        return [trip for trip in trips if trip is not None]

    async def _trip(self, sock: socket.socket, number: int, limit_s: float) -> float | None:
        """How long one request took, None where no reply came in time."""
        token = os.urandom(_TOKEN_BYTES)
        deadline = Deadline(limit_s)
        began = self.clock.monotonic()
        try:
            async with deadline:
                sock.send(_request(sock.family, number, token))
                await _reply(self.dialer.poller, sock, number, token)
        except TimeoutError:
            if deadline.lag_s > _OWN_LAG_S:
                late = f"no reply in time, but selfheal itself was {deadline.lag_s:.2g} s late to look"
                raise CheckFailed(late, "inconclusive") from None
            return None
        return self.clock.monotonic() - began


def _open(family: int) -> socket.socket:
    """A socket that can send echo requests. Raises CheckFailed where this process may have none."""
    protocol = _PROTOCOL[socket.AddressFamily(family)]
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            sock = socket.socket(family, kind, protocol)
        except PermissionError:
            continue
        sock.setblocking(False)
        return sock
    raise CheckFailed(
        "selfheal may not send echo requests; let its group do so with net.ipv4.ping_group_range (sysctl), "
        "or give it CAP_NET_RAW",
        "error",
    )


def _request(family: int, number: int, token: bytes) -> bytes:
    """An echo request. The kernel fills in the identifier of a datagram socket, and all checksums of ICMPv6."""
    kind = _REQUEST[socket.AddressFamily(family)]
    identifier = int.from_bytes(token[:2], "big")
    blank = _HEADER.pack(kind, 0, 0, identifier, number) + token
    return _HEADER.pack(kind, 0, _checksum(blank), identifier, number) + token


async def _reply(poller: Poller, sock: socket.socket, number: int, token: bytes) -> None:
    """Return once the reply to this request is there. A raw socket also hears what is not for us."""
    raw_v4 = sock.type == socket.SOCK_RAW and sock.family == socket.AF_INET
    while True:
        await ready(poller, sock.fileno(), READ)
        packet = sock.recv(_MAX_PACKET_BYTES)
        if raw_v4 and packet:
            packet = packet[4 * (packet[0] & 0x0F) :]  # behind the header of IP
        if len(packet) < _HEADER.size or not packet.endswith(token):
            continue
        kind, _, _, _, echoed = _HEADER.unpack_from(packet)
        if kind == _REPLY[sock.family] and echoed == number:
            return


def _checksum(packet: bytes) -> int:
    """The Internet checksum of a packet of even length (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def _requests(count: int) -> str:
    return "one echo request" if count == 1 else f"{count} echo requests"


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, IcmpCheckConfig)
    return IcmpCheck(config, context.dialer, context.clock)


ICMP = CheckKind(name="icmp", model=IcmpCheckConfig, build=_build, signals=("latency", "loss"))
