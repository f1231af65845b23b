"""Which orders can be given, and which signs reported?"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from selfheal.errors import NotSaved, RefusedByPolicy, UnknownName
from selfheal.serve.auth import Gate
from selfheal.serve.bodies import behind
from selfheal.serve.models.fleet import Done, NotReady, OrderDone, ReloadDone
from selfheal.serve.ports import Control, Order, Reloaded
from selfheal.serve.problems import documented
from selfheal.serve.times import span

LONGEST = 500  # of what a webhook may tell about one alert: it becomes an incident's sign
MOST_ALERTS = 1000
MOST_AGENTS = 1000

Agent = Annotated[str, Path(alias="name", min_length=1, max_length=256, examples=["api:0"])]
Anomaly = Annotated[str, Path(alias="id", min_length=1, max_length=256, examples=["ano-7"])]
Incident = Annotated[str, Path(alias="id", min_length=1, max_length=256, examples=["i1"])]


class Whose(BaseModel):
    """Which agent an order is about; null means all."""

    model_config = ConfigDict(extra="forbid")

    agent: str | None = Field(None, min_length=1, max_length=256)


class Which(BaseModel):
    """Which agents an order is about: names, and patterns such as `api:*`."""

    model_config = ConfigDict(extra="forbid")

    agents: list[Annotated[str, Field(min_length=1, max_length=256)]] = Field(min_length=1, max_length=MOST_AGENTS)


class Who(BaseModel):
    """Who gives an order, in words, where several share a way to the daemon."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field("", max_length=64, examples=["ann"])


Signed = Annotated[Who | None, Body()]


class Size(BaseModel):
    """How many instances an agent shall have."""

    model_config = ConfigDict(extra="forbid")

    instances: int = Field(ge=0, examples=[3])


class HowLong(BaseModel):
    """For how long no alerts are told, and of which agent; null means all."""

    model_config = ConfigDict(extra="forbid")

    agent: str | None = Field(None, min_length=1, max_length=256)
    seconds: float = Field(ge=0, le=7 * 86_400, description="0 ends it.", examples=[3600])


class Truth(BaseModel):
    """What the cause of an incident was: that which the diagnosis says, not that one, or another."""

    model_config = ConfigDict(extra="forbid")

    right: bool | None = Field(None, description="Whether the diagnosis is right; needs no cause.")
    cause: str | None = Field(None, min_length=1, max_length=256, examples=["out_of_memory"])
    agent: str = Field("", max_length=256, description="Where it was; the incident's own agent where it is not said.")

    @model_validator(mode="after")
    def _either(self) -> Truth:
        if (self.right is None) == (self.cause is None):
            raise ValueError("give either 'right' or 'cause'")
        return self


class Alert(BaseModel):
    """One alert of Alertmanager's. Its label `agent` names the agent that fails."""

    status: str = "firing"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}

    @property
    def text(self) -> str:
        """What it says, in one line."""
        name = self.labels.get("alertname", "alert")
        says = self.annotations.get("summary") or self.annotations.get("description") or ""
        return f"{name}: {says}"[:LONGEST] if says else name[:LONGEST]


class Notification(BaseModel):
    """What Alertmanager posts, as far as it is needed here."""

    alerts: list[Alert] = Field(max_length=MOST_ALERTS)


class Taken(BaseModel):
    """What became of a notification: agents that it was taken for, and names that no agent has."""

    taken: list[str]
    unknown: list[str]


class Controls:
    """Takes orders. Every one says who gave it."""

    def __init__(self, control: Control, gate: Gate) -> None:
        self._control = control
        self._gate = gate

    async def start(self, request: Request, agent: Agent) -> Done:
        """Start an agent, and close its breaker."""
        await self._control.start(agent, self._gate.by(request))
        return Done(done="start", target=agent, message=f"{agent}: started")

    async def stop(self, request: Request, agent: Agent) -> Done:
        """Stop an agent, until it is started again."""
        await self._control.stop(agent, self._gate.by(request))
        return Done(done="stop", target=agent, message=f"{agent}: stopped")

    async def restart(self, request: Request, agent: Agent) -> Done:
        """Stop an agent and start it again."""
        await self._control.restart(agent, self._gate.by(request))
        return Done(done="restart", target=agent, message=f"{agent}: restarted")

    async def approve(self, request: Request, incident: Incident) -> Done:
        """Let the fix happen for which an incident waits."""
        await self._control.approve(incident, self._gate.by(request))
        return Done(done="approve", target=incident, message=f"incident {incident}: approved")

    async def reject(self, request: Request, incident: Incident) -> Done:
        """Forbid the fix for which an incident waits."""
        await self._control.reject(incident, self._gate.by(request))
        return Done(done="reject", target=incident, message=f"incident {incident}: rejected")

    async def label(self, request: Request, incident: Incident, truth: Truth) -> Done:
        """Say what the cause of an incident was: it counts in the scorecard, and later words replace earlier ones."""
        cause = truth.cause if truth.cause is not None else None if truth.right else ""
        await self._control.label(incident, cause, truth.agent, self._gate.by(request))
        said = {None: "the cause is right", "": "the cause is not right"}.get(cause, f"the cause was {cause}")
        return Done(done="label", target=incident, message=f"incident {incident}: {said}")

    async def pause(self, request: Request, whose: Annotated[Whose | None, Body()] = None) -> Done:
        """Turn healing off, for one agent or all: nobody but a person acts."""
        agent = whose.agent if whose else None
        await self._control.pause(agent, self._gate.by(request))
        return Done(done="pause", target=agent, message=f"healing of {agent or 'all agents'} is paused")

    async def resume(self, request: Request, whose: Annotated[Whose | None, Body()] = None) -> Done:
        """Turn healing on again, for one agent or all."""
        agent = whose.agent if whose else None
        await self._control.resume(agent, self._gate.by(request))
        return Done(done="resume", target=agent, message=f"healing of {agent or 'all agents'} is on again")

    async def mute(self, request: Request, how_long: HowLong) -> Done:
        """Let nothing that begins be told for a while, of one agent or all; healing goes on."""
        agent, whose = how_long.agent, f" of {how_long.agent}" if how_long.agent else ""
        await self._control.mute(agent, how_long.seconds, self._gate.by(request))
        told = f"no alerts{whose} for {span(how_long.seconds)}" if how_long.seconds else f"alerts{whose} are told again"
        return Done(done="mute", target=agent, message=told)

    async def dismiss_anomaly(self, request: Request, anomaly: Anomaly, who: Signed = None) -> Done:
        """Say that an anomaly was not worth telling: the same again is told less easily, for some weeks."""
        await self._control.dismiss(anomaly, self._signed(request, who))
        return Done(done="dismiss", target=anomaly, message=f"{anomaly}: dismissed, the same is told less easily")

    async def restore_anomaly(self, request: Request, anomaly: Anomaly, who: Signed = None) -> Done:
        """Take back that an anomaly was dismissed."""
        await self._control.restore(anomaly, self._signed(request, who))
        return Done(done="restore", target=anomaly, message=f"{anomaly}: the same is told as before")

    def _signed(self, request: Request, who: Who | None) -> str:
        by = self._gate.by(request)
        return f"{who.by} ({by})" if who is not None and who.by else by

    async def start_all(self, request: Request, which: Which) -> OrderDone:
        """Start several agents in the order of their dependencies."""
        return await self._order("start", which, request)

    async def stop_all(self, request: Request, which: Which) -> OrderDone:
        """Stop several agents, those that depend on others first."""
        return await self._order("stop", which, request)

    async def restart_all(self, request: Request, which: Which) -> OrderDone:
        """Restart several agents one after the other, each once the one before is ready."""
        return await self._order("restart", which, request)

    async def _order(self, order: Order, which: Which, request: Request) -> OrderDone:
        names = await self._control.order(order, which.agents, self._gate.by(request))
        done = {"start": "started", "stop": "stopped", "restart": "restarted"}[order]
        return OrderDone(done=order, target=None, message=f"{', '.join(names)}: {done}", agents=list(names))

    async def scale(self, request: Request, agent: Agent, size: Size) -> ReloadDone:
        """Add or take away instances of an agent, until its configuration says another number."""
        done = await self._control.scale(agent, size.instances, self._gate.by(request))
        return _reloaded("scale", agent, f"{agent} has {size.instances} now", done)

    async def reload(self, request: Request) -> ReloadDone:
        """Take in the changed configuration; a bad one changes nothing."""
        done = await self._control.reload(self._gate.by(request))
        return _reloaded("reload", None, "the configuration was read again", done)

    async def run_experiment(self) -> Done:
        """Run a chaos experiment. This version cannot."""
        raise RefusedByPolicy("cannot run an experiment: this version has none")

    async def stop_experiment(self) -> Done:
        """Stop the chaos experiment that runs. This version has none."""
        raise RefusedByPolicy("cannot stop an experiment: none runs, this version has none")

    async def alertmanager(self, notification: Notification) -> Taken:
        """Take Alertmanager's firing alerts as signs of failure of the agents that their label `agent` names."""
        taken, unknown, unsaved = [], [], None
        for alert in notification.alerts:
            agent = alert.labels.get("agent", "")
            if alert.status != "firing" or not agent:
                continue
            try:
                await self._control.external_failure(agent, alert.text)
                taken.append(agent)
            except UnknownName:
                unknown.append(agent)
            except NotSaved as why:  # the others are taken all the same; Alertmanager will send all of them again
                unsaved = why
        if unsaved is not None:
            raise unsaved
        if unknown and not taken:
            raise UnknownName(
                f"cannot take these alerts: there is no agent of the name {', '.join(map(repr, unknown))}"
            )
        return Taken(taken=taken, unknown=unknown)

    async def heartbeat(self, agent: Annotated[str, Path(min_length=1, max_length=256)]) -> Done:
        """Take a sign of life of an agent, with its own token."""
        await self._control.heartbeat(agent)
        return Done(done="heartbeat", target=agent, message=f"{agent}: alive")


def _reloaded(order: str, agent: str | None, message: str, done: Reloaded) -> ReloadDone:
    counts = {
        "added": done.added,
        "removed": done.removed,
        "restarted": done.restarted,
        "changed": done.changed,
        "failed": done.failed,
        "unchanged": done.unchanged,
    }
    told = ", ".join(f"{len(names)} {what}" for what, names in counts.items() if names) or "there is no agent"
    return ReloadDone(
        done=order,
        target=agent,
        message=f"{message}: {told}",
        added=list(done.added),
        removed=list(done.removed),
        restarted=list(done.restarted),
        changed=list(done.changed),
        unchanged=list(done.unchanged),
        failed=[NotReady(agent=name, why=why) for name, why in done.failed.items()],
        left=list(done.left),
        settings=list(done.settings),
        pending=list(done.pending),
    )


def routes(controls: Controls, gate: Gate) -> APIRouter:
    """Return the routes that change something, each behind the gate that fits it."""
    router = APIRouter(responses=documented(400, 401, 404, 409, 413, 422, 503, 507))
    for path, order, guard in (
        ("/control/agents/{name}/start", controls.start, gate.control),
        ("/control/agents/{name}/stop", controls.stop, gate.control),
        ("/control/agents/{name}/restart", controls.restart, gate.control),
        ("/control/agents/{name}/scale", controls.scale, gate.control),
        ("/control/start", controls.start_all, gate.control),
        ("/control/stop", controls.stop_all, gate.control),
        ("/control/restart", controls.restart_all, gate.control),
        ("/control/incidents/{id}/approve", controls.approve, gate.control),
        ("/control/incidents/{id}/reject", controls.reject, gate.control),
        ("/control/incidents/{id}/cause", controls.label, gate.control),
        ("/control/anomalies/{id}/dismiss", controls.dismiss_anomaly, gate.control),
        ("/control/anomalies/{id}/restore", controls.restore_anomaly, gate.control),
        ("/control/pause", controls.pause, gate.control),
        ("/control/resume", controls.resume, gate.control),
        ("/control/mute", controls.mute, gate.control),
        ("/control/reload", controls.reload, gate.control),
        ("/control/chaos/run", controls.run_experiment, gate.control),
        ("/control/chaos/stop", controls.stop_experiment, gate.control),
        ("/webhooks/alertmanager", controls.alertmanager, gate.control),
        ("/heartbeat/{agent}", controls.heartbeat, gate.heartbeat),
    ):
        router.add_api_route(
            path,
            order,
            methods=["POST"],
            operation_id=order.__name__,
            summary=(order.__doc__ or "").split(".")[0],
            tags=["signs" if path.startswith(("/webhooks", "/heartbeat")) else "control"],
            route_class_override=behind(guard),
            responses=documented(403, 504) if guard == gate.control else {},
        )
    return router
