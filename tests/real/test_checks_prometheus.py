"""Does the check of an exporter see its numbers, and say what is wrong with them or with it?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge, start_http_server
from pydantic import ValidationError

from selfheal.errors import CheckFailed
from selfheal.observe.prometheus import PROMETHEUS
from tests.real.daemon_process import free_port
from tests.real.servers import answering, build, cause, context, outcome, page, serving


@pytest.fixture(scope="module")
def exporter() -> Iterator[str]:
    """The URL of an exporter of Prometheus' own library, with a queue, two jobs and forty numbered series."""
    registry = CollectorRegistry()
    Gauge("queue_depth", "Waiting jobs.", registry=registry).set(120)
    up = Gauge("up", "Whether it is up.", ["job"], registry=registry)
    up.labels("x").set(1)
    up.labels('y, "b}"').set(0)
    Gauge("limit", "None.", registry=registry).set(float("inf"))
    for number in range(40):
        Gauge(f"n{number}", "One of many.", registry=registry).set(number)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()
    thread.join()


def seen(url: str, **table: object) -> tuple[str, Mapping[str, float]]:
    return asyncio.run(outcome(build(PROMETHEUS, {"prometheus": url, **table})))


def test_the_series_that_are_named_become_signals_and_without_names_the_first_of_all(exporter: str) -> None:
    assert seen(exporter, take=["queue_depth", "up", "nothing"]) == ("", {"queue_depth": 120.0, "up": 1.0})
    reason, signals = seen(exporter)
    assert (reason, len(signals), signals["queue_depth"]) == ("", 32, 120.0)
    assert "limit" not in signals


def test_it_is_told_once_which_of_its_series_count(exporter: str) -> None:
    told: list[Mapping[str, bool]] = []
    given = replace(context(Path()), count=told.append)
    check = build(PROMETHEUS, {"prometheus": exporter, "take": ["queue_depth"]}, given)

    async def story() -> None:
        await check.run()
        await check.run()

    asyncio.run(story())
    assert told == [{"queue_depth": False}]


@pytest.mark.parametrize(
    ("expect", "reason"),
    [
        ({"queue_depth": 120, 'up{job="x"}': 1, "limit": {">": 1}}, ""),
        ({"up": {">=": 1}, 'up{job="y, \\"b}\\""}': 0}, ""),
        ({"nothing": {"exists": False}, 'up{job="z"}': {"exists": False}}, ""),
        ({"queue_depth": {"<": 100}}, "queue_depth is 120, expected < 100"),
        ({'up{job="z"}': 1}, 'up{job="z"} is missing, expected 1'),
        ({"queue_depth": {"exists": False}}, "queue_depth is 120, expected that it does not exist"),
        ({"limit": {"<": 5}}, "limit is inf, expected < 5"),
    ],
)
@pytest.mark.parametrize("take", [[], ["queue_depth"]])
def test_values_are_judged_whether_they_are_taken_or_not(
    exporter: str, expect: dict[str, object], reason: str, take: list[str]
) -> None:
    said, signals = seen(exporter, expect=expect, take=take)
    assert said == reason
    assert signals["queue_depth"] == 120.0


def test_an_exporter_that_does_not_answer_well_is_a_failure_of_the_agent() -> None:
    async def against(raw: bytes) -> tuple[str, str | None]:
        async with serving(answering(raw)) as port:
            check = build(PROMETHEUS, {"prometheus": f"http://127.0.0.1:{port}/metrics"})
            return (await outcome(check))[0], await cause(check)

    async def story() -> None:
        wrong = "wrong_answer"
        assert await against(page(b"oops", "503 Unavailable")) == ("status 503, expected 200: oops", wrong)
        assert await against(page(b"<html> <body>hello")) == ("no series in the answer: <html> <body>hello", wrong)
        assert await against(page(b"all is well")) == ("no series in the answer: all is well", wrong)
        assert await against(page(b"")) == ("no series in the answer: it is empty", wrong)
        assert await against(b"") == ("connection closed before an answer", "unreachable")
        gone = build(PROMETHEUS, {"prometheus": f"http://127.0.0.1:{free_port()}/metrics"})
        assert (await outcome(gone), await cause(gone)) == (("connection refused", {}), "unreachable")

    asyncio.run(story())


def test_more_than_can_be_read_says_nothing_about_the_agent() -> None:
    async def story() -> None:
        async with serving(answering(page(b"a 1\n" * 300_000))) as port:
            check = build(PROMETHEUS, {"prometheus": f"http://127.0.0.1:{port}/metrics"})
            with pytest.raises(CheckFailed, match="gives more than 1 MiB") as refused:
                await check.run()
            assert refused.value.result == "error"

    asyncio.run(story())


def test_a_password_in_the_url_is_never_shown() -> None:
    check = build(PROMETHEUS, {"prometheus": "http://me:s3cret@127.0.0.1:1/metrics"})
    assert "s3cret" not in repr(check)
    assert "czNjcmV0" not in repr(check)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"take": ["up{}"]}, "cannot be the name of a series; write one such as 'queue_depth', without labels"),
        ({"expect": {"up{job=x}": 1}}, "is no series; write a name such as"),
        ({"expect": {"up": {"<>": 1}}}, "'<>' is no operator"),
        ({"prometheus": "127.0.0.1:9100"}, "http"),
    ],
)
def test_what_cannot_be_asked_or_judged_is_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        PROMETHEUS.model.model_validate({"prometheus": "http://127.0.0.1:9100/metrics", **table})
    assert said in str(refused.value)
