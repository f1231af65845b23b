"""What can be done to a service at Render, and when is it done?

That a call succeeded is no recovery: each act waits until Render says that the instances or the deploy are there. What
the calls took and what Render took is told apart: the one is ours, the other nobody can do anything about.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar, assert_never

from selfheal.clock import Clock
from selfheal.errors import FixFailed, RenderFailed
from selfheal.render.api import RenderApi
from selfheal.render.reading import CRASH_LOOP, Deploy, Service, Store, by_whom, previous
from selfheal.vocabulary import ServiceAct

# Render is asked whether it is done after this, and then less and less often: of 400 questions a minute that all agents
# share, one act takes a dozen at most.
FIRST_S, SLOWER, SLOWEST_S = 2.0, 1.5, 15.0
# A restart that nobody has seen by then was none. A deploy may build for long; its fix gives it up after an hour.
RESTART_S, DEPLOY_S = 600.0, 3500.0
# A database that is restarted says that it is available for a moment still.
BEGINS_S = 20.0

_T = TypeVar("_T")


class Acts:
    """What is done to services. `do` raises FixFailed, or RenderFailed where the API does not do it."""

    def __init__(self, api: RenderApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock

    async def do(self, service: str, act: ServiceAct, most: int) -> str:
        """Do it and wait until it is done; returns in words what was done and how long who took."""
        if service.startswith(("dpg-", "red-")):
            return await self._store(service, act)
        match act:
            case "restart":
                return await self._restart(await self._fit(service))
            case "cancel_deploy":
                return await self._cancel(service)
            case "roll_back":
                return await self._roll_back(await self._fit(service))
            case "redeploy" | "redeploy_clear_cache":
                return await self._redeploy(await self._fit(service), clear=act == "redeploy_clear_cache")
            case "resume":
                return await self._resume(service)
            case "scale":
                return await self._scale(await self._fit(service), most)
            case "fail_over":
                raise FixFailed(f"cannot fail {service} over: only a PostgreSQL with high availability has a standby")
        assert_never(act)

    # --- services ---

    async def _fit(self, service: str) -> Service:
        """A service to which something can be done."""
        found = await self._api.service(service)
        if found.is_suspended:
            raise FixFailed(
                f"cannot do that to {service}: it was suspended by {by_whom(found.suspenders)}; resume it first"
            )
        return found

    async def _restart(self, service: Service) -> str:
        if not service.has_instances:
            raise FixFailed(f"cannot restart {service.id}: a {service.type} has no instances")
        deployed = await self._deployed_meanwhile(service.id)
        if deployed:
            return deployed
        before = {one.id: one.created_at for one in await self._api.instances(service.id)}
        since = _rfc3339(self._clock.wall())
        call_s = await self._timed(self._api.restart(service.id))

        async def started() -> str:
            now = await self._api.instances(service.id)
            new = [one for one in now if one.id not in before or before[one.id] != one.created_at]
            if now and len(new) == len(now):
                return f"{len(now)} of its instances are new"
            told = {one.type for one in await self._api.happenings(service.id, since)}
            return "it is available again" if now and {"server_restarted", "server_available"} <= told else ""

        said, took_s = await self._until(started, RESTART_S, f"{service.id} to start again")
        return f"{service.name or service.id} was restarted: {said}; {_took(call_s, took_s)}"

    async def _deployed_meanwhile(self, service: str) -> str:
        """Wait for the end of a deploy that is in progress: one that becomes live is a start anew, and what was
        restarted in its midst might be neither version. Empty where there is none, or it has failed.
        """
        deploy = next((one for one in await self._api.deploys(service) if one.in_progress), None)
        if deploy is None:
            return ""
        ended, took_s = await self._until(
            lambda: self._ended(service, deploy.id), RESTART_S, f"deploy {deploy.words}, which was in progress already,"
        )
        if ended.status != "live":
            return ""
        said = f"deploy {deploy.words}, which was in progress, is live now"
        return f"nothing was restarted: {said}; Render took {took_s:.0f} s"

    async def _cancel(self, service: str) -> str:
        deploy = next((one for one in await self._api.deploys(service) if one.in_progress), None)
        if deploy is None:
            raise FixFailed(f"cannot cancel a deploy of {service}: none is in progress")
        call_s = await self._timed(self._api.cancel(service, deploy.id))
        ended, took_s = await self._until(
            lambda: self._ended(service, deploy.id), RESTART_S, f"{deploy.id} to be canceled"
        )
        if ended.status != "canceled":
            raise FixFailed(f"deploy {deploy.words} ended as {ended.status} before it was canceled")
        return f"deploy {deploy.words}, which was in the state {deploy.status}, was canceled; {_took(call_s, took_s)}"

    async def _roll_back(self, service: Service) -> str:
        pair = previous(await self._api.deploys(service.id, all_of_them=True))
        if isinstance(pair, str):
            raise FixFailed(f"cannot roll {service.id} back: {pair}")
        live, before = pair
        rollback, call_s = await self._timed_value(self._api.roll_back(service.id, before.id))
        took_s = await self._live(service.id, rollback.id)
        return (
            f"{service.name or service.id} was rolled back from deploy {live.words} to {before.words}; the next push "
            f"undoes that, since it is deployed as ever; {_took(call_s, took_s)}"
        )

    async def _redeploy(self, service: Service, *, clear: bool) -> str:
        """Deploy what is live once more: another version would be another risk."""
        deploys = await self._api.deploys(service.id)
        if any(one.in_progress for one in deploys):
            raise FixFailed(f"cannot deploy {service.id} again: a deploy is in progress")
        live = next((one for one in deploys if one.status == "live"), None)
        commit = live.commit.id if live is not None and live.commit is not None else ""
        told, call_s = await self._timed_value(self._api.deploy(service.id, clear=clear, commit=commit))
        if told is not None:
            deploy = told
        else:  # it is queued, and has no id yet
            known = {one.id for one in deploys}
            deploy, _ = await self._until(
                lambda: self._new(service.id, known), RESTART_S, "the deploy to leave its queue"
            )
        took_s = await self._live(service.id, deploy.id)
        how = "was built anew and deployed" if clear else "was deployed again"
        return f"{service.name or service.id} {how} ({deploy.words}); {_took(call_s, took_s)}"

    async def _resume(self, service: str) -> str:
        found = await self._api.service(service)
        if not found.is_suspended:
            raise FixFailed(f"cannot resume {service}: it is not suspended")
        call_s = await self._timed(self._api.resume(service))

        async def runs() -> bool:
            now = await self._api.service(service)
            return not now.is_suspended and bool(not now.has_instances or await self._api.instances(service))

        _, took_s = await self._until(runs, DEPLOY_S, f"{service} to run")
        looping = " It was suspended since it crashed again and again." if CRASH_LOOP in found.suspenders else ""
        return f"{found.name or service} was resumed; {_took(call_s, took_s)}.{looping}"

    async def _scale(self, service: Service, most: int) -> str:
        details = service.service_details
        if details.autoscaling is not None and details.autoscaling.enabled:
            raise FixFailed(f"cannot scale {service.id}: Render does so itself (autoscaling)")
        if details.disk is not None:
            raise FixFailed(f"cannot scale {service.id}: it has a disk, and a disk belongs to one instance")
        count = details.num_instances
        if count >= most:
            raise FixFailed(
                f"cannot scale {service.id}: it has {count} instances, and {most} is the most that it may have"
            )
        call_s = await self._timed(self._api.scale(service.id, count + 1))

        async def enough() -> bool:
            return len(await self._api.instances(service.id)) > count

        _, took_s = await self._until(enough, RESTART_S, f"instance {count + 1} of {service.id}")
        return f"{service.name or service.id} has {count + 1} instances instead of {count}; {_took(call_s, took_s)}"

    # --- PostgreSQL and Key Value ---

    async def _store(self, store: str, act: ServiceAct) -> str:
        found = await self._api.store(store)
        calls: dict[ServiceAct, tuple[str, Callable[[str], Awaitable[None]]]] = {
            "restart": ("was restarted", self._api.restart),
            "fail_over": ("was failed over to its standby", self._api.fail_over),
            "resume": ("was resumed", self._api.resume),
        }
        if act not in calls or (act != "resume" and not store.startswith("dpg-")):
            raise FixFailed(f"cannot do that to {store}: Render does it to other kinds of services only")
        suspended = found.is_suspended
        if suspended != (act == "resume"):
            how = (
                f"it was suspended by {by_whom(found.suspenders)}; resume it first"
                if suspended
                else "it is not suspended"
            )
            raise FixFailed(f"cannot do that to {store}: {how}")
        if act == "fail_over" and not found.high_availability_enabled:
            raise FixFailed(f"cannot fail {store} over: it has no standby (high availability is off)")
        what, call = calls[act]
        call_s = await self._timed(call(store))
        began = self._clock.monotonic()
        away = False

        async def available() -> Store | None:
            nonlocal away
            now = await self._api.store(store)
            up = now.status == "available" and not now.is_suspended
            away = away or not up
            return now if up and (away or self._clock.monotonic() - began >= BEGINS_S) else None

        _, took_s = await self._until(available, RESTART_S, f"{store} to be available")
        return f"{found.name or store} {what}; {_took(call_s, took_s)}"

    # --- waiting ---

    async def _live(self, service: str, deploy: str) -> float:
        """Wait until a deploy is live; returns how long that took. Raises FixFailed where it comes to another end."""
        ended, took_s = await self._until(lambda: self._ended(service, deploy), DEPLOY_S, f"deploy {deploy} to be live")
        if ended.status != "live":
            raise FixFailed(
                f"deploy {ended.words} ended as {ended.status} after {took_s:.0f} s; its log at Render says why"
            )
        return took_s

    async def _ended(self, service: str, deploy: str) -> Deploy | None:
        found = next((one for one in await self._api.deploys(service) if one.id == deploy), None)
        return found if found is not None and not found.in_progress else None

    async def _new(self, service: str, known: set[str]) -> Deploy | None:
        return next((one for one in await self._api.deploys(service) if one.id not in known), None)

    async def _until(self, look: Callable[[], Awaitable[_T | None]], within_s: float, what: str) -> tuple[_T, float]:
        """Wait until a look finds something that is true; returns that, and after how many seconds.

        What was asked for goes on while the API cannot tell how far it is: then it is looked at again. Who took it for
        failed would do the next thing on top of it.
        """
        began, pause_s = self._clock.monotonic(), FIRST_S
        while True:
            await self._clock.sleep(pause_s)
            found, blind = None, ""
            try:
                found = await look()
            except RenderFailed as why:
                if not why.passes:
                    raise
                blind = f"; at last the API said nothing of it: {why}"
            took_s = self._clock.monotonic() - began
            if found:
                return found, took_s
            if took_s >= within_s:
                raise FixFailed(f"Render took the call, and {what} was waited for in vain for {took_s:.0f} s{blind}")
            pause_s = min(pause_s * SLOWER, SLOWEST_S)

    async def _timed(self, call: Awaitable[None]) -> float:
        return (await self._timed_value(call))[1]

    async def _timed_value(self, call: Awaitable[_T]) -> tuple[_T, float]:
        began = self._clock.monotonic()
        value = await call
        return value, self._clock.monotonic() - began


def _took(call_s: float, render_s: float) -> str:
    return f"the call took {call_s:.1f} s, Render took {render_s:.0f} s"


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
