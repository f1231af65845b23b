"""The check `grpc`: does a gRPC server call itself, or one of its services, healthy?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from selfheal.clock import Clock
from selfheal.config.address import Endpoint, split_address
from selfheal.config.models import CheckConfig
from selfheal.config.units import Address, Flag
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.net import Dialer
from selfheal.observe.grpc_client import SERVING, STATUSES, Question, health
from selfheal.observe.trust import tls_context
from selfheal.observe.wording import Unwell

_KEY = re.compile(
    r"(?!grpc-)[0-9a-z_.-]+(?<!-bin)"
)  # what ends with -bin holds bytes, what begins with grpc- is gRPC's
_VALUE = re.compile(r"[\x20-\x7e]*")


def _check_metadata(metadata: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for key, value in metadata.items():
        if not _KEY.fullmatch(key) or not _VALUE.fullmatch(value.get_secret_value()):
            raise ValueError(
                f"{key!r} is no metadata that can be sent; "
                f"write the key in lower case, not with grpc- or -bin, and the value in printable ASCII"
            )
    return metadata


class GrpcCheckConfig(CheckConfig):
    """A call of grpc.health.v1.Health/Check."""

    grpc: Address = Field(description="host:port of the server.")
    service: str = Field("", max_length=1000, description="The service asked about; empty: the server as a whole.")
    secure: Flag = Field(False, description="Ask over TLS.")
    verify: Flag = Field(True, description="secure: the certificate must be valid.")
    metadata: Annotated[dict[str, SecretStr], AfterValidator(_check_metadata)] = Field(
        {}, description="Sent with it; never shown."
    )

    def question(self) -> Question:
        """What is asked, each time anew."""
        host, port = split_address(self.grpc)
        tls = tls_context(self.verify, alpn="h2") if self.secure else None
        metadata = tuple((key, value.get_secret_value()) for key, value in self.metadata.items())
        return Question(host, port, tls, self.service, metadata, self.timeout)

    def endpoint(self) -> Endpoint | None:
        return split_address(self.grpc)


@dataclass(frozen=True, slots=True)
class GrpcCheck:
    """Signal: `latency` in seconds, connection included."""

    question: Question
    dialer: Dialer
    clock: Clock

    async def run(self) -> Mapping[str, float]:
        began = self.clock.monotonic()
        status = await health(self.question, self.dialer)
        signals = {"latency": self.clock.monotonic() - began}
        if status != SERVING:
            name = STATUSES[status] if status < len(STATUSES) else str(status)
            who = f"service {self.question.service!r}" if self.question.service else "the server"
            raise Unwell(f"{who} is {name}, expected SERVING", signals, "wrong_answer")
        return signals


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, GrpcCheckConfig)
    return GrpcCheck(config.question(), context.dialer, context.clock)


GRPC = CheckKind(name="grpc", model=GrpcCheckConfig, build=_build, signals=("latency",))
