"""Does a gateway show what its daemon shows, and does a decision made there count, whatever happens in between?"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

import pytest
from pydantic import SecretStr

from selfheal.gateway.post import GatewaySilent, Poster
from selfheal.gateway.wire import SAFE_PIECE_BYTES
from tests.real.daemon_process import House, Stream, house, until
from tests.real.gateways import PUSH_TOKEN, SCRAPE_TOKEN, TOKEN, Gateway, Line, gateway, pushes_to

SOON = 5.0  # what is shown at the gateway is never older than that

FLEET = """
[guard]
verify = 0.5
[[guard.maintenance]]
agents = ["site"]
cron = "0 3 * * sun"
minutes = 30
[agents.one]
command = [{python}, "-c", "import time; time.sleep(1000)"]
checks = [{ process = true, interval = 0.3, rise = 1 }]
[agents.two]
command = [{python}, "-c", "import time; time.sleep(1000)"]
depends_on = ["one"]
checks = [{ process = true, interval = 0.3, rise = 1 }]
[agents.site]
kind = "service"
checks = [{ command = ["test", "-e", "well"], interval = 0.2, fall = 1, rise = 1, start_grace = 0 }]
fixes = ["mend"]
[fixes.mend]
command = ["sh", "-c", "echo mended {agent} >> mended; touch well"]
approval = true
"""
LISTS = (
    "agents",
    "incidents",
    "predictions",
    "anomalies",
    "maintenance",
    "fixes",
    "strategies",
    "rca",
    "chaos",
    "metrics",
)
READS = (*LISTS, "summary", "scorecard", "traces", "agents/one", "agents/two")
# Times that differ by nature, and what is reckoned from them.
BY_NATURE = frozenset(
    {"at", "uptime_seconds", "uptime", "loops", "duration", "disk", "last_run", "streak", "took_seconds"}
)


@contextmanager
def both(toml: str = FLEET) -> Iterator[tuple[House, Gateway]]:
    """A daemon that pushes, and its gateway; the first push has come."""
    with gateway() as front, house() as place:
        (place.folder / "well").touch()
        pushes_to(front.port, place).boot(toml)
        place.until_state("healthy")
        front.until_ready()
        yield place, front


def pruned(value: object) -> object:
    match value:
        case dict():
            return {name: pruned(one) for name, one in value.items() if name not in BY_NATURE}
        case list():
            return [pruned(one) for one in value]
        case _:
            return value


def shown(place: House | Gateway, path: str) -> object:
    return pruned(dict(place.get(path).raw))


def same(place: House, front: Gateway, path: str) -> None:
    until(
        lambda: shown(place, path) == shown(front, path),
        SOON,
        lambda: f"{path}\n{json.dumps(shown(place, path))}\n{json.dumps(shown(front, path))}",
    )


def killed(place: House, agent: str) -> None:
    """Kill an agent, and wait until it is healed."""
    before = len(place.incidents(agent))
    os.kill(place.pid(agent), signal.SIGKILL)
    place.healed(agent, before)


async def posted(port: int, token: str, body: bytes) -> list[int]:
    """What is answered to a body, time after time, as the daemon sends it; 0 where the line broke before that."""
    poster, said = Poster(f"http://127.0.0.1:{port}", SecretStr(token)), list[int]()
    for _ in range(20):
        try:
            said.append((await poster(body)).status)
        except GatewaySilent:
            said.append(0)
    await poster.close()
    return said


def waiting(place: House) -> str:
    """The incident that asks for an approval."""
    (place.folder / "well").unlink()

    def asks() -> list[str]:
        return [one.text("id") for one in place.incidents() if one.text("state") == "waiting_approval"]

    return until(asks, what=lambda: [one.raw for one in place.incidents()])[0]


def test_every_read_that_is_replicated_is_what_the_daemon_answers() -> None:
    with both() as (place, front):
        killed(place, "one")
        incident = place.incidents("one")[0].text("id")
        for path in (*READS, f"incidents/{incident}", f"incidents/{incident}/report"):
            same(place, front, path)
        for path in ("logs", "history?agent=one&signal=rss", "backups", "jobs"):
            refused = front.ask(f"/observability/{path}")
            said = json.loads(refused.body)
            assert (refused.status, said["code"]) == (503, "not_at_gateway"), path
            assert refused.headers["content-type"] == "application/problem+json"
            assert "selfheal" in said["detail"]


def test_the_metrics_are_those_of_the_daemon_and_tell_their_age() -> None:
    with both() as (place, front):
        killed(place, "one")

        def ours() -> Mapping[str, str]:
            text = front.ask("/metrics", SCRAPE_TOKEN).body.decode()
            return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))

        until(lambda: ours().get('selfheal_agent_restarts_total{agent="one"}') == "1", SOON, ours)
        assert 0.0 <= float(ours()["selfheal_gateway_age_seconds"]) < SOON
        assert ours()['selfheal_agent_up{agent="two"}'] == "1.0"
        assert front.ask("/observability/summary", SCRAPE_TOKEN).status == 401
        for path in ("/healthz", "/observability/summary", "/"):
            assert 0.0 <= float(front.ask(path).headers["x-selfheal-age"]) < SOON
        assert b"selfheal" in front.ask("/").body


def test_before_the_first_push_it_lives_and_is_not_ready() -> None:
    with gateway() as front:
        assert front.ask("/healthz").status == 200
        assert front.ask("/readyz").status == 503
        for path in ("/observability/summary", "/metrics", "/"):
            refused = front.ask(path)
            assert (refused.status, json.loads(refused.body)["code"]) == (503, "nothing_pushed")
            assert "x-selfheal-age" not in refused.headers
        assert front.ask("/observability/summary", "").status == 401
        assert front.stop() == 0


def test_a_gateway_that_was_killed_knows_everything_again_after_its_start() -> None:
    with both() as (place, front):
        same(place, front, "agents")
        front.lives[-1].kill()
        killed(place, "one")
        front.start()
        front.until_ready()
        for path in READS:
            same(place, front, path)
        assert len(place.logged("gateway.away")) == 1, "once, however many tries it took"
        until(lambda: place.logged("gateway.back"))


def test_a_network_that_is_cut_holds_up_nothing_and_is_caught_up_with() -> None:
    with gateway() as front, closing(Line(front.port)) as line, house() as place:
        (place.folder / "well").touch()
        pushes_to(line.port, place).boot(FLEET)
        place.until_state("healthy")
        front.until_ready()
        line.cut()
        killed(place, "one")
        killed(place, "two")
        until(lambda: front.age_s > SOON, what=lambda: front.age_s)
        assert place.ready, "it is nothing that the daemon lacks"
        line.mend()
        until(lambda: shown(place, "agents") == shown(front, "agents"), 45.0)
        assert front.age_s < SOON
        for path in READS:
            same(place, front, path)
        assert place.stop() == 0


def test_a_decision_at_the_gateway_is_carried_out_once() -> None:
    with both() as (place, front):
        incident = waiting(place)
        front.until_state("site", "unhealthy")
        path = f"/control/incidents/{incident}/approve"
        for token in ("", "wrong", SCRAPE_TOKEN, PUSH_TOKEN):
            assert front.ask(path, token, "POST").status == 401
        assert not (place.folder / "mended").exists()
        assert front.client.ask("POST", path).status == 200
        assert place.healed("site").text("id") == incident
        again = front.client.ask("POST", path)
        assert (again.status, again.body.text("code")) == (409, "refused_by_policy")
        assert "the API of the gateway" in json.dumps(place.get(f"incidents/{incident}").raw)
        assert (place.folder / "mended").read_text() == "mended site\n"
        assert front.client.ask("POST", "/control/incidents/inc-99/reject").status == 404
        refused = front.client.ask("POST", "/control/agents/one/stop")
        assert (refused.status, refused.body.text("code")) == (403, "not_at_gateway")
        same(place, front, "incidents")


def test_a_wrong_token_is_told_once_and_lets_nothing_in() -> None:
    with gateway() as front, house() as place:
        (place.folder / "well").touch()
        pushes_to(front.port, place).environment["SELFHEAL_GATEWAY_TOKEN"] = "another token than that of the gateway"
        place.boot(FLEET)
        until(lambda: place.logged("gateway.away"))
        killed(place, "one")
        killed(place, "two")
        (told,) = place.logged("gateway.away")
        assert "SELFHEAL_GATEWAY_TOKEN" in told.text("why")
        assert told.text("level") == "error"
        assert front.client.ask("GET", "/readyz").status == 503
        assert "another token" not in place.log


def test_what_is_no_push_is_refused() -> None:
    with gateway() as front:
        assert front.ask("/observability/events", "").status == 401
        assert front.ask("/push", PUSH_TOKEN, "POST", b"nonsense").status == 422
        assert asyncio.run(posted(front.port, "wrong", b"x" * SAFE_PIECE_BYTES)) == [401] * 20, "the no is always heard"
        said = asyncio.run(posted(front.port, PUSH_TOKEN, b"x" * 1_500_000))
        assert set(said) <= {413, 0}, "or it hung up before it had heard all of that"


def test_the_last_push_says_that_the_daemon_stops() -> None:
    with both() as (place, front):
        assert place.stop() == 0
        front.until_state("one", "stopped", SOON)


def test_the_next_daemon_is_shown_in_place_of_the_one_that_died() -> None:
    with both() as (place, front):
        before = place.pid("one")
        place.daemon.kill()
        killed_at = front.age_s
        place.boot()
        until(lambda: front.get("summary").text("started_at") == place.get("summary").text("started_at"))
        assert killed_at < SOON
        for path in READS:
            same(place, front, path)
        assert place.pid("one") == before, "it was adopted"


def test_verbs_that_read_work_at_the_gateway() -> None:
    with both() as (place, front):
        same(place, front, "agents")
        there = ("--url", f"http://127.0.0.1:{front.port}")
        told = place.begin("status", *there, SELFHEAL_TOKEN=TOKEN).ended()
        assert (told.code, "3" in told.out) == (0, True), told
        refused = place.begin("logs", "one", *there, SELFHEAL_TOKEN=TOKEN).ended()
        assert refused.code != 0
        assert "keeps them to itself" in refused.err


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PORT": "0"}, "SELFHEAL_TOKEN"),
        ({"SELFHEAL_GATEWAY_TOKEN": ""}, "SELFHEAL_GATEWAY_TOKEN"),
        (
            {"SELFHEAL_TOKEN": "longer-than-7", "SELFHEAL_LISTEN": "0.0.0.0:0", "SELFHEAL_GATEWAY_TOKEN": "short"},
            "shorter",
        ),
    ],
)
def test_a_gateway_that_anybody_could_read_or_push_to_does_not_start(environment: dict[str, str], said: str) -> None:
    with house() as place:
        ended = place.begin("gateway", **{"SELFHEAL_GATEWAY_TOKEN": PUSH_TOKEN, **environment}).ended()
        assert ended.code == 2
        assert said in ended.err


def test_the_stream_of_the_gateway_tells_what_happens() -> None:
    with gateway(SELFHEAL_TOKEN="") as front, house() as place:
        (place.folder / "well").touch()
        pushes_to(front.port, place).boot(FLEET)
        front.until_ready()
        stream = Stream(front.port)
        assert stream.began.wait(SOON)
        killed(place, "one")
        until(lambda: any("IncidentResolved" in data for data in stream.told.values()), what=lambda: stream.told)
        theirs = {one.text("id") for one in place.incidents("one")}
        assert any(json.loads(data).get("incident") in theirs for data in stream.told.values())
