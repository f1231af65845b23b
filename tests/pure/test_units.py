"""Do durations, sizes, commands, addresses and times mean what a person means by them?"""

from __future__ import annotations

import shlex
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from selfheal.config.address import check_url, is_loopback, split_address, url_from_here
from selfheal.config.units import (
    Command,
    Count,
    Cron,
    Duration,
    Flag,
    Size,
    Zone,
    byte_count,
    cron,
    seconds,
    words,
    zone,
)

DURATION: TypeAdapter[float] = TypeAdapter(Duration)
SIZE: TypeAdapter[int] = TypeAdapter(Size)
COMMAND: TypeAdapter[tuple[str, ...]] = TypeAdapter(Command)
ANY_VALUE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=30),
    st.lists(st.text(max_size=5), max_size=3),
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (30, 30.0),
        (0.5, 0.5),
        ("30", 30.0),
        ("30s", 30.0),
        ("250ms", 0.25),
        ("5m", 300.0),
        ("1.5h", 5400.0),
        ("7d", 604800.0),
        (" 2 h ", 7200.0),
    ],
)
def test_a_duration_is_seconds_or_a_number_with_a_unit(written: object, meant: float) -> None:
    assert DURATION.validate_python(written) == meant


@pytest.mark.parametrize(
    "written", ["", "s", "fast", "5 parsecs", "-1s", -1, "1e3", True, None, [], float("inf"), "99999d"]
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        DURATION.validate_python(written)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (512, 512),
        ("512", 512),
        ("400MB", 400_000_000),
        ("400 mb", 400_000_000),
        ("1KiB", 1024),
        ("1.5GiB", 1_610_612_736),
        ("8MiB", 8 * 2**20),
        ("2TB", 2 * 10**12),
    ],
)
def test_a_size_is_bytes_or_a_number_with_a_unit(written: object, meant: int) -> None:
    assert SIZE.validate_python(written) == meant


@pytest.mark.parametrize("written", ["", "MB", "4 apples", "-4MB", 0, True, None, "9" * 400, 2**63, "400Mb/s"])
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        SIZE.validate_python(written)


@given(st.integers(0, 10**9), st.sampled_from([("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]))
def test_a_duration_survives_being_written_in_any_unit(count: int, unit: tuple[str, int]) -> None:
    name, milliseconds = unit
    assert seconds(f"{count}{name}") == count * milliseconds / 1000


@given(st.integers(0, 2**40))
def test_a_size_in_bytes_survives_being_written(size: int) -> None:
    assert byte_count(str(size)) == byte_count(f"{size}B") == size


@given(st.lists(st.text(min_size=1), min_size=1))
def test_a_command_survives_being_quoted_for_a_shell(argv: list[str]) -> None:
    assert words(shlex.join(argv)) == argv


@given(ANY_VALUE)
def test_every_reader_takes_or_refuses_and_does_nothing_else(value: object) -> None:
    for kind in (Duration, Size, Command, Cron, Zone, Count, Flag):
        adapter: TypeAdapter[object] = TypeAdapter(kind)
        with suppress(ValidationError):
            adapter.validate_python(value)


@pytest.mark.parametrize("written", ["", "   ", [], [""], "a 'b", 5, {"a": "b"}, ["a", 1]])
def test_a_command_without_a_program_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        COMMAND.validate_python(written)


def test_no_shell_has_a_hand_in_a_command() -> None:
    assert COMMAND.validate_python("echo $HOME '*' ; rm") == ("echo", "$HOME", "*", ";", "rm")


@pytest.mark.parametrize("written", ["0 3 * * sun", "*/5 * * * *", "0 0 29 2 *", "15 2 1,15 JAN-MAR 1-5"])
def test_cron_has_five_fields(written: str) -> None:
    assert cron(written) == written


@pytest.mark.parametrize(
    "written", ["", "* * * *", "* * * * * *", "0 3 * * sn", "61 * * * *", "0 0 30 2 *", "9" * 5000]
)
def test_cron_that_cannot_be_read_or_never_comes_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="; write minute, hour"):
        cron(written)


@pytest.mark.parametrize("written", ["Mars/Olympus", "../UTC", "", "x" * 5000, "Europe"])
def test_a_time_zone_that_is_not_there_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="; write one such as"):
        zone(written)


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [("127.0.0.1:8787", "127.0.0.1", 8787), ("[::1]:80", "::1", 80), ("db.example:0", "db.example", 0)],
)
def test_an_address_is_a_host_and_a_port(written: str, host: str, port: int) -> None:
    assert split_address(written) == (host, port)


@pytest.mark.parametrize(
    "written", ["", "8787", ":8787", "host", "host:", "host:65536", "::1:80", "[x]:1", "a b:1", "a:-1"]
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not host:port; write it as"):
        split_address(written)


def test_only_loopback_is_out_of_reach_of_other_machines() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.9.9.9", "::1", "localhost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "10.0.0.1", "localhost.example", "example.org"]))


@pytest.mark.parametrize("written", ["", "x", "ftp://a/", "http://", "http://a:b/", "http://[/", "http://a/ b", "//a"])
def test_what_cannot_be_asked_is_no_url(written: str) -> None:
    with pytest.raises(ValueError, match="; write it as"):
        check_url(written)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("192.0.2.7", "http://192.0.2.7:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::1", "http://[::1]:80"),
        ("::", "http://[::1]:80"),
    ],
)
def test_who_listens_everywhere_is_reached_over_loopback(host: str, url: str) -> None:
    assert url_from_here(host, 80) == url
