"""The check `render`: does Render say that the service is well?

Every agent of the kind `render` has this check, whether or not it is written down. What Render's API cannot or will not
tell says nothing of the service: that is never its failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from selfheal.config.models import CheckConfig
from selfheal.errors import CheckFailed, RenderFailed
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.observe.wording import Unwell

# An API that does not answer is no timeout of the service: it is given up before the check is.
SHARE = 0.9


class RenderCheckConfig(CheckConfig):
    """What Render says of the service that the agent is."""

    render: Literal[True] = Field(description="true: ask Render's API how the service is.")


@dataclass(frozen=True, slots=True)
class RenderCheck:
    """Signals: `instances` that run, of what has instances, and `duration` in seconds."""

    timeout_s: float
    context: CheckContext

    async def run(self) -> Mapping[str, float]:
        look = self.context.look_at_service
        if look is None:
            # What does not pass is our own affair, such as a wrong key: the check cannot run before that is mended.
            raise CheckFailed("this agent is no service at Render; take the check 'render' out", "error")
        began = self.context.clock.monotonic()
        try:
            condition = await look(SHARE * self.timeout_s)
        except RenderFailed as why:
            raise CheckFailed(str(why), "inconclusive" if why.passes else "error") from why
        signals = {**condition.signals, "duration": self.context.clock.monotonic() - began}
        match condition.state:
            case "failed":
                raise Unwell(condition.reason, signals, condition.cause)
            case "deploying":
                raise CheckFailed(condition.reason, "inconclusive")
            case "well" | "suspended":  # what a person has suspended is nobody's trouble
                return signals


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, RenderCheckConfig)
    return RenderCheck(config.timeout, context)


RENDER = CheckKind(name="render", model=RenderCheckConfig, build=_build, signals=("instances", "duration"))
