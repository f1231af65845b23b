"""Is our counterpart of Render's API as Render's own description of it says, and do we read whatever fits that?

Prism is the judge: between our client and the counterpart it holds every request and every answer against the OpenAPI
document, and as a server by itself it makes up answers out of it. The document is Render's, and not part of this
project: JUDGE_RENDER_OPENAPI names the file.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from selfheal.clock import RealClock
from selfheal.render.acts import Acts
from selfheal.render.api import RenderApi
from selfheal.render.metrics import METRICS, REQUESTS
from selfheal.render.wire import HttpTransport
from tests.real.daemon_process import free_port
from tests.real.render_estate import Estate, Service, Store
from tests.real.render_fake import KEY, Fault, Miniature, served

PRISM = "@stoplight/prism-cli@5"
CLOCK = RealClock()
# Which of the descriptions in the document is that of a kind of service. It says `oneOf` them, and what is one of a
# private service is one of a worker too: so each kind is held against its own, which is stricter.
DETAILS = {
    "web_service": "webServiceDetails",
    "private_service": "privateServiceDetails",
    "background_worker": "backgroundWorkerDetails",
}
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    place = os.environ.get("JUDGE_RENDER_OPENAPI", "")
    if not place:
        pytest.skip("JUDGE_RENDER_OPENAPI names no file: Render's OpenAPI document is to be had from its documentation")
    found: dict[str, Any] = json.loads(Path(place).read_text())
    return found


@pytest.fixture(scope="session")
def prism(tmp_path_factory: pytest.TempPathFactory) -> str:
    if shutil.which("npm") is None:
        pytest.skip("there is no npm to install Prism with")
    folder = tmp_path_factory.mktemp("prism")
    words = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--prefix", str(folder), PRISM]
    subprocess.run(words, check=True, capture_output=True)
    return str(folder / "node_modules" / ".bin" / "prism")


def narrowed(document: dict[str, Any], kind: str, place: Path) -> Path:
    """The document, with the details of a service as they are of this kind."""
    told = json.loads(json.dumps(document))
    properties = told["components"]["schemas"]["service"]["properties"]
    choices = [one["$ref"].rpartition("/")[2] for one in properties["serviceDetails"]["oneOf"]]
    assert set(DETAILS.values()) < set(choices), "the document names other kinds: look at DETAILS"
    properties["serviceDetails"] = {"$ref": f"#/components/schemas/{DETAILS.get(kind, f'{kind}Details')}"}
    file = place / f"{kind}.json"
    file.write_text(json.dumps(told))
    return file


@asynccontextmanager
async def running(prism: str, *words: str) -> AsyncIterator[str]:
    """Prism on a port of this machine, from when it answers."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        prism, *words, "--port", str(port), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    rest = None
    try:
        async with asyncio.timeout(60):
            while b"Prism is listening" not in await process.stdout.readline():
                assert not process.stdout.at_eof(), "Prism has ended"
        rest = asyncio.create_task(process.stdout.read())  # what nobody reads would hold it up one day
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()
        if rest is not None:
            await rest


@asynccontextmanager
async def client_at(url: str) -> AsyncIterator[RenderApi]:
    api = RenderApi(HttpTransport(url, SecretStr(KEY)), CLOCK, Random(1))
    try:
        yield api
    finally:
        await api.close()


def estate(kind: str) -> Estate:
    found = Estate(CLOCK, restart_s=0.1, build_s=0.1, update_s=0.1)
    found.add(Service("srv-it", kind), "aaa", "bbb", "ccc")
    found.stores |= {"dpg-1": Store("dpg-1", standby=True), "red-1": Store("red-1")}
    return found


def judged(prism: str, file: Path, mini: Miniature, story: Callable[[RenderApi], Awaitable[None]]) -> None:
    """Let a story happen with Prism between: what does not fit the document is answered with 500, and raises."""

    async def live() -> None:
        async with (
            served(mini) as behind,
            running(prism, "proxy", str(file), behind, "--errors") as url,
            client_at(url) as api,
        ):
            await story(api)

    asyncio.run(live())


@pytest.mark.parametrize("kind", DETAILS)
def test_all_that_is_read_and_done_fits_the_document(
    prism: str, document: dict[str, Any], tmp_path: Path, kind: str
) -> None:
    mini = Miniature(estate(kind))
    mini.estate.metrics = {(one.path, "srv-it"): [({}, 2.0, "s")] for one in (*METRICS, REQUESTS)}
    mini.estate.logs = {"srv-it": [(1.0, "started")]}

    async def story(api: RenderApi) -> None:
        acts = Acts(api, CLOCK)
        assert (await api.service("srv-it")).id == "srv-it"
        assert len(await api.deploys("srv-it", all_of_them=True)) == 3
        assert await api.instances("srv-it")
        await api.happenings("srv-it", "2026-01-01T00:00:00Z")
        for metric in (*METRICS, REQUESTS):
            asked = {**metric.query, "startTime": "2026-01-01T00:00:00Z", "resolutionSeconds": "60"}
            (series,) = await api.metric(metric.path, ["srv-it"], asked)
            assert series.latest == 2.0
        assert len(await api.log("tea-1", "srv-it", "2099-01-01T00:00:00Z", 20)) == 1
        for act in ("restart", "scale", "redeploy", "redeploy_clear_cache", "roll_back"):
            await acts.do("srv-it", act, 2)
        mini.estate.build_s = 600.0
        made = await api.deploy("srv-it", clear=False, commit="")
        assert made is not None
        await acts.do("srv-it", "cancel_deploy", 0)
        mini.estate.services["srv-it"].suspenders = ["user"]
        assert (await api.service("srv-it")).is_suspended
        await acts.do("srv-it", "resume", 0)

    judged(prism, narrowed(document, kind, tmp_path), mini, story)
    assert mini.wrong == []


@pytest.mark.parametrize("kind", DETAILS)
def test_in_the_document_as_it_is_nothing_is_found_but_that_more_than_one_kind_fits(
    prism: str, document: dict[str, Any], tmp_path: Path, kind: str
) -> None:
    """So that `narrowed` hides nothing else. Beside it Prism names what is missing for the kind that does not fit."""
    file = tmp_path / "as-it-is.json"
    file.write_text(json.dumps(document))

    async def live() -> httpx.Response:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with (
            served(Miniature(estate(kind))) as behind,
            running(prism, "proxy", str(file), behind) as url,
            httpx.AsyncClient(headers=headers) as client,
        ):
            return await client.get(f"{url}/services/srv-it")

    answer = asyncio.run(live())
    found = json.loads(answer.headers.get("sl-violations", "[]"))
    assert answer.status_code == 200
    assert {tuple(one["location"]) for one in found} == {("response", "body", "serviceDetails")}, found
    assert [one["code"] for one in found if one["code"] != "required"] == ["oneOf"], found
    schemas = document["components"]["schemas"]
    missing = {one["message"].split("'")[-2] for one in found if one["code"] == "required"}
    assert missing == set(schemas["staticSiteDetails"]["required"]) - answer.json()["serviceDetails"].keys(), found
    assert missing.isdisjoint(schemas[DETAILS[kind]]["required"])


def test_all_that_is_read_of_databases_and_done_to_them_fits_the_document(
    prism: str, document: dict[str, Any], tmp_path: Path
) -> None:
    async def story(api: RenderApi) -> None:
        acts = Acts(api, CLOCK)
        for store in ("dpg-1", "red-1"):
            assert not (await api.store(store)).is_suspended
        await acts.do("dpg-1", "restart", 0)
        await acts.do("dpg-1", "fail_over", 0)

    judged(prism, narrowed(document, "web_service", tmp_path), Miniature(estate("web_service")), story)


@pytest.mark.parametrize("status", [400, 401, 404, 406, 409, 410, 429, 500, 503])
def test_an_answer_that_is_none_fits_the_document_too(
    prism: str, document: dict[str, Any], tmp_path: Path, status: int
) -> None:
    """Those that the document knows of: of another Prism says so in a header of its own."""
    mini = Miniature(estate("web_service"))

    async def live() -> httpx.Response:
        file = narrowed(document, "web_service", tmp_path)
        async with (
            served(mini) as behind,
            running(prism, "proxy", str(file), behind) as url,
            httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as client,
        ):
            mini.faults.append(Fault(status, {"content-type": "application/json"}))
            return await client.get(f"{url}/services/srv-it")

    answer = asyncio.run(live())
    known = document["paths"]["/services/{serviceId}"]["get"]["responses"]
    assert answer.status_code == status
    assert ("sl-violations" in answer.headers) == (str(status) not in known), answer.headers


@pytest.mark.parametrize("made_up", [(), ("--dynamic",)], ids=["by the examples", "by the schema"])
@pytest.mark.parametrize("kind", [*DETAILS, "staticSite", "cronJob"])
def test_whatever_fits_the_document_is_read(
    prism: str, document: dict[str, Any], tmp_path: Path, made_up: tuple[str, ...], kind: str
) -> None:
    async def live() -> None:
        file = narrowed(document, kind, tmp_path)
        async with running(prism, "mock", str(file), *made_up) as url, client_at(url) as api:
            for _ in range(20 if made_up else 1):
                await api.service("srv-it")
                await api.deploys("srv-it")
                await api.instances("srv-it")
                await api.happenings("srv-it", "2026-01-01T00:00:00Z")
                await api.store("dpg-1")
                await api.store("red-1")
                await api.log("tea-1", "srv-it", "2026-01-01T00:00:00Z", 20)
                for metric in (*METRICS, REQUESTS):
                    await api.metric(metric.path, ["srv-it"], metric.query)

    asyncio.run(live())
