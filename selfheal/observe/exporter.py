"""Which numbers of an agent's own does its exporter give?

`[[agents.X.signals]]`: Prometheus' text format, scraped on the same wheel as the checks. Each series name becomes a
signal, the sum over its label sets. An exporter that does not answer says nothing about the agent's health: that is
the result `error`, never a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from selfheal.config.models import SignalConfig
from selfheal.errors import CheckFailed
from selfheal.kinds import Count
from selfheal.net import Dialer
from selfheal.observe.http_client import exchange
from selfheal.observe.http_request import Request
from selfheal.observe.samples import Samples, counters, scanner, sums
from selfheal.observe.scheduled import ScheduledCheck

NAME = "signals"
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Scrape:
    """One exporter. `scan` finds the samples to keep; `count` is told which of them count, once it is known."""

    request: Request
    scan: Callable[[str], Samples]
    dialer: Dialer
    count: Count
    told: set[str] = field(default_factory=set)

    async def run(self) -> Mapping[str, float]:
        try:
            response = await exchange(self.request, self.dialer)
        except CheckFailed as why:
            raise CheckFailed(f"cannot scrape the exporter: {why.reason}", "error") from why
        if response.status != 200:
            raise CheckFailed(f"cannot scrape the exporter: status {response.status}, expected 200", "error")
        if response.truncated:
            raise CheckFailed("cannot scrape the exporter: it gives more than 1 MiB; scrape it elsewhere", "error")
        found = sums(self.scan(response.text))
        if not self.told.issuperset(found):
            self.told.update(found)
            self.count(counters(response.text, found))
        return found


def scrapes(configs: Sequence[SignalConfig], dialer: Dialer, count: Count) -> tuple[ScheduledCheck, ...]:
    """The scrapes of an agent, ready to be scheduled."""
    return tuple(
        ScheduledCheck(
            name=NAME if number == 0 else f"{NAME}-{number + 1}",
            check=Scrape(Request.build(config.prometheus), scanner(config.take), dialer, count),
            interval_s=config.interval,
            timeout_s=min(TIMEOUT_S, config.interval),
            fall=1,
            rise=1,
        )
        for number, config in enumerate(configs)
    )
