"""The check `data`: are the data of a data agent sound?

A quick look at each interval, and each so often one that reads every byte. What is seen, and how, is the affair of
the kind of data; every agent of the data layer has this check, whether or not it is written down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from selfheal.config.models import CheckConfig
from selfheal.config.units import Duration
from selfheal.errors import CheckFailed, DataFailed
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.observe.wording import Unwell


class DataCheckConfig(CheckConfig):
    """A look at the agent's own data."""

    data: Literal[True] = Field(description="true: look at the data that this agent is.")
    thorough: Duration = Field(86_400.0, gt=0, description="Every byte is read each so often.")


@dataclass(slots=True)
class DataCheck:
    """Signals: those of the kind of data. The first look is quick, for others may wait for it; the next is thorough.

    What a thorough look found is not over because a quick one does not see it: only another thorough one ends it.
    """

    wanted: DataCheckConfig
    context: CheckContext
    thorough_at: float | None = None

    async def run(self) -> Mapping[str, float]:
        look = self.context.examine
        if look is None:
            raise CheckFailed("this agent is no data; take the check 'data' out", "error")
        now = self.context.clock.now()
        thorough = self.thorough_at is not None and now >= self.thorough_at
        try:
            health = await look(thorough, self.wanted.timeout)
        except DataFailed as why:
            raise CheckFailed(str(why), "failed" if why.cause else "error", cause=why.cause) from why
        if health.reason:
            raise Unwell(health.reason, dict(health.signals), health.cause)
        if thorough or self.thorough_at is None:
            self.thorough_at = now + (self.wanted.thorough if thorough else 0.0)
        return health.signals


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, DataCheckConfig)
    return DataCheck(config, context)


DATA = CheckKind(name="data", model=DataCheckConfig, build=_build)
