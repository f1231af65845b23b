"""How often, and how long?

Plain numbers for what happens thousands of times a second. They belong to the event loop, as all that counts and all
that reads them does: no lock, and no object for each series.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from selfheal.telemetry.exposition import Key, number


class Counts:
    """How often something happened to each agent, by its other labels."""

    def __init__(self) -> None:
        self._by_agent: defaultdict[str, defaultdict[Key, int]] = defaultdict(partial(defaultdict, int))
        self.of: Callable[[str], Mapping[Key, int] | None] = self._by_agent.get
        """The counts of an agent; None where nothing happened to it."""

    def add(self, agent: str, key: Key) -> None:
        self._by_agent[agent][key] += 1

    def forget(self, agent: str) -> None:
        self._by_agent.pop(agent, None)

    def keep(self, agents: Collection[str]) -> None:
        """Forget all but these: what was begun before an agent was removed may be counted after that."""
        for gone in [name for name in self._by_agent if name not in agents]:
            del self._by_agent[gone]


class PlainHistogram(Collector):
    """A histogram without labels. `bounds` are the upper ends of its buckets, rising; the last one has none."""

    def __init__(self, name: str, documentation: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def collect(self) -> Iterator[Metric]:
        ends = [*map(number, self._bounds), "+Inf"]
        buckets = list(zip(ends, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=self._sum)
