"""A Render.com in miniature: its REST API over an estate of services.

What is asked for in a way that the real one does not know is answered as that answers, and kept in `wrong`. Time is the
clock's: the same estate serves over HTTP on this machine, and without any connection in virtual time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

from selfheal.render.api import Answer, Request, Unanswered
from tests.real.render_estate import ENDED, Deploy, Estate, Service, Store
from tests.real.servers import Handler, serving

KEY = "rnd_key-of-the-miniature"
OWNER = "tea-1"


@dataclass(frozen=True)
class Fault:
    """What the next call meets instead of an answer, or as one."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    slow_s: float = 0.0
    refused: bool = False


@dataclass
class Miniature:
    """The API over an estate, and what was asked of it. `faults` are met one a call; `down` lets nobody in."""

    estate: Estate
    faults: list[Fault] = field(default_factory=list)
    down: bool = False
    heard: list[str] = field(default_factory=list)
    bodies: list[object] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    queue_deploys: bool = False

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer as Render does. The names of `headers` are in lower case."""
        self.estate.pass_time()
        parts = urlsplit(target)
        self.heard.append(f"{method} {parts.path}")
        if not parts.path.startswith("/v1/"):
            return self._no(404, f"no such version: {parts.path}")
        if headers.get("authorization") != f"Bearer {KEY}":
            return self._no(401, "unauthorized", strict=False)
        try:
            told = json.loads(body) if body else None
        except ValueError:
            return self._no(400, "invalid JSON")
        self.bodies.append(told)
        if body and headers.get("content-type") != "application/json":
            return self._no(406, "send application/json")
        words = parts.path.removeprefix("/v1/").split("/")
        said = parse_qsl(parts.query, strict_parsing=bool(parts.query))
        if method == "GET" and told is None and words[0] == "metrics":
            return self._metric(words[1:], said)
        query = dict(said)
        if len(query) != len(said):
            return self._no(400, f"said twice: {said}")
        if method == "GET" and told is None and words == ["logs"]:
            return self._logs(query)
        if method == "GET" and told is None:
            return self._get(words, query)
        if method == "POST" and not query:
            return self._post(words, told)
        return self._no(405, f"{method} {target}")

    def _get(self, words: list[str], query: Mapping[str, str]) -> Answer:
        service = self.estate.services.get(words[1]) if words[0] == "services" and len(words) > 1 else None
        store = self.estate.stores.get(words[1]) if words[0] in ("postgres", "key-value") and len(words) > 1 else None
        keys = set(query)
        if store is not None and len(words) == 2 and not keys:
            return _json(200, self._store(store))
        if service is None:
            return self._no(404, f"not found: {'/'.join(words)}", strict=store is not None)
        match words[2:]:
            case [] if not keys:
                return _json(200, self._service(service))
            case ["instances"] if not keys:
                return _json(200, [{"id": one, "createdAt": _time(at)} for one, at in service.instances])
            case ["deploys"] if keys <= {"limit", "cursor"}:
                return self._paged([{"deploy": _deploy(one), "cursor": one.id} for one in service.deploys], query)
            case ["events"] if keys <= {"limit", "cursor", "startTime"}:
                begin = query.get("startTime", "")
                since = datetime.fromisoformat(begin).timestamp() if begin else self.estate.clock.now() - 3600.0
                numbered = enumerate(service.events)
                happened = [_event(service.id, number, one) for number, one in numbered if one[0] >= since]
                return self._paged(happened[::-1], query)
            case _:
                return self._no(404, f"not found: {'/'.join(words)}")

    def _metric(self, words: list[str], said: Sequence[tuple[str, str]]) -> Answer:
        """A series for each resource that is asked for; of requests one for each status."""
        asked, query = [value for key, value in said if key == "resource"], dict(said)
        known = {"memory", "cpu", "http-latency", "http-requests", "disk-usage", "disk-capacity"}
        if len(words) != 1 or words[0] not in known or not asked:
            return self._no(404, f"not found: metrics {words}")
        since = datetime.fromisoformat(query["startTime"]).timestamp()
        if float(query.get("resolutionSeconds", "60")) < 30 or since > self.estate.clock.wall():
            return self._no(400, f"invalid: {query}")
        here = self.estate.services.keys() | self.estate.stores.keys()
        found = [
            _series(resource, labels, value, unit, self.estate.clock.wall())
            for resource in asked
            if resource in here
            for labels, value, unit in self.estate.metrics.get((words[0], resource), ())
        ]
        return _json(200, found)

    def _logs(self, query: Mapping[str, str]) -> Answer:
        if query.get("ownerId") != OWNER or "resource" not in query or not 1 <= int(query.get("limit", "20")) <= 100:
            return self._no(400, f"invalid: {query}")
        until = datetime.fromisoformat(query["endTime"]).timestamp() if "endTime" in query else self.estate.clock.wall()
        written = [one for one in self.estate.logs.get(query["resource"], ()) if one[0] <= until][::-1]
        page = written[: int(query.get("limit", "20"))]
        entries = [
            {"id": f"log-{number}", "message": text, "timestamp": _time(at), "labels": []}
            for number, (at, text) in enumerate(page)
        ]
        more = {"hasMore": len(page) < len(written), "nextStartTime": _time(0), "nextEndTime": _time(until)}
        return _json(200, {**more, "logs": entries})

    def _post(self, words: list[str], told: object) -> Answer:
        estate = self.estate
        match words:
            case ["services", name, *what] if name in estate.services:
                return self._do(estate.services[name], what, told)
            case ["postgres", name, "restart" | "failover" as what] if told is None and name in estate.stores:
                store = estate.stores[name]
                if what == "failover" and not store.standby:
                    return self._no(400, "high availability is not enabled", strict=False)
                store.status, store.available_at = "unavailable", estate.clock.now() + estate.restart_s
                return _empty(202)
            case ["postgres" | "key-value", name, "resume"] if told is None and name in estate.stores:
                estate.stores[name].suspenders.clear()
                return _empty(202)
            case _:
                return self._no(404, f"not found: {'/'.join(words)}", strict=False)

    def _do(self, service: Service, what: list[str], told: object) -> Answer:
        now = self.estate.clock.now()
        if service.suspenders and what != ["resume"]:
            return self._no(400, "service is suspended")
        match what, told:
            case ["restart"], None if service.kind not in ("cron_job", "static_site"):
                service.restarting_until = now + self.estate.restart_s
                service.crashes = False
                return _empty(200)
            case ["resume"], None:
                service.suspenders.clear()
                service.restarting_until = now + self.estate.restart_s
                return _empty(202)
            case ["scale"], {"numInstances": int(count)} if not service.disk:
                service.count = count
                service.instances = [*service.instances, (self.estate.new_id("srv-i"), now)][:count]
                return _empty(202)
            case ["rollback"], {"deployId": str(name)}:
                old = next((one for one in service.deploys if one.id == name), None)
                if old is None or old.status != "deactivated":
                    return self._no(404, "no such deploy", strict=False)
                if any(one.status not in ENDED for one in service.deploys):
                    return self._no(409, "a deploy is in progress", strict=False)
                return _json(201, _deploy(self.estate.push(service, old.commit, "rollback")))
            case ["deploys"], {"clearCache": "clear" | "do_not_clear", **rest} if set(rest) <= {"commitId"}:
                newest = service.deploys[0].commit
                deploy = self.estate.push(service, str(rest.get("commitId", newest)), "api")
                return _empty(202) if self.queue_deploys else _json(201, _deploy(deploy))
            case ["deploys", name, "cancel"], None:
                found = next((one for one in service.deploys if one.id == name), None)
                if found is None or found.status in ENDED:
                    return self._no(409, "it has ended", strict=False)
                found.status, found.steps, found.finished = "canceled", [], now
                return _json(200, _deploy(found))
            case _:
                pass
        return self._no(400, f"invalid: POST {what} {told}")

    def _paged(self, rows: Sequence[Mapping[str, object]], query: Mapping[str, str]) -> Answer:
        limit = int(query.get("limit", "20"))
        if not 1 <= limit <= 100:
            return self._no(400, "limit is from 1 to 100")
        begin = 0
        if "cursor" in query:
            begin = next(place for place, row in enumerate(rows, 1) if row["cursor"] == query["cursor"])
        return _json(200, rows[begin : begin + limit])

    def _no(self, status: int, message: str, *, strict: bool = True) -> Answer:
        if strict:
            self.wrong.append(message)
        return _json(status, {"message": message})

    def _service(self, service: Service) -> dict[str, object]:
        scaling = {"cpu": {"enabled": True, "percentage": 60}, "memory": {"enabled": False, "percentage": 60}}
        details: dict[str, object] = {
            "env": "python", "runtime": "python", "plan": "starter", "region": "frankfurt", "buildPlan": "starter",
            "envSpecificDetails": {"buildCommand": "make", "startCommand": "./run"}, "numInstances": service.count,
            "healthCheckPath": "/up", "openPorts": [], "url": f"https://{service.id}.onrender.com",
        }  # fmt: skip
        if service.autoscaling:
            details["autoscaling"] = {"enabled": True, "min": 1, "max": 3, "criteria": scaling}
        if service.disk:
            details["disk"] = {"id": "dsk-1", "name": "data", "sizeGB": 10, "mountPath": "/var/data"}
        return {
            "id": service.id, "name": f"name of {service.id}", "ownerId": OWNER, "type": service.kind,
            "createdAt": _time(0), "updatedAt": _time(0), "slug": service.id, "rootDir": "",
            "dashboardUrl": f"https://dashboard.render.com/web/{service.id}",
            "suspended": "suspended" if service.suspenders else "not_suspended", "suspenders": service.suspenders,
            "autoDeploy": "yes", "notifyOnFail": "default", "serviceDetails": details,
        }  # fmt: skip

    def _store(self, store: Store) -> dict[str, object]:
        suspended = bool(store.suspenders)
        told: dict[str, object] = {
            "id": store.id,
            "name": store.id,
            "status": "suspended" if suspended else store.status,
            "version": "16",
            "region": "frankfurt",
            "createdAt": _time(0),
            "updatedAt": _time(0),
            "ipAllowList": [],
            "owner": {"id": OWNER, "name": "we", "email": "we@example.org", "type": "team"},
        }
        if store.id.startswith("red-"):  # of these nothing else says that they are suspended
            return told | {"plan": "starter", "options": {"maxmemoryPolicy": "noeviction"}}
        return told | {
            "suspended": "suspended" if suspended else "not_suspended",
            "suspenders": store.suspenders,
            "highAvailabilityEnabled": store.standby,
            "plan": "basic_1gb",
            "dashboardUrl": f"https://dashboard.render.com/d/{store.id}",
            "databaseName": "shop",
            "databaseUser": "shop",
            "project": "",
            "readReplicas": [],
            "role": "primary",
            "diskAutoscalingEnabled": False,
            "connectionPool": "none",
        }


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _deploy(deploy: Deploy) -> dict[str, object]:
    told: dict[str, object] = {
        "id": deploy.id, "status": deploy.status, "trigger": deploy.trigger, "createdAt": _time(deploy.created),
        "startedAt": _time(deploy.created), "updatedAt": _time(deploy.created),
        "commit": {"id": deploy.commit, "message": "as it is", "createdAt": _time(deploy.created)},
    }  # fmt: skip
    return told | ({"finishedAt": _time(deploy.finished)} if deploy.finished else {})


def _event(service: str, number: int, event: tuple[float, str, dict[str, object]]) -> dict[str, object]:
    at, kind, details = event
    name = f"evt-{number:020}"
    told = {"id": name, "timestamp": _time(at), "serviceId": service, "type": kind, "details": details}
    return {"event": told, "cursor": name}


def _series(resource: str, labels: Mapping[str, str], value: float, unit: str, now: float) -> dict[str, object]:
    told = {"service": resource, **labels}
    points = [{"timestamp": _time(now - age), "value": value, "unit": unit} for age in (120.0, 60.0)]
    return {"labels": [{"field": key, "value": text} for key, text in told.items()], "values": points, "unit": unit}


_LIMITS = {"ratelimit-limit": "400", "ratelimit-remaining": "399", "ratelimit-reset": "42"}


def _json(status: int, content: object) -> Answer:
    return Answer(
        status,
        {**_LIMITS, "render-request-id": "req-1", "content-type": "application/json"},
        json.dumps(content).encode(),
    )


def _empty(status: int) -> Answer:
    return Answer(status, {**_LIMITS, "render-request-id": "req-1"}, b"")


# --- how it is reached ---------------------------------------------------------------------------------------------


class Unconnected:
    """The way to an estate in virtual time: no bytes, and the same faults."""

    def __init__(self, mini: Miniature) -> None:
        self._mini = mini
        self.closed = False

    async def __call__(self, request: Request, timeout_s: float) -> Answer:
        mini = self._mini
        fault = mini.faults.pop(0) if mini.faults else Fault(refused=True) if mini.down else None
        if fault is not None and fault.refused:
            raise Unanswered("no connection", sent=False)
        await mini.estate.clock.sleep(0.1)
        query = urlencode(request.query, doseq=True)
        headers = {"authorization": f"Bearer {KEY}"}
        body = b""
        if request.body is not None:
            body, headers["content-type"] = json.dumps(dict(request.body)).encode(), "application/json"
        if fault is not None and fault.status:
            mini.heard.append(f"{request.method} /v1{request.path}")
            return _faulty(fault)
        answer = mini.answer(request.method, f"/v1{request.path}?{query}".rstrip("?"), headers, body)
        if fault is not None and fault.cut:
            raise Unanswered("the connection was lost", sent=True)
        if fault is not None and fault.slow_s:
            await mini.estate.clock.sleep(timeout_s)
            raise Unanswered(f"no answer within {timeout_s:g} s", sent=True)
        return answer

    async def close(self) -> None:
        self.closed = True


def _faulty(fault: Fault) -> Answer:
    body = json.dumps({"message": f"as told: {fault.status}"}).encode()
    return Answer(fault.status, {"render-request-id": "req-of-a-fault", **fault.headers}, body)


@asynccontextmanager
async def served(mini: Miniature) -> AsyncIterator[str]:
    """The estate on a port of this machine; its address, with the version, is given."""
    async with serving(_handler(mini)) as port:
        yield f"http://127.0.0.1:{port}/v1"


def _handler(mini: Miniature) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            method, target, _ = first.split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            fault = mini.faults.pop(0) if mini.faults else None
            if fault is not None and fault.status:
                mini.heard.append(f"{method} {target}")
                answer = _faulty(fault)
            else:
                answer = mini.answer(method, target, headers, body)
            if fault is not None and fault.cut:
                return
            if fault is not None and fault.slow_s:
                await mini.estate.clock.sleep(fault.slow_s)
            told = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
            length = f"content-length: {len(answer.body)}\r\n"
            writer.write(f"HTTP/1.1 {answer.status} As it is\r\n{told}{length}\r\n".encode() + answer.body)
            await writer.drain()

    return handle
