"""Does the DNS check ask as it should, and say of every answer what is wrong with it?

Against a real dnsmasq, and against servers that answer what no real one would.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from pydantic import ValidationError

from selfheal.errors import CheckFailed
from selfheal.observe.dns import DNS, system_servers
from tests.real.counterparts import program
from tests.real.daemon_process import free_port
from tests.real.foreground import running
from tests.real.processes import open_files
from tests.real.servers import build, cause, outcome, told, within

NS = "026e7307" + b"example".hex() + "00"  # ns.example. as it goes over the wire
RECORDS = (
    "--host-record=www.example,192.0.2.1,2001:db8::1,300",
    "--host-record=www.example,192.0.2.12,300",
    "--cname=alias.example,www.example,60",
    "--mx-host=example,mail.example,10",
    "--txt-record=example,v=spf1 -all",
    f"--txt-record=long.example,{','.join(letter * 200 for letter in 'abcde')}",
    "--srv-host=_sip._tcp.example,sip.example,5060,1,2",
    "--ptr-record=1.2.0.192.in-addr.arpa,www.example",
    "--caa-record=example,0,issue,ca.example",
    f"--dns-rr=example,2,{NS}",
    f"--dns-rr=example,6,{NS}{NS}{'0000000700000e10000003840001518000000e10'}",
    "--local=/example/",
)


@pytest.fixture(scope="module")
def dnsmasq() -> Iterator[int]:
    """The port of a resolver that knows example, and nobody else to ask."""
    port = free_port()
    argv = (
        program("dnsmasq", "dnsmasq-base"), "--keep-in-foreground", f"--port={port}", "--listen-address=127.0.0.1",
        "--bind-interfaces", "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts", "--log-facility=-",
    )  # fmt: skip
    with running(*argv, *(["--user=root"] if os.geteuid() == 0 else []), *RECORDS, port=port):
        yield port


def seen(port: int, name: str, record: str = "A", **table: object) -> tuple[str, Mapping[str, float]]:
    config = {"dns": name, "record": record, "resolver": f"127.0.0.1:{port}", **table}
    return asyncio.run(outcome(build(DNS, config)))


def test_the_records_of_a_name_are_found_and_counted(dnsmasq: int) -> None:
    reason, signals = seen(dnsmasq, "www.example")
    assert reason == ""
    assert set(signals) == {"latency", "answers", "ttl"}
    assert signals["answers"] == 2
    assert signals["ttl"] == 300
    assert 0 < signals["latency"] < 5


def test_the_lowest_time_to_live_is_that_of_the_alias_too(dnsmasq: int) -> None:
    reason, signals = seen(dnsmasq, "alias.example", expect=["192.0.2.1", "192.0.2.12"])
    assert reason == ""
    assert signals["ttl"] == 60


@pytest.mark.parametrize(
    ("name", "record", "expect"),
    [
        ("www.example", "A", "192.0.2.1"),
        ("www.example.", "AAAA", "2001:db8:0::1"),
        ("alias.example", "CNAME", "/^www\\.example\\.$/"),
        ("example", "MX", "10 mail.example."),
        ("example", "TXT", "/^v=spf1 -all$/"),
        ("long.example", "TXT", f"{'d' * 200}{'e' * 200}"),
        ("example", "NS", "ns.example."),
        ("example", "SOA", "ns.example. ns.example. 7 3600 900 86400 3600"),
        ("_sip._tcp.example", "SRV", "1 2 5060 sip.example."),
        ("192.0.2.1", "PTR", "www.example."),
        ("1.2.0.192.in-addr.arpa", "PTR", "www.example."),
        ("example", "CAA", '0 issue "ca.example"'),
    ],
)
def test_each_type_is_asked_for_and_shown_as_a_zone_file_has_it(
    dnsmasq: int, name: str, record: str, expect: str
) -> None:
    reason, signals = seen(dnsmasq, name, record, expect=expect)
    assert reason == ""
    assert signals["answers"] >= 1


def test_what_is_missing_is_told_with_what_is_there(dnsmasq: int) -> None:
    reason, signals = seen(dnsmasq, "example", "MX", expect=["mail.example", "backup.example"])
    assert reason == "expected 'backup.example' for example MX, got 10 mail.example."
    assert signals["answers"] == 1


def test_an_address_is_expected_as_a_whole(dnsmasq: int) -> None:
    reason, _ = seen(dnsmasq, "www.example", expect="192.0.2")
    assert reason == ""
    reason, _ = seen(dnsmasq, "www.example", expect="192.0.2.2")
    assert reason.startswith("expected '192.0.2.2' for www.example A, got 192.0.2.1")
    assert asyncio.run(cause(build(DNS, {"dns": "a.example", "resolver": f"127.0.0.1:{dnsmasq}"}))) == "wrong_answer"


def test_a_name_without_such_a_record_and_one_that_is_not_there_are_told_apart(dnsmasq: int) -> None:
    assert seen(dnsmasq, "www.example", "MX") == (
        "there is no record for www.example MX",
        {"answers": 0.0, "latency": pytest.approx(0, abs=5)},
    )
    reason, signals = seen(dnsmasq, "gone.example")
    assert reason == "NXDOMAIN (there is no such name) for gone.example A, expected NOERROR"
    assert signals["answers"] == 0
    assert seen(dnsmasq, "elsewhere.test")[0] == (
        "REFUSED (the resolver does not want to say) for elsewhere.test A, expected NOERROR"
    )


def test_that_there_is_no_such_name_may_be_what_is_wanted(dnsmasq: int) -> None:
    assert seen(dnsmasq, "gone.example", rcode="NXDOMAIN")[0] == ""
    assert seen(dnsmasq, "www.example", rcode="NXDOMAIN")[0] == "NOERROR for www.example A, expected NXDOMAIN"


def test_a_resolver_that_is_not_there_is_unreachable() -> None:
    check = build(DNS, {"dns": "www.example", "resolver": f"127.0.0.1:{free_port()}"})
    assert asyncio.run(told(check)) == ("connection refused", {}, "unreachable")


Reply = Callable[[bytes], bytes | None]


@asynccontextmanager
async def resolving(reply: Reply, port: int = 0) -> AsyncIterator[int]:
    """A resolver that answers each question with what it is told to, and with nothing where that is None."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", port))

        def heard() -> None:
            question, asker = sock.recvfrom(65535)
            answer = reply(question)
            if answer is not None:
                sock.sendto(answer, asker)

        asyncio.get_running_loop().add_reader(sock, heard)
        try:
            yield sock.getsockname()[1]
        finally:
            asyncio.get_running_loop().remove_reader(sock)


def answered(reply: Reply, limit_s: float = 5.0) -> str:
    async def story() -> str:
        async with resolving(reply) as port:
            with within() as given:
                check = build(DNS, {"dns": "www.example", "resolver": f"127.0.0.1:{port}"}, given)
                return (await outcome(check, limit_s))[0]

    return asyncio.run(story())


def response(query: bytes, *, flags: int = 0, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> bytes:
    made = dns.message.make_response(dns.message.from_wire(query))
    made.flags |= flags
    made.set_rcode(rcode)
    return made.to_wire()


def test_what_is_no_answer_is_told() -> None:
    assert answered(lambda query: b"hello") == "not a DNS answer: 'hello'"
    assert answered(lambda query: b"") == "not a DNS answer: ''"
    assert answered(lambda query: b"\xff" * 60_000).startswith("not a DNS answer: 'ÿÿÿ")
    assert answered(lambda query: response(query)[:-3]).startswith("not a DNS answer: ")
    assert answered(lambda query: query) == "it answers another question than was asked"
    assert answered(lambda query: bytes(2) + response(query)[2:]) == "it answers another question than was asked"


def test_a_resolver_that_cannot_find_out_is_told() -> None:
    assert answered(lambda query: response(query, rcode=dns.rcode.SERVFAIL)) == (
        "SERVFAIL (the resolver cannot find out) for www.example A, expected NOERROR"
    )


def test_aliases_that_lead_in_a_circle_are_told() -> None:
    def circle(query: bytes) -> bytes:
        made = dns.message.make_response(dns.message.from_wire(query))
        made.answer = [dns.rrset.from_text("www.example.", 60, "IN", "CNAME", "www.example.")]
        return made.to_wire()

    assert answered(circle).startswith("a broken DNS answer: ")


def test_an_answer_that_is_cut_off_is_asked_for_over_tcp() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(2)
        writer.write(b"\xff\xffnot so much")
        writer.close()

    async def story() -> tuple[str, str]:
        tcp = socket.socket()
        tcp.bind(("127.0.0.1", 0))  # the port is ours, and nobody listens at it yet
        async with resolving(lambda query: response(query, flags=dns.flags.TC), tcp.getsockname()[1]) as port:
            check = build(DNS, {"dns": "www.example", "resolver": f"127.0.0.1:{port}"})
            alone = (await outcome(check))[0]
            async with await asyncio.start_server(hang_up, sock=tcp):
                return alone, (await outcome(check))[0]

    alone, hung_up = asyncio.run(story())
    assert alone == "connection refused"
    assert hung_up in ("connection closed in the middle of the answer", "connection reset by the other side")


def test_a_lost_question_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfheal.observe.dns_client._AGAIN_S", 0.05)
    lost: list[bytes] = []

    def second_time(query: bytes) -> bytes | None:
        lost.append(query)
        return response(query, rcode=dns.rcode.NXDOMAIN) if len(lost) == 2 else None

    assert answered(second_time).startswith("NXDOMAIN")
    assert lost[0] == lost[1]


def test_a_silent_resolver_is_left_without_a_trace() -> None:
    before = open_files()
    with pytest.raises(TimeoutError):
        answered(lambda query: None, limit_s=0.05)
    assert open_files() <= before


def test_the_system_s_own_resolver_is_never_the_agent_s_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 127.0.0.1\n")
    monkeypatch.setattr("selfheal.observe.dns._SYSTEM", file)

    async def result(port: int, limit: str) -> tuple[str, str]:
        monkeypatch.setattr("selfheal.observe.dns._PORT", port)
        with pytest.raises(CheckFailed) as caught:
            await build(DNS, {"dns": "www.example", "timeout": limit}).run()
        return caught.value.result, caught.value.reason

    async def of_a_silent_one() -> tuple[str, str]:
        async with resolving(lambda query: None) as port:
            return await result(port, "50ms")

    start = "cannot ask the system's own resolver: "
    assert asyncio.run(result(free_port(), "5s")) == ("error", f"{start}connection refused")
    assert asyncio.run(of_a_silent_one()) == ("error", f"{start}it is silent")


def test_the_system_s_next_resolver_is_asked_where_one_is_not_there(
    dnsmasq: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 127.9.9.9\nnameserver 127.0.0.1\n")
    monkeypatch.setattr("selfheal.observe.dns._SYSTEM", file)
    monkeypatch.setattr("selfheal.observe.dns._PORT", dnsmasq)
    assert asyncio.run(outcome(build(DNS, {"dns": "www.example", "expect": "192.0.2.1"})))[0] == ""
    assert asyncio.run(cause(build(DNS, {"dns": "gone.example"}))) == "dns_failed", "it is the name that is watched"


def test_the_system_s_own_resolvers_are_those_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    assert system_servers(file) == (("127.0.0.1", 53),)
    file.write_text("# nameserver 9.9.9.9\nsearch example\nnameserver 192.0.2.1 # ours\nnameserver\nnameserver ::1\n")
    assert system_servers(file) == (("192.0.2.1", 53), ("::1", 53))


@pytest.mark.parametrize(
    "table",
    [
        {"dns": ""},
        {"dns": "a..b"},
        {"dns": "a" * 64},
        {"dns": "a", "record": "ANY"},
        {"dns": "a", "resolver": "http://a"},
        {"dns": "a", "resolver": "127.0.0.1:99999"},
        {"dns": "a", "expect": "/(/"},
        {"dns": "a", "expect": [""]},
        {"dns": "a", "expect": "1.2.3.4", "rcode": "NXDOMAIN"},
    ],
)
def test_what_cannot_be_asked_is_refused(table: object) -> None:
    with pytest.raises(ValidationError):
        DNS.model.model_validate(table)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("9.9.9.9", "9.9.9.9:53"), ("::1", "[::1]:53"), ("ns.example", "ns.example:53"), ("[::1]:5353", "[::1]:5353")],
)
def test_the_port_of_a_resolver_may_be_left_out(written: str, meant: str) -> None:
    config = DNS.model.model_validate({"dns": "a", "resolver": written})
    assert config.model_dump()["resolver"] == meant
