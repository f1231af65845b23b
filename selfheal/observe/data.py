"""The check `data`: are the data of a data agent sound?

A quick look at each interval; each so often every byte is read beside that, in its own time. What is seen, and how, is
the affair of the kind of data; every agent of the data layer has this check, whether or not it is written down.
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
    thorough: Duration = Field(86_400.0, gt=0, description="Every byte is read each so often, beside the check.")
    thorough_timeout: Duration = Field(7200.0, gt=0, description="Reading every byte may take so long.")


@dataclass(frozen=True, slots=True)
class DataCheck:
    """Signals: those of the kind of data."""

    wanted: DataCheckConfig
    context: CheckContext

    async def run(self) -> Mapping[str, float]:
        examine, wanted = self.context.examine, self.wanted
        if examine is None:
            raise CheckFailed("this agent is no data; take the check 'data' out", "error")
        try:
            health = await examine(wanted.thorough, wanted.thorough_timeout, wanted.timeout)
        except DataFailed as why:
            raise CheckFailed(str(why), "failed" if why.cause else "error", cause=why.cause) from why
        if health.reason:
            raise Unwell(health.reason, dict(health.signals), health.cause)
        return health.signals


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, DataCheckConfig)
    return DataCheck(config, context)


DATA = CheckKind(name="data", model=DataCheckConfig, build=_build)
