from __future__ import annotations

import asyncio
import re
from html.parser import HTMLParser
from typing import get_args

import pytest

from selfheal.events import HealthChanged
from selfheal.measures import Unit
from selfheal.serve.pages import _TYPES
from tests.real.serving import T0, Daemon, assets, bearer, declared, protected, started, story_of_a_day


class Page(HTMLParser):
    """Collects what the content security policy would forbid, and what is fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forbidden: list[str] = []
        self.fetched: list[str] = []
        self._script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.forbidden += [name for name, _ in attrs if name == "style" or name.startswith("on")]
        self.forbidden += [tag] if tag == "style" else []
        self._script = tag == "script"
        if tag in ("script", "link", "img"):
            self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.forbidden.append("inline script")


@pytest.mark.parametrize("path", ["/", "/docs", "/login"])
def test_a_page_needs_nothing_from_outside_and_nothing_inline(path: str) -> None:
    async def run() -> None:
        daemon = Daemon(protected(public_reads=True))
        daemon.ledger.record(*story_of_a_day())
        async with daemon.client() as client:
            answer = await client.get(path)
            assert answer.headers["content-type"].startswith("text/html")
            assert answer.headers["cache-control"] == "no-store"
            page = Page(answer.text)
            assert page.forbidden == []
            assert page.fetched
            for url in page.fetched:
                got = await client.get(url)
                assert got.status_code == 200, url
                assert (await client.get(url, headers={"If-None-Match": got.headers["ETag"]})).status_code == 304

    asyncio.run(run())


def test_no_file_of_the_page_names_another_host() -> None:
    for path in assets().iterdir():
        urls = re.findall(r"https?://[^\s\"'<>)]+", path.read_text())
        assert [url for url in urls if "www.w3.org" not in url] == [], path.name
    assert {path.name for path in assets().iterdir() if path.suffix != ".html"} == set(_TYPES)


def test_no_text_of_the_script_has_an_element_in_it() -> None:
    """It would be shown as [object HTMLElement]."""
    script = (assets() / "app.js").read_text(encoding="utf-8")
    assert re.findall(r"\$\{(?:h|age|stateOf|careful)\(", script) == []


def test_the_script_tells_a_value_in_each_unit_that_there_is() -> None:
    script = (assets() / "app.js").read_text(encoding="utf-8")
    amount = script[script.index("function amount(") :].partition("\n}")[0]
    assert sorted(re.findall(r'case "(.+?)"', amount)) == sorted(unit for unit in get_args(Unit) if unit)


def test_work_that_is_done_still_says_what_it_was_done_against() -> None:
    script = (assets() / "app.js").read_text(encoding="utf-8")
    work = script[script.index("function showWork(") :].partition("\n}")[0]
    (done,) = re.findall(r"one\.done_at \? \[(.+?)\]", work)
    assert "one.why" in done.split(", ")


def test_without_a_script_the_page_still_shows_the_agents() -> None:
    async def run() -> None:
        daemon = Daemon()
        daemon.ledger.record(declared("api"), *started("api", T0))
        failing = HealthChanged(T0 + 9, "api", "http", False, "failed", "<script>alert(1)</script>", T0)
        daemon.ledger.record(failing)
        async with daemon.client() as client:
            page = (await client.get("/")).text
            assert 'data-state="unhealthy"' in page
            assert "<script>alert" not in page
            assert "&lt;script&gt;alert" in page

    asyncio.run(run())


def test_only_who_may_give_orders_is_offered_buttons() -> None:
    async def run() -> None:
        async with Daemon(protected(public_reads=True)).client() as client:
            assert 'data-control="no" data-login="yes"' in (await client.get("/")).text
            assert 'data-control="yes" data-login="no"' in (await client.get("/", headers=bearer())).text
        async with Daemon().client() as client:
            assert 'data-control="no" data-login="no"' in (await client.get("/")).text
            assert (await client.get("/login")).headers["location"] == "/"

    asyncio.run(run())


def test_an_asset_that_is_none_is_not_found() -> None:
    async def run() -> None:
        async with Daemon().client() as client:
            for name in ("nothing.js", "index.html", "..%2fapp.py", "%2e%2e%2fapp.py"):
                assert (await client.get(f"/assets/{name}")).status_code == 404

    asyncio.run(run())
