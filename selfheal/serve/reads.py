"""Which facts can be asked for?

Everything under /observability: each route asks for the durable world, makes a view of it, and answers. What takes
more than a few milliseconds is made in a thread, which is safe because worlds are frozen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BeforeValidator, WithJsonSchema

from selfheal.errors import UnknownName
from selfheal.serve.auth import Gate
from selfheal.serve.models.anomalies import AnomaliesView
from selfheal.serve.models.base import Items
from selfheal.serve.models.fleet import (
    AgentDetail,
    AgentView,
    Experiment,
    Figure,
    HistoryView,
    Log,
    SignalsView,
    Summary,
)
from selfheal.serve.models.foresight import PredictionView
from selfheal.serve.models.incidents import Analysis, Fixes, IncidentDetail, IncidentView, StrategyView, TraceView
from selfheal.serve.models.maintenance import Maintenance
from selfheal.serve.models.report import IncidentReport
from selfheal.serve.ports import Lessons, Sources
from selfheal.serve.problems import Refusal, documented
from selfheal.serve.times import read_rfc3339, rfc3339
from selfheal.serve.views import fleet, foresight, maintenance
from selfheal.serve.views.anomalies import anomalies, dismissals, levels, suppressed
from selfheal.serve.views.counsel import model_view
from selfheal.serve.views.incidents import (
    fixes,
    incident_detail,
    incident_view,
    incidents,
    learned_cases,
    rates,
    reports,
    shadows,
    strategies,
)
from selfheal.serve.views.knowledge import known_signatures, signature_view
from selfheal.serve.views.markdown import markdown
from selfheal.serve.views.ranking import weights_view
from selfheal.serve.views.report import report
from selfheal.serve.views.traces import trace
from selfheal.world import Incident, World

MOST = 1000  # of any list
POINTS = 2000  # of a chart: more than a screen is wide
HOUR_S = 3600.0
AT_ONCE = 200  # agents shown without a pause: about 5 ms


def _read_time(given: object) -> object:
    """A time as text becomes seconds, which is what the world is told in."""
    return read_rfc3339(given) if isinstance(given, str) else given


Limit = Annotated[int, Query(ge=1, le=MOST, description="At most so many, the newest.")]
OfAgent = Annotated[str | None, Query(max_length=256, description="Only those of this agent.")]
Since = Annotated[
    Annotated[float, BeforeValidator(_read_time), WithJsonSchema({"type": "string", "format": "date-time"})] | None,
    Query(description="Only what began at this time or later."),
]
Until = Annotated[
    Annotated[float, BeforeValidator(_read_time), WithJsonSchema({"type": "string", "format": "date-time"})] | None,
    Query(description="Only what was before this time."),
]
Name = Annotated[str, Path(min_length=1, max_length=256, examples=["api:0"])]

T = TypeVar("T")


class Reads:
    """Answers questions."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def summary(self) -> Summary:
        """Everything at a glance."""
        world = await self._sources.shown()
        now = self._sources.clock.now()
        return fleet.summary(
            world,
            now,
            loops=self._sources.loops(),
            scorecard=self._sources.scorecard(world, now),
            ready=self._sources.ready(),
            trouble=self._sources.trouble(),
            vitals=self._sources.vitals,
        )

    async def agents(self, limit: Limit = MOST, since: Since = None) -> Items[AgentView]:
        """All agents, in the order of the configuration; `since` their state changed."""
        world = await self._sources.shown()
        names = [name for name, agent in world.agents.items() if agent.since >= _seconds(since)]
        shown: list[AgentView] = []
        for begin in range(0, min(limit, len(names)), AT_ONCE):
            shown += fleet.agents(world, self._sources.vitals, names[begin : min(begin + AT_ONCE, limit)])
            await self._sources.clock.sleep(
                0
            )  # checks go on between; vitals change, so that a thread may not read them
        return Items(items=shown, total=len(names))

    async def agent(self, name: Name) -> AgentDetail:
        """Everything that concerns one agent."""
        world = await self._sources.shown()
        if name not in world.agents:
            raise UnknownName(f"cannot find agent {name!r}: there is none of that name; /observability/agents has all")
        past = await self._sources.past(name)
        return fleet.agent_detail(world, self._sources.vitals, name, self._sources.clock.now(), past)

    async def incidents(self, limit: Limit = 100, since: Since = None) -> Items[IncidentView]:
        """Incidents, newest first; `since` they opened."""
        found = _opened_since(await self._sources.shown(), since)
        items = await _in_thread(lambda: [incident_view(one) for one in found[:limit]])
        return Items(items=items, total=len(found))

    async def incident(self, name: Annotated[str, Path(alias="id", max_length=256)]) -> IncidentDetail:
        """One incident with its story."""
        return incident_detail(_known(await self._sources.shown(), name))

    async def report(
        self,
        name: Annotated[str, Path(alias="id", max_length=256)],
        form: Annotated[Literal["json", "markdown"], Query(alias="format", description="What is answered.")] = "json",
    ) -> IncidentReport | Response:
        """An incident as a whole, after the fact: what it was, what it cost, and what would prevent the next one."""
        world = await self._sources.shown()
        told = report(world, _known(world, name), self._sources.clock.now(), self._sources.tables)
        if form == "json":
            return told
        return Response(markdown(told), media_type="text/markdown")

    async def predictions(self, limit: Limit = 100, since: Since = None) -> Items[PredictionView]:
        """Failures that are foreseen, likeliest first; `since` they were."""
        world = await self._sources.shown()
        found = foresight.predictions(world, self._sources.clock.now(), self._sources.vitals)
        return _newest([one for one in found if one.predicted_at >= _text(since)], limit)

    async def anomalies(self, limit: Limit = 100, since: Since = None) -> AnomaliesView:
        """What is not as usual: what lasts first, and what matters more before the rest; `since` it was seen."""
        world, now = await self._sources.shown(), self._sources.clock.now()
        found = [one for one in await _in_thread(lambda: anomalies(world, now)) if one.at >= _text(since)]
        return AnomaliesView(
            items=found[:limit],
            total=len(found),
            suppressed=suppressed(world.anomalies)[:limit],
            suppressed_total=dict(world.anomalies.counted),
            dismissals=dismissals(world.anomalies, now)[:limit],
            levels=levels(world.anomalies)[:limit],
        )

    async def maintenance(self, limit: Limit = 100, since: Since = None, agent: OfAgent = None) -> Maintenance:
        """Work that is planned or was done before a failure, and the windows; `since` it is due."""
        world = await self._sources.shown()
        due = (one for one in maintenance.work(world) if one.due_at >= _text(since))
        found = [one for one in due if agent in (None, one.agent)]
        return Maintenance(
            items=found[:limit],
            total=len(found),
            windows=maintenance.windows(self._sources.windows()),
            totals=maintenance.totals(world),
            left_alone=maintenance.left_alone(world),
        )

    async def fixes(self, limit: Limit = 100, since: Since = None) -> Fixes:
        """What was tried, newest first, `since` it began; and how likely each fix helps."""
        world = await self._sources.shown()
        lessons = self._lessons(world)
        tried, learned, suggested = await _in_thread(
            lambda: (fixes(incidents(world)), rates(world, lessons, limit), shadows(lessons)),
        )
        found = [one for one in tried if one.started_at >= _text(since)]
        return Fixes(items=found[:limit], total=len(found), rates=learned, shadow=suggested)

    async def strategies(self, limit: Limit = 100, since: Since = None, agent: OfAgent = None) -> Items[StrategyView]:
        """The learned order of fixes for each agent and cause; `since` a fix was last tried there."""
        world = await self._sources.shown()
        cases = [case for case in learned_cases(world, _seconds(since)) if agent in (None, case[0])]
        lessons = self._lessons(world)
        learned = await _in_thread(lambda: strategies(world, lessons, cases[:limit]))
        return Items(items=learned, total=len(cases))

    async def rca(self, limit: Limit = 100, since: Since = None) -> Analysis:
        """Diagnoses, newest first, `since` their incidents opened; and the knowledge base."""
        world = await self._sources.shown()
        opened = _opened_since(world, since)
        found = await _in_thread(lambda: reports(opened))
        model = model_view(world, self._sources.clock.now())
        lessons, weights = self._lessons(world), weights_view(world.weights)
        known = await _in_thread(
            lambda: [signature_view(one, world, lessons) for one in known_signatures(self._sources.patterns, world)]
        )
        return Analysis(items=found[:limit], total=len(found), knowledge=known, weights=weights, model=model)

    async def chaos(self, limit: Limit = 100, since: Since = None) -> Items[Experiment]:
        """Experiments. None was run: this version cannot."""
        return Items(items=[], total=0)

    async def traces(self, limit: Limit = 100, since: Since = None) -> Items[TraceView]:
        """What the time of incidents was spent on, newest first; `since` they opened."""
        found = _opened_since(await self._sources.shown(), since)
        items = await _in_thread(lambda: [trace(one) for one in found[:limit]])
        return Items(items=items, total=len(found))

    async def metrics(self, limit: Limit = MOST, since: Since = None) -> Items[SignalsView]:
        """The latest value of every signal; of agents at which was looked `since`."""
        world = await self._sources.shown()
        return _newest(fleet.signals(world, self._sources.vitals, _seconds(since)), limit)

    async def history(
        self,
        agent: Annotated[str, Query(min_length=1, max_length=256, description="Whose.", examples=["api:0"])],
        signal: Annotated[str, Query(min_length=1, max_length=512, description="Which.", examples=["latency"])],
        since: Since = None,
        until: Until = None,
        points: Annotated[int, Query(ge=1, le=POINTS, description="At most so many buckets.")] = 300,
    ) -> HistoryView:
        """A signal over time, in buckets of equal width; without `since` the last hour, without `until` up to now."""
        world = await self._sources.shown()
        if agent not in world.agents:
            raise UnknownName(f"cannot find agent {agent!r}: there is none of that name; /observability/agents has all")
        end = self._sources.clock.now() if until is None else until
        begin = max(0.0, end - HOUR_S) if since is None else since
        if begin >= end:
            raise Refusal(422, "invalid_request", "cannot draw this: since is not before until")
        drawing = await self._sources.draw(agent, signal, begin, end, points)
        return fleet.history(agent, signal, begin, end, drawing)

    def _lessons(self, world: World) -> Lessons:
        """What is learned as of now, to the hour: it fades by a fiftieth a day, and is reckoned once an hour."""
        now = self._sources.clock.now()
        return self._sources.lessons(world, now - now % HOUR_S)

    async def scorecard(self) -> dict[str, Figure]:
        """The daemon's own figures, measured, with counts and intervals."""
        world = await self._sources.shown()
        return fleet.figures(self._sources.scorecard(world, self._sources.clock.now()))

    async def logs(
        self,
        agent: Annotated[str | None, Query(max_length=256, description="Whose; without it the daemon's.")] = None,
        limit: Limit = 100,
        lines: Annotated[int | None, Query(ge=1, le=MOST, description="The same as `limit`.")] = None,
        cursor: Annotated[str, Query(max_length=256, description="That of the answer before.")] = "",
        since: Since = None,
    ) -> Log:
        """The last lines of an agent's output, or those behind a cursor.

        The daemon's own lines are those that it logged `since`. An agent writes its log itself, without times that
        are known: it is left out as a whole where nothing was written to it `since`.
        """
        tail = await self._sources.log_tail(agent, lines or limit, cursor, _seconds(since))
        return Log(items=list(tail.lines), cursor=tail.cursor)


def routes(reads: Reads, gate: Gate) -> APIRouter:
    """Return the routes under /observability, behind the gate."""
    router = APIRouter(
        prefix="/observability",
        tags=["observability"],
        dependencies=[Depends(gate.read)],
        responses=documented(400, 401, 503),
    )
    for path, question, statuses in (
        ("/summary", reads.summary, ()),
        ("/agents", reads.agents, (422,)),
        ("/agents/{name}", reads.agent, (404, 422)),
        ("/incidents", reads.incidents, (422,)),
        ("/incidents/{id}", reads.incident, (404, 422)),
        ("/predictions", reads.predictions, (422,)),
        ("/anomalies", reads.anomalies, (422,)),
        ("/maintenance", reads.maintenance, (422,)),
        ("/fixes", reads.fixes, (422,)),
        ("/strategies", reads.strategies, (422,)),
        ("/rca", reads.rca, (422,)),
        ("/chaos", reads.chaos, (422,)),
        ("/scorecard", reads.scorecard, ()),
        ("/metrics", reads.metrics, (422,)),
        ("/history", reads.history, (404, 422)),
        ("/traces", reads.traces, (422,)),
        ("/logs", reads.logs, (404, 422)),
    ):
        router.add_api_route(
            path,
            question,
            operation_id=f"read_{question.__name__}",
            summary=_summary(question),
            responses=documented(*statuses),
        )
    router.add_api_route(
        "/incidents/{id}/report",
        reads.report,
        operation_id="read_report",
        summary=_summary(reads.report),
        response_model=IncidentReport,
        responses={**documented(404, 422), 200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}},
    )
    return router


def _summary(question: Callable[..., object]) -> str:
    return (question.__doc__ or "").split(".")[0].split(";")[0]


def _known(world: World, name: str) -> Incident:
    if name not in world.incidents:
        raise UnknownName(
            f"cannot find incident {name!r}: there is none; /observability/incidents has all that are kept"
        )
    return world.incidents[name]


def _opened_since(world: World, since: float | None) -> list[Incident]:
    return [one for one in incidents(world) if one.opened_at >= _seconds(since)]


def _seconds(since: float | None) -> float:
    return since or 0.0


def _text(since: float | None) -> str:
    """RFC 3339 times in UTC of one length compare as text."""
    return rfc3339(_seconds(since))


def _newest(found: Sequence[T], limit: int) -> Items[T]:
    return Items(items=list(found[:limit]), total=len(found))


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)
