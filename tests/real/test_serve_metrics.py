from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.real.serving import Daemon

LARGE = "application/openmetrics-text"  # what the stand-in has a large page for


def _scrape(accept: str, accept_encoding: str) -> httpx.Response:
    async def run() -> httpx.Response:
        async with Daemon().running() as url, httpx.AsyncClient() as client:
            return await client.get(
                f"{url}/metrics", headers={"Accept": accept, "Accept-Encoding": accept_encoding, "Connection": "close"}
            )

    return asyncio.run(run())


@pytest.mark.parametrize("offer", ["gzip", "deflate, GZIP;q=0.5", "gzip;q=1.000, *;q=0"])
def test_a_large_page_is_packed_for_who_takes_it(offer: str) -> None:
    answer = _scrape(LARGE, offer)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Content-Type"].startswith(LARGE)
    assert int(answer.headers["Content-Length"]) < 10_000
    assert answer.text == "selfheal_agent_up 1\n" * 10_000


@pytest.mark.parametrize("offer", ["identity", "gzip;q=0", "br, gzip; q=0.0", "xgzip", ""])
def test_nobody_gets_a_packed_page_who_does_not_ask_for_it(offer: str) -> None:
    answer = _scrape(LARGE, offer)
    assert "Content-Encoding" not in answer.headers
    assert answer.text == "selfheal_agent_up 1\n" * 10_000


def test_a_small_page_goes_as_it_is() -> None:
    answer = _scrape("", "gzip")
    assert "Content-Encoding" not in answer.headers
    assert answer.headers["Vary"] == "Accept, Accept-Encoding"
    assert answer.text == "selfheal_agent_up 1\n"
