"""The check `prometheus`: does an exporter answer, and are its numbers as they should be?

Unlike `[[agents.X.signals]]`, which only reads along: here an exporter that does not answer is a failure of the agent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from selfheal.config.address import Endpoint, endpoint_of
from selfheal.config.models import CheckConfig
from selfheal.config.units import Url
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind, Count
from selfheal.net import Dialer
from selfheal.observe.compare import MISSING, Condition, Expected, condition
from selfheal.observe.http_client import exchange
from selfheal.observe.http_request import MAX_BODY_BYTES, Request
from selfheal.observe.samples import NAME, Samples, Selector, counters, scanner, sums
from selfheal.observe.wording import Unwell, excerpt, with_words

MAX_SIGNALS = 32  # as many as are remembered of an agent


def _series(name: str) -> str:
    if re.fullmatch(NAME, name) is None:
        raise ValueError(f"{name!r} cannot be the name of a series; write one such as 'queue_depth', without labels")
    return name


def _selector(text: str) -> str:
    Selector.parse(text)
    return text


class PrometheusCheckConfig(CheckConfig):
    """An exporter in Prometheus' text format, and what its numbers should be."""

    prometheus: Url = Field(description="URL of the exporter; a user and password in it are sent, and never shown.")
    take: tuple[Annotated[str, AfterValidator(_series)], ...] = Field(
        (), description="Names of the series to keep as signals; none given keeps all, at most 32."
    )
    expect: dict[Annotated[str, AfterValidator(_selector)], Expected] = Field(
        {}, description="Values by series, such as 'queue_depth' or 'up{job=\"x\"}': the sum over all that match."
    )

    @model_validator(mode="after")
    def _can_be_asked(self) -> PrometheusCheckConfig:
        Request.build(self.prometheus)
        return self

    def endpoint(self) -> Endpoint | None:
        return endpoint_of(self.prometheus)


@dataclass(frozen=True, slots=True)
class PrometheusCheck:
    """Signals: the series in `take`, the first 32 of all where that is empty. `scan` finds these and those judged."""

    request: Request
    scan: Callable[[str], Samples]
    take: frozenset[str]
    wanted: tuple[tuple[str, Selector, Condition], ...]
    dialer: Dialer
    count: Count
    told: set[str] = field(default_factory=set)

    async def run(self) -> Mapping[str, float]:
        text = await self._text()
        samples = self.scan(text)
        if not samples and not _ANY(text):
            raise CheckFailed(f"no series in the answer: {excerpt(text) or 'it is empty'}", cause="wrong_answer")
        signals = self._signals(samples)
        if not self.told.issuperset(signals):
            self.told.update(signals)
            self.count(counters(text, signals))
        for name, selector, wanted in self.wanted:
            total = selector.total(samples)
            wrong = wanted.judge(name, MISSING if total is None else total)
            if wrong is not None:
                raise Unwell(wrong, signals, "wrong_answer")
        return signals

    async def _text(self) -> str:
        response = await exchange(self.request, self.dialer)
        if response.status != 200:
            raise CheckFailed(
                with_words(f"status {response.status}, expected 200", response.text), cause="wrong_answer"
            )
        if response.truncated:
            raise CheckFailed(
                f"the exporter gives more than {MAX_BODY_BYTES // 2**20} MiB, too much to be read", "error"
            )
        return response.text

    def _signals(self, samples: Samples) -> dict[str, float]:
        found = sums(samples)
        if self.take:
            return {name: value for name, value in found.items() if name in self.take}
        return dict(islice(found.items(), MAX_SIGNALS))


_ANY = scanner()


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, PrometheusCheckConfig)
    wanted = tuple((text, Selector.parse(text), condition(value)) for text, value in config.expect.items())
    names = {*config.take, *(selector.name for _, selector, _ in wanted)} if config.take else ()
    return PrometheusCheck(
        Request.build(config.prometheus), scanner(names), frozenset(config.take), wanted, context.dialer, context.count
    )


PROMETHEUS = CheckKind(name="prometheus", model=PrometheusCheckConfig, build=_build)
