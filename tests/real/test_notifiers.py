"""Does an alert arrive where it is sent, and does what is not taken say why without a secret?

The servers are real ones on loopback; whether a signature is right is for the makers of the specification to say.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from dataclasses import replace

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from selfheal.clock import SteadyClock
from selfheal.kinds import Alert, Notifier, NotifyFailed
from selfheal.notify.apprise import AppriseNotifier
from selfheal.notify.webhook import WebhookNotifier
from tests.real.receivers import receiver

SECRET = "whsec_" + b64encode(b"f00dfeed" * 4).decode()
ALERT = Alert("inc-1", 1_800_000_000.0, "critical", "api needs a person", "exit code 1", "api", "inc-1")
OVER = replace(ALERT, severity="info", title="api is well again", resolved=True)


def sent(notifier: Notifier, *alerts: Alert) -> None:
    async def live() -> None:
        for alert in alerts:
            await notifier.send(alert, "")
        if isinstance(notifier, WebhookNotifier):
            await notifier.close()

    asyncio.run(live())


# --- the webhook ---


def hook(port: int) -> WebhookNotifier:
    return WebhookNotifier(SecretStr(f"http://127.0.0.1:{port}/hook"), SecretStr(SECRET), SteadyClock())


def test_a_post_is_signed_as_the_specification_says() -> None:
    with receiver() as there:
        sent(hook(there.port), ALERT, OVER)
    for post, resolved in zip(there.posts, (False, True), strict=True):
        told = Webhook(SECRET).verify(post.body, dict(post.headers))
        assert (told["key"], told["resolved"]) == ("inc-1", resolved)
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(post.body.replace(b"inc-1", b"inc-2"), dict(post.headers))
    assert there.posts[0].headers["webhook-id"] != there.posts[1].headers["webhook-id"]


def test_each_try_has_the_same_id_so_that_who_has_had_it_can_tell() -> None:
    with receiver() as there:
        there.statuses = [503]
        notifier = hook(there.port)

        async def live() -> None:
            with pytest.raises(NotifyFailed) as failed:
                await notifier.send(ALERT, "")
            assert not failed.value.permanent
            await notifier.send(ALERT, "")
            await notifier.close()

        asyncio.run(live())
    first, second = there.posts
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_without_a_secret_nothing_is_signed() -> None:
    with receiver() as there:
        sent(WebhookNotifier(SecretStr(f"http://127.0.0.1:{there.port}/hook")), ALERT)
    assert not [name for name in there.posts[0].headers if name.startswith("webhook-")]


# --- Apprise ---


def test_apprise_brings_it_to_a_service_with_how_bad_it_is() -> None:
    with receiver() as there:
        sent(AppriseNotifier(1, SecretStr(f"json://127.0.0.1:{there.port}/alerts")), ALERT, OVER)
    told = [json.loads(post.body) for post in there.posts]
    assert [(one["title"], one["message"], one["type"]) for one in told] == [
        ("api needs a person", "exit code 1", "failure"),
        ("api is well again", "exit code 1", "success"),
    ]


def test_a_service_of_apprise_that_does_not_take_it_is_tried_again_and_named_by_its_number_alone() -> None:
    with receiver() as there:
        there.statuses = [500]
        notifier = AppriseNotifier(2, SecretStr(f"json://user:hunter2@127.0.0.1:{there.port}/alerts"))
        with pytest.raises(NotifyFailed, match="URL 2 of apprise did not take it") as failed:
            sent(notifier, ALERT)
        assert not failed.value.permanent
        assert "hunter2" not in str(failed.value)
        sent(notifier, ALERT)
    assert len(there.posts) == 2


def test_a_service_that_apprise_does_not_know_is_given_up_without_showing_its_url() -> None:
    with pytest.raises(NotifyFailed, match="URL 1 of apprise is of no service that is known") as failed:
        sent(AppriseNotifier(1, SecretStr("nosuch://hunter2")), ALERT)
    assert failed.value.permanent
    assert "hunter2" not in str(failed.value)
