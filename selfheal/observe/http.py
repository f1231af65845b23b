"""The check `http`: does a server answer, in time, and with what it should?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from selfheal.clock import Clock
from selfheal.config.models import CheckConfig
from selfheal.config.units import Flag, Url
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.observe.expect import HttpExpect, judge, judge_latency
from selfheal.observe.http_client import Request, exchange
from selfheal.observe.wording import Unwell


class HttpCheckConfig(CheckConfig):
    """An HTTP request, and what the answer should be."""

    http: Url = Field(description="URL to ask; a user and password in it are sent as Basic authorization.")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field("GET", description="As named.")
    headers: dict[str, SecretStr] = Field({}, description="Sent with it; never shown.")
    body: str = Field("", description="Sent with it.")
    verify: Flag = Field(True, description="https: the certificate must be valid.")
    expect: HttpExpect = Field(HttpExpect(), description="What the answer should be.")

    @model_validator(mode="after")
    def _can_be_asked(self) -> HttpCheckConfig:
        self.request()
        return self

    def request(self) -> Request:
        """The request in bytes. Raises ValueError where it cannot be sent."""
        headers = [(name, value.get_secret_value()) for name, value in self.headers.items()]
        return Request.build(
            self.http, method=self.method, headers=headers, body=self.body.encode(), verify=self.verify
        )


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """Signals: `latency` in seconds, name resolution and connection included, and `status`."""

    request: Request
    expect: HttpExpect
    clock: Clock

    async def run(self) -> Mapping[str, float]:
        began = self.clock.monotonic()
        response = await exchange(self.request)
        took_s = self.clock.monotonic() - began
        signals = {"latency": took_s, "status": float(response.status)}
        wrong = judge(self.expect, response)
        if wrong is not None:
            raise Unwell(wrong, signals, "wrong_answer")
        late = judge_latency(self.expect, took_s)
        if late is not None:
            raise Unwell(late, signals, "slow")
        return signals


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, HttpCheckConfig)
    return HttpCheck(config.request(), config.expect, context.clock)


HTTP = CheckKind(name="http", model=HttpCheckConfig, build=_build)
