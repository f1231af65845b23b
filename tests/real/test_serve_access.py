from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from httpx import AsyncClient
from hypothesis import given
from hypothesis import strategies as st

from selfheal.serve.auth import COOKIE, SESSION_S, Access
from tests.real.serving import T0, TOKEN, Daemon, bearer, protected, story_of_a_day

READS = (
    "/observability/summary",
    "/observability/agents",
    "/observability/events?since=x",
    "/openapi.json",
    "/metrics",
)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def with_client(access: Access, use: Callable[[Daemon, AsyncClient], Awaitable[None]]) -> None:
    async def run() -> None:
        daemon = Daemon(access)
        daemon.ledger.record(*story_of_a_day())
        async with daemon.client() as client:
            await use(daemon, client)

    asyncio.run(run())


def test_without_a_token_loopback_may_read_and_is_told_why_it_may_not_order() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        assert (await client.get("/observability/summary")).status_code == 200
        assert (await client.get("/metrics")).status_code == 200
        for headers in ({}, bearer("anything"), {"X-Selfheal": "1"}):
            refused = await client.post("/control/agents/api/restart", headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (403, "no_control_without_token")
            assert "SELFHEAL_TOKEN" in refused.json()["detail"]
        assert daemon.orders.given == []

    with_client(Access(key=b"k" * 32), use)


def test_with_a_token_everything_but_the_state_of_the_daemon_wants_it() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        for path in READS:
            assert (await client.get(path)).status_code == 401, path
            assert (await client.get(path, headers=bearer("wrong"))).status_code == 401, path
            assert (await client.get(path, params={"token": TOKEN})).status_code == 401, path
            assert (await client.get(path, headers=bearer())).status_code in (200, 422), path
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 200
        refused = await client.post("/control/reload")
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await client.post("/control/reload", headers=bearer())).status_code == 200

    with_client(protected(), use)


def test_the_scrape_token_opens_the_metrics_alone() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        client.headers.update(bearer("scrape me"))
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/observability/summary")).status_code == 401
        assert (await client.post("/control/reload")).status_code == 401

    with_client(protected(), use)


def test_public_reads_open_the_reads_and_never_the_control() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        assert (await client.get("/observability/summary")).status_code == 200
        assert (await client.get("/")).status_code == 200
        assert (await client.post("/control/reload")).status_code == 401

    with_client(protected(public_reads=True, loopback=False), use)


def test_a_public_address_without_a_token_shows_nothing() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        assert (await client.get("/observability/summary")).status_code == 401

    with_client(Access(key=b"k" * 32, loopback=False), use)


@pytest.mark.parametrize("form", [True, False])
def test_a_login_gives_a_cookie_that_reads_and_orders_only_from_our_page(form: bool) -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        led = await client.get("/")
        assert (led.status_code, led.headers["location"]) == (303, "/login")
        assert "<form" in (await client.get("/login")).text
        given = {"token": TOKEN}
        login = await (client.post("/login", data=given) if form else client.post("/login", json=given))
        assert login.status_code == (303 if form else 200)
        cookie = login.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert TOKEN not in cookie
        assert (await client.get("/")).status_code == 200
        assert (await client.get("/observability/summary")).status_code == 200
        refused = await client.post("/control/reload")
        assert (refused.status_code, refused.json()["code"]) == (403, "header_missing")
        assert (await client.post("/control/reload", headers={"X-Selfheal": "1"})).status_code == 200
        assert daemon.orders.given == [("reload", None, "the page")]

    with_client(protected(), use)


def test_a_wrong_token_gives_no_cookie() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        for answer in (
            await client.post("/login", json={"token": "wrong"}),
            await client.post("/login", data={"token": "wrong"}),
            await client.post("/login", data={}),
            await client.post("/login", content="a=1&" * 12, headers=FORM),
            await client.post("/login", content=b"token=\xff%ff", headers=FORM),
            await client.post("/login", params={"token": TOKEN}, json={"token": ""}),
        ):
            assert answer.status_code in (401, 422)
            assert "set-cookie" not in answer.headers
        assert (await client.post("/login", content=b"nonsense")).status_code == 422

    with_client(protected(), use)


def test_over_tls_the_cookie_never_leaves_it() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        login = await client.post("/login", json={"token": TOKEN}, headers={"X-Forwarded-Proto": "https"})
        assert "Secure" in login.headers["set-cookie"]

    with_client(protected(), use)


@given(st.text())
def test_no_text_is_a_session_but_one_that_was_given_out(text: str) -> None:
    assert not protected().is_session(text, T0)


def test_a_session_ends_with_its_time_and_with_its_token() -> None:
    access = protected()
    session = access.session(T0)
    assert access.is_session(session, T0 + SESSION_S - 1)
    assert not access.is_session(session, T0 + SESSION_S)
    assert not Access(key=access.key, token="another").is_session(session, T0)
    ends, _, signature = session.partition(".")
    assert not access.is_session(f"{int(ends) + 1}.{signature}", T0)


def test_secrets_do_not_stand_in_what_is_printed_of_the_access() -> None:
    shown = repr(protected())
    assert TOKEN not in shown
    assert "scrape me" not in shown


def test_a_heartbeat_wants_the_agents_own_token() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        own = daemon.access.heartbeat_token("api")
        assert (await client.post("/heartbeat/api")).status_code == 401
        assert (await client.post("/heartbeat/cache", headers=bearer(own))).status_code == 401
        assert (await client.post("/heartbeat/api", headers=bearer(own))).status_code == 200
        assert (await client.get("/observability/summary", headers=bearer(own))).status_code == 401
        assert daemon.orders.given == [("heartbeat", "api", "api")]

    with_client(protected(), use)


@pytest.mark.parametrize(
    ("host", "welcome"),
    [
        ("127.0.0.1:8787", True),
        ("localhost", True),
        ("[::1]:8787", True),
        ("fleet.localhost:8787", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example:8787", False),
        ("", False),
    ],
)
def test_on_loopback_only_loopback_names_are_answered(host: str, welcome: bool) -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        answer = await client.get("/healthz", headers={"Host": host})
        assert answer.status_code == (200 if welcome else 400)

    with_client(Access(key=b"k" * 32), use)


def test_elsewhere_any_host_name_is_answered() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        assert (await client.get("/healthz", headers={"Host": "selfheal.example"})).status_code == 200

    with_client(protected(loopback=False), use)


def test_a_forged_cookie_opens_nothing() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        client.cookies.set(COOKIE, f"99999999999.{'0' * 64}")
        assert (await client.get("/observability/summary")).status_code == 401

    with_client(protected(), use)
