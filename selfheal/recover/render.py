"""The fixes of what runs at Render: started again, deployed again, rolled back, resumed, scaled.

How long each takes is Render's affair, and far longer than anything here: what a deploy costs is why a restart is tried
first. What a person may have meant, a suspension or a number of instances, is changed only when a person says so.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from selfheal.config.healing import FixSettings
from selfheal.config.models import AgentConfig, Section
from selfheal.config.render import render_of
from selfheal.config.units import Count
from selfheal.kinds import Act, Apply, Fix, Hands, Target
from selfheal.vocabulary import ServiceAct

MOST_INSTANCES = 100  # of one service at Render


class ScaleServiceSettings(FixSettings):
    """How many instances there may be."""

    most: Annotated[Count, Field(ge=2, le=MOST_INSTANCES)] = Field(description="Instances at most.")

    def check(self, agent: Section) -> None:
        service = render_of(agent)
        if service is None or not service.runs:
            raise ValueError("only a service at Render (kind = 'render', 'srv-…') has instances there; take it out")


def _at_render(act: ServiceAct) -> Apply:
    async def apply(hands: Hands, target: Target) -> str:
        settings = target.settings
        most = settings.most if isinstance(settings, ScaleServiceSettings) else 0
        return await hands.render(target.agent, act, most=most)

    return apply


def _runs(agent: AgentConfig) -> bool:
    service = render_of(agent)
    return service is not None and service.runs


def _is_deployed(agent: AgentConfig) -> bool:
    service = render_of(agent)
    return service is not None and not service.is_store


def _is_postgres(agent: AgentConfig) -> bool:
    service = render_of(agent)
    return service is not None and service.is_postgres


def _is_any(agent: AgentConfig) -> bool:
    return render_of(agent) is not None


_ILL = frozenset(
    {
        "crashed", "exited", "hung", "killed", "slow", "stale", "unreachable",
        "out_of_memory", "memory_leak", "out_of_fds", "fd_leak", "out_of_processes", "pool_exhausted",
        # There a restart is another instance, as a rule on another machine.
        "host_problem",
    }
)  # fmt: skip

RESTART_SERVICE = Fix(
    name="restart_service",
    layer="infrastructure",
    causes=_ILL,
    cost_s=30.0,
    risk_s=0.0,
    timeout_s=700.0,
    acts=(Act("restart", _at_render("restart")),),
    fits=_runs,
)

CANCEL_DEPLOY = Fix(
    name="cancel_deploy",
    layer="infrastructure",
    causes=frozenset({"deploy_stuck"}),
    cost_s=10.0,
    risk_s=0.0,
    timeout_s=700.0,
    acts=(Act("cancel the deploy", _at_render("cancel_deploy")),),
    only_its_causes=True,
    fits=_is_deployed,
)

# Whoever deployed it meant to. A rollback that was done twice would go back two deploys, or none.
ROLL_BACK_DEPLOY = Fix(
    name="roll_back_deploy",
    layer="infrastructure",
    causes=frozenset({"bad_deploy"}),
    cost_s=120.0,
    risk_s=60.0,
    timeout_s=3600.0,
    acts=(Act("roll back", _at_render("roll_back"), repeatable=False),),
    tier=2,
    only_its_causes=True,
    fits=_is_deployed,
)

REDEPLOY = Fix(
    name="redeploy",
    layer="infrastructure",
    causes=_ILL | {"wrong_answer"},
    cost_s=180.0,
    risk_s=30.0,
    timeout_s=3600.0,
    acts=(Act("deploy again", _at_render("redeploy"), repeatable=False),),
    tier=2,
    only_its_causes=True,
    fits=_is_deployed,
)

REDEPLOY_CLEAR_CACHE = Fix(
    name="redeploy_clear_cache",
    layer="infrastructure",
    causes=_ILL | {"wrong_answer", "missing_module", "incompatible"},
    cost_s=360.0,
    risk_s=30.0,
    timeout_s=3600.0,
    acts=(Act("build and deploy again", _at_render("redeploy_clear_cache"), repeatable=False),),
    tier=2,
    only_its_causes=True,
    fits=_is_deployed,
)

# Whoever has suspended it, be it Render since it crashed again and again: a person says whether it shall run again.
RESUME_SERVICE = Fix(
    name="resume_service",
    layer="infrastructure",
    causes=frozenset({"suspended"}),
    cost_s=90.0,
    risk_s=30.0,
    timeout_s=3600.0,
    acts=(Act("resume", _at_render("resume")),),
    mode="ask",
    only_its_causes=True,
    fits=_is_any,
)

SCALE_SERVICE = Fix(
    name="scale_service",
    layer="infrastructure",
    causes=frozenset({"slow", "traffic_surge", "queue_backlog", "cpu_starved"}),
    cost_s=60.0,
    risk_s=30.0,
    timeout_s=700.0,
    acts=(Act("start one more instance", _at_render("scale"), repeatable=False),),
    tier=2,
    mode="ask",
    only_its_causes=True,
    settings=ScaleServiceSettings,
)

RESTART_DATABASE = Fix(
    name="restart_database",
    layer="infrastructure",
    causes=_ILL,
    cost_s=60.0,
    risk_s=30.0,
    timeout_s=700.0,
    acts=(Act("restart", _at_render("restart")),),
    fits=_is_postgres,
)

FAILOVER_DATABASE = Fix(
    name="failover_database",
    layer="infrastructure",
    causes=frozenset({"hung", "slow", "unreachable", "host_problem"}),
    cost_s=60.0,
    risk_s=120.0,
    timeout_s=700.0,
    acts=(Act("fail over", _at_render("fail_over"), repeatable=False),),
    tier=3,
    mode="ask",
    only_its_causes=True,
    fits=_is_postgres,
)

RENDER_FIXES: tuple[Fix, ...] = (
    RESTART_SERVICE, CANCEL_DEPLOY, ROLL_BACK_DEPLOY, REDEPLOY, REDEPLOY_CLEAR_CACHE, RESUME_SERVICE, SCALE_SERVICE,
    RESTART_DATABASE, FAILOVER_DATABASE,
)  # fmt: skip
