"""Which numbers of an agent's own does its exporter give?

`[[agents.X.signals]]`: Prometheus' text format, scraped on the same wheel as the checks. Each series name becomes a
signal, the sum over its label sets. An exporter that does not answer says nothing about the agent's health: that is
the result `error`, never a failure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from selfheal.config.models import SignalConfig
from selfheal.errors import CheckFailed
from selfheal.net import Dialer
from selfheal.observe.http_client import exchange
from selfheal.observe.http_request import Request
from selfheal.observe.scheduler import ScheduledCheck

NAME = "signals"
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Scrape:
    """One exporter. `take` are the names to keep; none keeps all."""

    request: Request
    take: frozenset[str]
    dialer: Dialer

    async def run(self) -> Mapping[str, float]:
        try:
            response = await exchange(self.request, self.dialer)
        except CheckFailed as why:
            raise CheckFailed(f"cannot scrape the exporter: {why.reason}", "error") from why
        if response.status != 200:
            raise CheckFailed(f"cannot scrape the exporter: status {response.status}, expected 200", "error")
        if response.truncated:
            raise CheckFailed("cannot scrape the exporter: it gives more than 1 MiB; scrape it elsewhere", "error")
        return series(response.text, self.take)


def scrapes(configs: Sequence[SignalConfig], dialer: Dialer) -> tuple[ScheduledCheck, ...]:
    """The scrapes of an agent, ready to be scheduled."""
    return tuple(
        ScheduledCheck(
            name=NAME if number == 0 else f"{NAME}-{number + 1}",
            check=Scrape(Request.build(config.prometheus), frozenset(config.take), dialer),
            interval_s=config.interval,
            timeout_s=min(TIMEOUT_S, config.interval),
            fall=1,
            rise=1,
        )
        for number, config in enumerate(configs)
    )


def series(text: str, take: frozenset[str]) -> dict[str, float]:
    """Return the sum over all label sets of each series in Prometheus' text format. Lines that are none are skipped."""
    sums: dict[str, float] = {}
    for line in text.splitlines():
        name = line.partition("{")[0].partition(" ")[0]
        if not name or name.startswith("#") or (take and name not in take):
            continue
        value = _value(line)
        if value is not None:
            sums[name] = sums.get(name, 0.0) + value
    return sums


def _value(line: str) -> float | None:
    """The value of a sample: what follows the labels, before a time stamp if there is one."""
    rest = line.rpartition("}")[2] if "{" in line else line.partition(" ")[2]
    words = rest.split()
    try:
        value = float(words[0])
    except (IndexError, ValueError):
        return None
    return value if math.isfinite(value) else None
