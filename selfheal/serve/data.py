"""What can be asked of the data layer, and ordered from it?"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from selfheal.serve.auth import Gate
from selfheal.serve.bodies import behind
from selfheal.serve.models.base import Items
from selfheal.serve.models.data import BackupDone, BackupView, JobView, RestoreDone
from selfheal.serve.models.fleet import Done
from selfheal.serve.ports import DataControl
from selfheal.serve.problems import documented
from selfheal.serve.times import read_rfc3339, rfc3339
from selfheal.serve.views.data import backup_view, job_view

Agent = Annotated[str, Path(alias="name", min_length=1, max_length=256, examples=["ledger"])]
MOST = 1000
_Time = Annotated[float, BeforeValidator(lambda given: read_rfc3339(given) if isinstance(given, str) else given)]


class WhichBackup(BaseModel):
    """Which backup is meant."""

    model_config = ConfigDict(extra="forbid")

    backup: str = Field("newest", min_length=1, max_length=64, description='Its id, "newest", or "any".')


class Restore(BaseModel):
    """What shall be put in place: the newest backup, that of an id, or the newest that was taken by a time."""

    model_config = ConfigDict(extra="forbid")

    backup: str = Field("newest", min_length=1, max_length=64, description='Its id, or "newest".')
    at: _Time | None = Field(None, description="RFC 3339: the data as they were then, or a little before.")
    dry_run: bool = Field(False, description="Say what would be done.")


class DataRoutes:
    """Answers and takes orders about data."""

    def __init__(self, control: DataControl, gate: Gate) -> None:
        self._control = control
        self._gate = gate

    async def backups(
        self,
        agent: Annotated[str | None, Query(max_length=256, description="Whose; without it all.")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST, description="At most so many, the newest.")] = 100,
        since: Annotated[_Time | None, Query(description="Only what was made at this time or later.")] = None,
    ) -> Items[BackupView]:
        """Backups, newest first; those that count, and those that do not."""
        found = [one for one in await self._control.backups(agent) if one.at >= (since or 0.0)]
        newest = sorted(found, key=lambda one: one.at, reverse=True)
        return Items(items=[backup_view(one) for one in newest[:limit]], total=len(newest))

    async def jobs(self) -> Items[JobView]:
        """Work on data that is under way, and how far it is."""
        jobs = [job_view(one) for one in await self._control.jobs()]
        return Items(items=jobs, total=len(jobs))

    async def back_up(self, request: Request, agent: Agent) -> BackupDone:
        """Make a backup, restore it to a scratch place and prove it; answered when that is done."""
        made = backup_view(await self._control.back_up(agent, self._gate.by(request)))
        return BackupDone(done="backup", target=agent, message=f"{agent}: backed up and proved: {made.id}", backup=made)

    async def verify(
        self, request: Request, agent: Agent, which: Annotated[WhichBackup | None, Body()] = None
    ) -> BackupDone:
        """Restore a backup to a scratch place and prove it once more."""
        wanted = which.backup if which is not None else "newest"
        proved = backup_view(await self._control.verify(agent, wanted, self._gate.by(request)))
        return BackupDone(done="verify", target=agent, message=f"{agent}: {proved.id} is sound", backup=proved)

    async def accept(self, request: Request, agent: Agent) -> Done:
        """Take the data as they are for sound, whatever was seen of them before."""
        said = await self._control.accept(agent, self._gate.by(request))
        return Done(done="accept", target=agent, message=f"{agent}: {said}")

    async def restore(self, request: Request, agent: Agent, wanted: Restore) -> RestoreDone:
        """Put a backup in the place of the data: its writers are stopped meanwhile, the old data kept aside."""
        plan = await self._control.plan_restore(agent, wanted.backup, wanted.at)
        taken_at, writers = rfc3339(plan.backup.proof.as_of), list(plan.writers)
        if wanted.dry_run:
            return RestoreDone(
                done="restore",
                target=agent,
                message=f"{agent}: {plan.backup.id} would be put in place",
                dry_run=True,
                source=plan.backup.id,
                taken_at=taken_at,
                aside="",
                lost_seconds=None,
                lost={},
                writers=writers,
            )
        restored = await self._control.restore(agent, plan.backup.id, self._gate.by(request))
        return RestoreDone(
            done="restore",
            target=agent,
            message=f"{agent}: {restored.source} is in place",
            dry_run=False,
            source=restored.source,
            taken_at=taken_at,
            aside=restored.aside,
            lost_seconds=restored.lost_s,
            lost=dict(restored.lost),
            writers=writers,
        )


def routes(data: DataRoutes, gate: Gate) -> APIRouter:
    """Return the routes of the data layer, each behind the gate that fits it."""
    router = APIRouter(responses=documented(400, 401, 422, 503))
    for path, question in (("/observability/backups", data.backups), ("/observability/jobs", data.jobs)):
        router.add_api_route(
            path,
            question,
            methods=["GET"],
            operation_id=question.__name__,
            summary=(question.__doc__ or "").split(".")[0],
            tags=["observability"],
            dependencies=[Depends(gate.read)],
            responses=documented(404),
        )
    for path, order in (
        ("backup", data.back_up),
        ("verify", data.verify),
        ("accept", data.accept),
        ("restore", data.restore),
    ):
        router.add_api_route(
            f"/control/agents/{{name}}/{path}",
            order,
            methods=["POST"],
            operation_id=order.__name__,
            summary=(order.__doc__ or "").split(".")[0],
            tags=["control"],
            route_class_override=behind(gate.control),
            responses=documented(403, 404, 409, 413, 507),
        )
    return router
