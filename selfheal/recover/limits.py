"""What a process may use is raised, step by step, up to what the user allows."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from selfheal.config.healing import FixSettings
from selfheal.config.models import Section, process_of
from selfheal.config.units import Count, Size
from selfheal.errors import FixFailed
from selfheal.kinds import Act, Fix, Hands, Target
from selfheal.vocabulary import LIMITS, Limit

_OF_CAUSE: Mapping[str, Limit] = {"out_of_memory": "memory", "out_of_fds": "fds"}


class RaiseLimitSettings(FixSettings):
    """How far the limits of a process may be raised."""

    memory: Size | None = Field(None, description="The most that limits.memory may be raised to.")
    fds: Count | None = Field(None, description="The most that limits.fds may be raised to.")

    @model_validator(mode="after")
    def _one_at_least(self) -> RaiseLimitSettings:
        if self.memory is None and self.fds is None:
            raise ValueError("it says of no limit how far that may be raised; write memory, fds or both")
        return self

    def check(self, agent: Section) -> None:
        process = process_of(agent)
        if process is None:
            raise ValueError("only a process of this daemon has limits, and this agent is none; take it out")
        for limit in LIMITS:
            most, now = getattr(self, limit), getattr(process.limits, limit)
            if most is not None and now is None:
                raise ValueError(f"there is no limits.{limit} that could be raised; set that, or take {limit} out")
            if most is not None and most <= now:
                raise ValueError(f"{limit} is not above limits.{limit}; write more than that, or take it out")


async def _raise(hands: Hands, target: Target) -> str:
    settings, limit = target.settings, _OF_CAUSE.get(target.cause)
    most = getattr(settings, limit) if isinstance(settings, RaiseLimitSettings) and limit is not None else None
    if limit is None or most is None:
        named = limit or "a limit"
        raise FixFailed(
            f"cannot raise {named} of {target.agent}: its healing.raise_limit allows none against {target.cause}; add "
            f"{named} there, with the most that it may be"
        )
    return f"{target.agent}: {await hands.raise_limit(target.agent, limit, most, target.incident)}"


async def _lower(hands: Hands, target: Target) -> str:
    return f"{target.agent}: {await hands.lower_limits(target.agent, target.incident)}"


# As a rule nothing is restarted, which makes it cheaper than a restart; what it takes, others have no more. Against
# what leaks it only buys time, and no more than the user allows: after that a restart is what is left.
RAISE_LIMIT = Fix(
    name="raise_limit",
    layer="application",
    causes=frozenset(_OF_CAUSE),
    cost_s=1.0,
    risk_s=1.0,
    timeout_s=300.0,
    acts=(Act("raise the limit", _raise),),
    only_its_causes=True,
    undo=Act("lower the limit", _lower),
    settings=RaiseLimitSettings,
)
