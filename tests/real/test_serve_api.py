from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable

import pytest
from httpx import AsyncClient

from selfheal.errors import ConfigInvalid, JournalUnavailable, Problem
from selfheal.kinds import Observation
from selfheal.loops import LoopStats
from selfheal.serve.ports import Reloaded
from selfheal.serve.shield import HEADERS, MAX_BODY
from selfheal.vitals import CheckRecord
from tests.real.serving import T0, Daemon, bearer, declared, protected, started, story_of_a_day

LISTS = (
    "agents", "predictions", "anomalies", "metrics", "traces", "incidents", "maintenance", "fixes", "strategies",
    "rca", "chaos", "logs",
)  # fmt: skip


def with_daemon(use: Callable[[Daemon, AsyncClient], Awaitable[None]], daemon: Daemon | None = None) -> None:
    async def run() -> None:
        served = daemon or Daemon()
        async with served.client() as client:
            await use(served, client)

    asyncio.run(run())


def test_every_list_is_an_object_with_items_within_its_limit() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        daemon.ledger.record(*story_of_a_day())
        for name in LISTS:
            answer = await client.get(f"/observability/{name}", params={"limit": 1})
            assert answer.status_code == 200, name
            assert len(answer.json()["items"]) <= 1, name
            for bad in (0, 1001, "many"):
                refused = await client.get(f"/observability/{name}", params={"limit": bad})
                assert refused.status_code == 422, (name, bad)

    with_daemon(use)


def test_since_leaves_out_what_began_before() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        daemon.ledger.record(*story_of_a_day())
        for name in LISTS:
            path = f"/observability/{name}"
            assert (await client.get(path, params={"since": "2026-01-02T03:04:00Z"})).status_code == 200, name
            assert (await client.get(path, params={"since": "2027-01-01T00:00:00+01:00"})).json()["items"] == [], name
            for bad in ("abc", "-1", "2026-13-02T03:04:05Z"):
                assert (await client.get(path, params={"since": bad})).status_code == 422, (name, bad)
        for name in ("agents", "incidents", "fixes", "traces", "rca"):
            path = f"/observability/{name}"
            assert (await client.get(path, params={"since": "2026-01-02T03:04:00Z"})).json()["total"] > 0, name

    with_daemon(use)


def test_an_answer_holds_nothing_that_could_still_be_lost() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        daemon.ledger.record(declared("api"))
        daemon.journal.disk.clear()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.get("/observability/agents")
        daemon.journal.disk.set()
        assert [one["name"] for one in (await client.get("/observability/agents")).json()["items"]] == ["api"]

    with_daemon(use)


def test_every_answer_has_the_security_headers_and_every_error_is_a_problem() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        for path, status in (
            ("/observability/agents/nobody", 404),
            ("/observability/incidents/nobody", 404),
            ("/observability/logs?agent=nobody", 404),
            ("/nowhere", 404),
            ("/control/reload", 405),
            ("/observability/agents?limit=x", 422),
            ("/observability/events?since=x", 422),
        ):
            answer = await client.get(path)
            assert answer.status_code == status, path
            assert answer.headers["content-type"] == "application/problem+json", path
            assert answer.json()["status"] == status, path
            for name in HEADERS:
                assert name in answer.headers, (path, name)

    with_daemon(use)


def test_an_unexpected_failure_is_a_problem_that_tells_no_secrets() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        daemon.loops = {"observe": LoopStats(last_run=float("nan"), error="x")}
        daemon.journal.trouble = None

        async def broken(seq: int | None = None) -> None:
            raise ValueError("the password is swordfish")

        daemon.journal.sync = broken  # type: ignore[method-assign]
        answer = await client.get("/observability/summary")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert "swordfish" not in answer.text
        assert "Content-Security-Policy" in answer.headers

    with_daemon(use)


def test_a_disk_that_refuses_is_said_with_503_and_a_time_to_come_back() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        async def full(seq: int | None = None) -> None:
            raise JournalUnavailable("cannot make the journal durable: no space left")

        daemon.journal.sync = full  # type: ignore[method-assign]
        answer = await client.get("/observability/agents")
        assert (answer.status_code, answer.json()["code"]) == (503, "journal_unavailable")
        assert "Retry-After" in answer.headers

    with_daemon(use)


def test_health_is_about_the_daemon_and_never_about_the_fleet() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        daemon.ledger.record(*story_of_a_day())
        assert (await client.get("/observability/summary")).json()["status"] == "critical"
        assert (await client.get("/healthz")).status_code == 200
        daemon.loops["observe"].down = True
        down = await client.get("/healthz")
        assert (down.status_code, down.json()["code"]) == (503, "loop_down")
        assert "observe" in down.json()["detail"]
        daemon.loops["observe"].down = False
        daemon.ready = False
        assert (await client.get("/readyz")).status_code == 503
        daemon.stopping.set()
        assert (await client.get("/healthz")).json()["code"] == "stopping"

    with_daemon(use)


def test_orders_are_given_with_the_name_of_who_gave_them() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        client.headers.update(bearer())
        for path, body in (
            ("/control/agents/api/restart", None),
            ("/control/incidents/i1/approve", None),
            ("/control/pause", {"agent": None}),
            ("/control/resume", {"agent": "api"}),
            ("/control/pause", None),
            ("/control/reload", None),
        ):
            answer = await client.post(path, json=body) if body is not None else await client.post(path)
            assert answer.status_code == 200, path
            assert answer.json()["message"]
        assert daemon.orders.given == [
            ("restart", "api", "the API"),
            ("approve", "i1", "the API"),
            ("pause", None, "the API"),
            ("resume", "api", "the API"),
            ("pause", None, "the API"),
            ("reload", None, "the API"),
        ]

    with_daemon(use, Daemon(protected()))


def test_orders_that_are_refused_say_why() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        client.headers.update(bearer())
        for path, status, code in (
            ("/control/agents/nobody/stop", 404, "unknown_name"),
            ("/control/incidents/i9/approve", 404, "unknown_name"),
            ("/control/incidents/i1/reject", 409, "refused_by_policy"),
            ("/control/chaos/run", 409, "refused_by_policy"),
            ("/control/chaos/stop", 409, "refused_by_policy"),
        ):
            answer = await client.post(path)
            assert (answer.status_code, answer.json()["code"]) == (status, code), path

    with_daemon(use, Daemon(protected()))


def test_a_bad_configuration_is_reported_error_by_error() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        async def bad(by: str) -> Reloaded:
            raise ConfigInvalid((Problem("selfheal.toml", 3, "agents.api", "it is wrong", "write it right"),))

        daemon.orders.reload = bad  # type: ignore[method-assign]
        answer = await client.post("/control/reload", headers=bearer())
        assert (answer.status_code, answer.json()["code"]) == (422, "config_invalid")
        assert answer.json()["errors"][0]["where"] == "agents.api"

    with_daemon(use, Daemon(protected()))


def test_alertmanagers_firing_alerts_are_signs_of_failure() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        client.headers.update(bearer())
        firing = {
            "status": "firing",
            "labels": {"agent": "api", "alertname": "Slow"},
            "annotations": {"summary": "p99"},
        }
        over = {**firing, "status": "resolved"}
        unknown = {"status": "firing", "labels": {"agent": "nobody"}}
        post = {"version": "4", "status": "firing", "alerts": [firing, over, unknown, {"labels": {}}]}
        answer = await client.post("/webhooks/alertmanager", json=post)
        assert answer.json() == {"taken": ["api"], "unknown": ["nobody"]}
        assert daemon.orders.given == [("failure", "api", "Slow: p99")]
        assert (await client.post("/webhooks/alertmanager", json={"alerts": [unknown]})).status_code == 404
        assert (await client.post("/webhooks/alertmanager", json={"alerts": "x"})).status_code == 422
        assert (await client.post("/webhooks/alertmanager", content=b"{")).status_code == 422

    with_daemon(use, Daemon(protected()))


@pytest.mark.parametrize(
    "body",
    [
        rb'{"alerts": [{"status": "firing", "labels": {"agent": "api", "alertname": "\ud800x"}}]}',
        rb'{"alerts": [{"status": "firing", "labels": {"agent": "api", "\udfff": "x"}}]}',
        rb'{"alerts": [{"status": "firing", "labels": {"agent": "api"}, "annotations": {"summary": "\ud800"}}]}',
        rb'{"alerts": [{"status": "\ud800", "labels": {"agent": "\ud800"}}]}',
        b'{"alerts": [{"labels": {"agent": "api", "alertname": "\xed\xa0\x80"}}]}',
        b'{"alerts": [{"labels": {"agent": "api", "alertname": "\xff"}}]}',
        '{"alerts": [{"labels": {"agent": "api"}}]}'.encode("utf-16"),
        b'{"alerts": [{"labels": {"agent": "api"}}], "x": NaN}',
        b"[" * 100_000,
        b"1" * 6000,
    ],
)
def test_what_is_no_utf8_or_no_json_is_no_sign_of_anything(body: bytes) -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        client.headers.update(bearer())
        json = {"Content-Type": "application/json"}
        for path in ("/webhooks/alertmanager", "/control/pause"):
            answer = await client.post(path, content=body, headers=json)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), path
        assert daemon.orders.given == []

    with_daemon(use, Daemon(protected()))


@pytest.mark.parametrize("bad", ["%ff", "%ed%a0%80", "a%C3"])
def test_a_path_or_a_query_that_is_no_utf8_is_refused(bad: str) -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        client.headers.update(bearer())
        for method, path in (
            ("GET", f"/observability/agents/{bad}"),
            ("GET", f"/observability/logs?agent={bad}"),
            ("POST", f"/control/agents/{bad}/stop"),
            ("POST", f"/heartbeat/{bad}"),
        ):
            answer = await client.request(method, path)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), path
        assert (await client.get("/observability/agents/%C3%A9")).status_code == 404, "a name like any other"

    with_daemon(use, Daemon(protected()))


def test_what_is_done_and_cannot_be_saved_is_507_and_every_alert_is_taken_all_the_same() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        client.headers.update(bearer())
        daemon.orders.unsaved = True
        alerts = [{"labels": {"agent": name}} for name in ("api", "cache")]
        for path, body in (("/control/agents/api/stop", None), ("/webhooks/alertmanager", {"alerts": alerts})):
            answer = await client.post(path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (507, "not_saved")
            assert answer.json()["detail"].startswith("done, but not saved: No space left on device; ")
        assert [agent for _, agent, _ in daemon.orders.given] == ["api", "api", "cache"]

    with_daemon(use, Daemon(protected()))


def test_a_body_over_a_megabyte_is_refused_wherever_it_goes() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        async def pieces() -> object:
            for _ in range(3):
                yield b"x" * (MAX_BODY // 2)

        client.headers.update(bearer())
        for path in ("/webhooks/alertmanager", "/control/agents/api/restart", "/login"):
            assert (await client.post(path, content=b"x" * (MAX_BODY + 1))).status_code == 413, path
            assert (await client.post(path, content=pieces())).status_code == 413, path  # type: ignore[arg-type]
        assert daemon.orders.given == []

    with_daemon(use, Daemon(protected()))


def test_a_thousand_agents_are_listed_without_holding_up_the_loop() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        for number in range(1000):
            name = f"agent:{number}"
            daemon.ledger.record(declared(name), *started(name, T0 + 1))
            seen = Observation(name, "http", T0, 0.01, "ok")
            daemon.vitals.put(name, CheckRecord("http", settled=True, ok=True, streak=1, since=T0, last=seen))
            daemon.vitals.put_signals(name, {"cpu": 0.1, "rss": 1e6})
        await client.get("/observability/agents")
        gc.collect()
        gc.freeze()  # as the daemon does; here it is the heap of the tests, which takes half a second to look through
        asked = asyncio.get_running_loop().create_task(client.get("/observability/agents"))
        longest, before = 0.0, time.thread_time()
        while not asked.done():
            await daemon.sources.clock.sleep(0)
            now = time.thread_time()
            longest, before = max(longest, now - before), now
        gc.unfreeze()
        assert asked.result().json()["total"] == 1000
        assert longest < 0.05  # 20 ms is the goal; a busy machine may take its time

    with_daemon(use)


def test_a_signal_over_time_is_drawn_within_bounds() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        daemon.ledger.record(*story_of_a_day())
        asked = {"agent": "api", "signal": "latency", "since": "2026-01-02T03:00:00Z", "until": "2026-01-02T04:00:00Z"}
        drawn = (await client.get("/observability/history", params={**asked, "points": 3})).json()
        assert [one["at"] for one in drawn["items"]] == [f"2026-01-02T03:{at}:00.000Z" for at in ("00", "20", "40")]
        assert drawn["items"][0] | {"at": ""} == {"at": "", "count": 6, "mean": 0.5, "min": 0.1, "max": 0.9}
        assert (drawn["grain"], drawn["since"]) == ("minutes", "2026-01-02T03:00:00.000Z")
        assert len((await client.get("/observability/history", params=asked)).json()["items"]) == 300
        for wrong, status in (
            ({"points": 0}, 422),
            ({"points": 2001}, 422),
            ({"since": "2026-01-02T05:00:00Z"}, 422),
            ({"until": "yesterday"}, 422),
            ({"agent": "nobody"}, 404),
        ):
            answer = await client.get("/observability/history", params={**asked, **wrong})
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), wrong
        assert (await client.get("/observability/history", params={"agent": "api"})).status_code == 422

    with_daemon(use)


def test_an_agent_tells_its_uptime_and_latency_and_null_where_nothing_is_known() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        daemon.ledger.record(*story_of_a_day())
        agent = (await client.get("/observability/agents/api")).json()
        assert {"ratio", "healthy_seconds", "wanted_seconds"} < agent["uptime"].keys()
        assert {window: agent["uptime"][window] for window in ("24h", "7d", "30d", "90d")} == {
            "24h": 0.999, "7d": None, "30d": None, "90d": None,
        }  # fmt: skip
        assert agent["latency"] == {"24h": {"p50": 0.1, "p95": 0.2, "p99": 0.3}, "7d": None, "30d": None, "90d": None}
        described = (await client.get("/openapi.json")).json()["components"]["schemas"]
        assert {"24h", "7d", "30d", "90d"} <= described["UptimesView"]["properties"].keys()

    with_daemon(use)


def test_the_description_names_an_operation_and_the_errors_of_every_route() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        described = (await client.get("/openapi.json")).json()
        assert "Problem" in described["components"]["schemas"]
        assert "HTTPValidationError" not in described["components"]["schemas"], "every no is a problem"
        ids = [one["operationId"] for methods in described["paths"].values() for one in methods.values()]
        assert len(ids) == len(set(ids))
        restart = described["paths"]["/control/agents/{name}/restart"]["post"]["responses"]
        assert {"401", "403", "404", "409", "413", "422", "503"} <= set(restart)
        assert "application/problem+json" in restart["403"]["content"]

    with_daemon(use)
