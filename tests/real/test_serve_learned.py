"""Does the API tell an incident as a whole, and what was learned from all of them?"""

from __future__ import annotations

from dataclasses import replace

from httpx import AsyncClient

from selfheal.events import Alternative, Planned
from tests.real.serving import T0, Daemon, story_of_a_day
from tests.real.test_serve_api import with_daemon


def test_the_report_of_an_incident_comes_as_json_and_as_markdown() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        daemon.ledger.record(*story_of_a_day())
        path = "/observability/incidents/i1/report"
        told = (await client.get(path)).json()
        assert (told["id"], told["severity"], told["cost"]["recovery_seconds"]) == ("i1", "info", 0.9)
        written = await client.get(path, params={"format": "markdown"})
        assert written.headers["content-type"] == "text/markdown; charset=utf-8"
        assert written.text.startswith("# i1: api: the process ended with an error\n")
        assert "## What would prevent it" in written.text
        assert (await client.get(path, params={"format": "pdf"})).status_code == 422
        assert (await client.get("/observability/incidents/i9/report")).status_code == 404
        described = (await client.get("/openapi.json")).json()["paths"]["/observability/incidents/{id}/report"]["get"]
        assert set(described["responses"]["200"]["content"]) == {"application/json", "text/markdown"}

    with_daemon(use)


def test_what_was_learned_is_told_with_its_times_and_for_one_agent_alone() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        daemon.ledger.record(*story_of_a_day())
        (learned,) = (await client.get("/observability/strategies", params={"agent": "api"})).json()["items"]
        assert (learned["agent"], learned["cause"], learned["last_used_at"]) == (
            "api",
            "crashed",
            "2026-01-02T03:04:25.900Z",
        )
        (fix,) = learned["fixes"]
        assert (fix["fix"], fix["recovery_seconds"], fix["settle_seconds"]) == ("restart", 0.896, 50.0)
        assert (await client.get("/observability/strategies", params={"agent": "cache"})).json()["items"] == []

    with_daemon(use)


def test_what_became_of_suggestions_stands_beside_the_fixes() -> None:
    async def use(daemon: Daemon, client: AsyncClient) -> None:
        said = Planned(T0 + 40.2, "i2", "purge", "cache", "it helps", (Alternative("purge", 0.7, 99.0, cost_s=12.0),))
        daemon.ledger.record(*story_of_a_day()[:-2], replace(said, shadow=True))
        assert (await client.get("/observability/fixes")).json()["shadow"] == [
            {"fix": "purge", "agreed": 0, "needless": 0, "sooner": 0, "open": 1, "sooner_seconds": 0.0}
        ]
        assert (await client.get("/observability/incidents/i2")).json()["plan"]["shadow"] is True

    with_daemon(use)
