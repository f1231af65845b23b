"""How is an HTTP check written, and is an answer as it should be?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from selfheal.config.address import Endpoint, check_url, endpoint_of
from selfheal.config.models import CheckConfig
from selfheal.config.units import Count, Duration, Flag, Url
from selfheal.observe.expect import HttpExpect, judge, judge_latency
from selfheal.observe.http_request import Request, Response
from selfheal.observe.wording import Unwell

# What a status says of the cause, where it is not among those that are expected; of any other answer nothing is known.
_REFUSALS = {401: "credential_expired", 403: "credential_expired", 407: "credential_expired", 429: "rate_limited"}
_OTHER = "wrong_answer"


class HttpCheckConfig(CheckConfig):
    """An HTTP request, and what the answer should be."""

    http: Url = Field(description="URL to ask; a user and password in it are sent as Basic authorization.")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field("GET", description="As named.")
    headers: dict[str, SecretStr] = Field({}, description="Sent with it; never shown.")
    body: str = Field("", description="Sent with it.")
    verify: Flag = Field(True, description="https: the certificate must be valid.")
    tls_expires_in: Duration | None = Field(
        None, description="https: the certificate must be good for at least so long."
    )
    keep_alive: Flag = Field(True, description="Use a connection for several requests, at most 20.")
    redirects: Annotated[Count, Field(ge=0, le=20)] = Field(0, description="Follow so many redirects, one by one.")
    proxy: SecretStr | None = Field(None, description="Ask through this proxy: an http URL, perhaps with a password.")
    expect: HttpExpect = Field(HttpExpect(), description="What the answer should be.")

    @field_validator("proxy")
    @classmethod
    def _is_a_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_url(value.get_secret_value(), "http://proxy.example:3128")
        return value

    @model_validator(mode="after")
    def _can_be_asked(self) -> HttpCheckConfig:
        self.request()
        if self.tls_expires_in is not None and not self.http.startswith("https:"):
            raise ValueError("tls_expires_in means nothing here; write an https URL, or take it out")
        if self.tls_expires_in is not None and self.needs_client:
            raise ValueError("tls_expires_in is not seen through redirects or a proxy; write a check of its own for it")
        return self

    @property
    def needs_client(self) -> bool:
        """Whether it takes more than one connection to one server."""
        return self.redirects > 0 or self.proxy is not None

    def plain_headers(self) -> Mapping[str, str]:
        """The headers with what they hold."""
        return {name: value.get_secret_value() for name, value in self.headers.items()}

    def request(self) -> Request:
        """The request in bytes. Raises ValueError where it cannot be sent."""
        return Request.build(
            self.http,
            method=self.method,
            headers=self.plain_headers().items(),
            body=self.body.encode(),
            verify=self.verify,
            keep_alive=self.keep_alive,
        )

    def endpoint(self) -> Endpoint | None:
        return endpoint_of(self.http if self.proxy is None else self.proxy.get_secret_value())


def judged(expect: HttpExpect, response: Response, signals: dict[str, float]) -> Unwell | None:
    """What is wrong with an answer that took `latency`; None where nothing is."""
    wrong = judge(expect, response)
    if wrong is not None:
        refused = response.status not in expect.judge.statuses
        return Unwell(wrong, signals, _REFUSALS.get(response.status, _OTHER) if refused else _OTHER)
    late = judge_latency(expect, signals["latency"])
    return Unwell(late, signals, "slow") if late is not None else None
