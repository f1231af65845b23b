"""Does Render's own client understand our counterpart of its API, and get from it what it asks for?

Its makers' package is the judge: it was generated from the official specification, and reads every field that is
required there. What it cannot read, ours has wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from render.public_api.api.deploys import cancel_deploy, create_deploy, list_deploys, rollback_deploy
from render.public_api.api.key_value import retrieve_key_value
from render.public_api.api.postgres import failover_postgres, restart_postgres, retrieve_postgres
from render.public_api.api.services import (
    list_events,
    list_instances,
    restart_service,
    resume_service,
    retrieve_service,
    scale_service,
)
from render.public_api.client import AuthenticatedClient
from render.public_api.models import CreateDeployBody, RollbackDeployBody, ScaleServiceBody

from selfheal.clock import RealClock
from tests.real.render_estate import Estate, Service, Store
from tests.real.render_fake import KEY, Miniature, served

Call = Callable[[AuthenticatedClient], object]


def asked(*calls: Call, key: str = KEY, change: Callable[[Estate], object] = lambda estate: None) -> list[Any]:
    """The answers of the counterpart to these calls of the official client, one after the other."""

    async def live() -> list[Any]:
        estate = Estate(RealClock(), restart_s=0.1, build_s=60.0, update_s=0.1)
        estate.add(Service("srv-web"), "aaa", "bbb")
        estate.stores |= {"dpg-1": Store("dpg-1", standby=True), "red-1": Store("red-1")}
        change(estate)
        mini = Miniature(estate)
        async with served(mini) as url:
            with AuthenticatedClient(base_url=url, token=key) as client:
                found = [await asyncio.to_thread(call, client) for call in calls]
        assert mini.wrong == []  # what is asked for in vain on purpose is not among these
        return found

    return asyncio.run(live())


def test_a_service_its_deploys_instances_and_events_are_read() -> None:
    service, deploys, instances, events = asked(
        lambda client: retrieve_service.sync_detailed("srv-web", client=client),
        lambda client: list_deploys.sync_detailed("srv-web", client=client, limit=20),
        lambda client: list_instances.sync_detailed("srv-web", client=client),
        lambda client: list_events.sync_detailed("srv-web", client=client),
    )
    assert [one.status_code for one in (service, deploys, instances, events)] == [200] * 4
    assert service.parsed.id == "srv-web"
    assert [row.deploy.commit.id for row in deploys.parsed] == ["bbb", "aaa"]
    assert len(instances.parsed) == 1
    assert events.parsed is not None


def test_what_is_done_to_a_service_is_answered_as_the_specification_says() -> None:
    answers = asked(
        lambda client: restart_service.sync_detailed("srv-web", client=client),
        lambda client: scale_service.sync_detailed("srv-web", client=client, body=ScaleServiceBody(num_instances=2)),
        lambda client: create_deploy.sync_detailed("srv-web", client=client, body=CreateDeployBody()),
    )
    assert [one.status_code for one in answers] == [200, 202, 201]
    deploy = answers[2].parsed.id
    assert deploy


def test_a_deploy_is_canceled_and_rolled_back() -> None:
    def cancel(client: AuthenticatedClient) -> object:
        made = create_deploy.sync_detailed("srv-web", client=client, body=CreateDeployBody())
        return cancel_deploy.sync_detailed("srv-web", made.parsed.id, client=client)

    def roll_back(client: AuthenticatedClient) -> object:
        rows = list_deploys.sync_detailed("srv-web", client=client).parsed
        oldest = RollbackDeployBody(deploy_id=rows[-1].deploy.id)
        return rollback_deploy.sync_detailed("srv-web", client=client, body=oldest)

    canceled, rolled = asked(cancel, roll_back)
    assert (canceled.status_code, canceled.parsed.status.value) == (200, "canceled")
    assert (rolled.status_code, rolled.parsed.commit.id) == (201, "aaa")


def test_databases_are_read_restarted_and_failed_over() -> None:
    answers = asked(
        lambda client: retrieve_postgres.sync_detailed("dpg-1", client=client),
        lambda client: retrieve_key_value.sync_detailed("red-1", client=client),
        lambda client: restart_postgres.sync_detailed("dpg-1", client=client),
        lambda client: failover_postgres.sync_detailed("dpg-1", client=client),
    )
    assert [one.status_code for one in answers] == [200, 200, 202, 202]
    assert answers[0].parsed.high_availability_enabled is True


@pytest.mark.parametrize(
    ("call", "key", "status"),
    [
        (lambda client: retrieve_service.sync_detailed("srv-none", client=client), KEY, 404),
        (lambda client: retrieve_service.sync_detailed("srv-web", client=client), "rnd_another", 401),
        (lambda client: resume_service.sync_detailed("srv-none", client=client), KEY, 404),
    ],
)
def test_refusals_are_read_too(call: Call, key: str, status: int) -> None:
    (answer,) = asked(call, key=key)
    assert answer.status_code == status
    assert answer.parsed.message
