"""What went wrong, what was done about it, and what was learned?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from selfheal.causes import CAUSES
from selfheal.events import Diagnosed
from selfheal.serve.models.incidents import (
    AlternativeView,
    ApprovalView,
    AttemptView,
    CauseView,
    FixView,
    HoldView,
    IncidentDetail,
    IncidentView,
    LabelView,
    LineView,
    PlanView,
    RankedFix,
    RateView,
    ReportView,
    ShadowView,
    StrategyView,
)
from selfheal.serve.story import story
from selfheal.serve.times import moment, rfc3339
from selfheal.serve.views.counsel import opinions
from selfheal.serve.views.foresight import share
from selfheal.serve.views.knowledge import similar_view
from selfheal.serve.views.ranking import ranking_view, suggestions

if TYPE_CHECKING:
    from selfheal.events import Alternative, Cause, Held, Planned
    from selfheal.serve.ports import Learned, Lessons
    from selfheal.world import Approval, Attempt, Incident, Label, World


Case = tuple[str, str]
"""An agent and the cause of its trouble."""


def incidents(world: World) -> list[Incident]:
    """Return all incidents, newest first."""
    return list(world.incidents.values())[::-1]


def incident_view(incident: Incident) -> IncidentView:
    """Show an incident without its story."""
    return IncidentView(
        id=incident.id,
        agent=incident.agent,
        agents=list(incident.agents),
        state=incident.state,
        severity=incident.severity,
        trigger=incident.trigger,
        sign=incident.sign,
        onset=rfc3339(incident.onset),
        opened_at=rfc3339(incident.opened_at),
        resolved_at=moment(incident.resolved_at),
        recovery_seconds=incident.recovery_s,
        cause=incident.cause,
        causes=cause_views(incident.causes),
        attempts=[_attempt(one) for one in incident.attempts],
        plan=_plan(incident.plan) if incident.plan else None,
        hold=_hold(incident.hold) if incident.hold else None,
        approval=_approval(incident.approval) if incident.approval else None,
        label=_label(incident.label) if incident.label else None,
        opinions=opinions(incident),
        similar=[similar_view(one) for one in incident.similar],
        merged_into=incident.merged_into,
        reason=incident.reason,
    )


def incident_detail(incident: Incident) -> IncidentDetail:
    """Show an incident with its story."""
    return IncidentDetail(
        **dict(incident_view(incident)),
        story=story_lines(incident),
        ranking=ranking_view(incident.ranking),
        suggested=suggestions(incident),
    )


def story_lines(incident: Incident) -> list[LineView]:
    """Show the story of an incident."""
    return [LineView(at=rfc3339(line.at), offset_s=round(line.offset_s, 6), text=line.text) for line in story(incident)]


def fixes(newest_first: Iterable[Incident]) -> list[FixView]:
    """Return every attempt of these incidents, newest first."""
    attempts = [(incident.id, attempt) for incident in newest_first for attempt in incident.attempts]
    attempts.sort(key=lambda pair: -pair[1].started_at)
    return [FixView(**dict(_attempt(attempt)), incident=incident) for incident, attempt in attempts]


def rates(world: World, lessons: Lessons, limit: int | None = None) -> list[RateView]:
    """Return how likely each fix helps where it was tried, the most tried first. Long lists are made in a thread."""
    keys = sorted(world.odds, key=lambda key: (-world.odds[key].tried, key))
    return [_rate(agent, cause, lessons.fix(agent, cause, fix)) for agent, cause, fix in keys[:limit]]


def learned_cases(world: World, since: float = 0.0) -> list[Case]:
    """Return every (agent, cause) about which something was learned, as far as a kept attempt began at `since`."""
    cases = sorted({key[:2] for key in world.odds})
    if not since:
        return cases
    tried = {
        (attempt.agent, attempt.cause or incident.cause)
        for incident in world.incidents.values()
        for attempt in incident.attempts
        if attempt.started_at >= since
    }
    return [case for case in cases if case in tried]


def strategies(world: World, lessons: Lessons, cases: Iterable[Case] | None = None) -> list[StrategyView]:
    """Return the order of fixes that was learned for each of these cases, or all. As costly as `rates`."""
    learned = [lessons.strategy(*case) for case in (learned_cases(world) if cases is None else cases)]
    return [
        StrategyView(
            agent=one.agent,
            cause=one.cause,
            last_used_at=moment(one.used_at),
            fixes=[_ranked(fix) for fix in one.fixes],
        )
        for one in learned
    ]


def shadows(lessons: Lessons) -> list[ShadowView]:
    """Return what became of that which was only suggested."""
    return [
        ShadowView(
            fix=one.fix,
            agreed=one.agreed,
            needless=one.needless,
            sooner=one.sooner,
            open=one.open,
            sooner_seconds=round(one.longer_s, 3),
        )
        for one in lessons.shadows()
    ]


def reports(newest_first: Iterable[Incident]) -> list[ReportView]:
    """Return the diagnoses of these incidents."""
    return [
        ReportView(
            incident=incident.id,
            agent=incident.agent,
            at=rfc3339(_diagnosed_at(incident)),
            sign=incident.sign,
            causes=cause_views(incident.causes),
            ranking=ranking_view(incident.ranking),
            suggested=suggestions(incident),
            opinions=opinions(incident),
            similar=[similar_view(one) for one in incident.similar],
        )
        for incident in newest_first
        if incident.causes
    ]


def _diagnosed_at(incident: Incident) -> float:
    """The latest diagnosis; where the story has dropped it, the opening stands for it."""
    at = [event.at for event in incident.story if isinstance(event, Diagnosed)]
    return max(at, default=incident.opened_at)


def _label(label: Label) -> LabelView:
    return LabelView(
        cause=label.cause,
        agent=label.agent,
        by=label.by,
        at=rfc3339(label.at),
        said=label.said,
        probability=share(label.probability),
        right=label.right,
    )


def _rate(agent: str, cause: str, known: Learned) -> RateView:
    return RateView(
        agent=agent,
        cause=cause,
        fix=known.fix,
        helped=round(known.helped, 2),
        failed=round(known.failed, 2),
        success=share(known.mean),
        interval=(share(known.low), share(known.high)),
    )


def _ranked(known: Learned) -> RankedFix:
    return RankedFix(
        fix=known.fix,
        success=share(known.mean),
        interval=(share(known.low), share(known.high)),
        tried=round(known.helped + known.failed, 2),
        helped=round(known.helped, 2),
        failed=round(known.failed, 2),
        recovery_seconds=_rounded(known.took_s),
        slowest_seconds=_rounded(known.slowest_s),
        expected_seconds=round(known.expected_s, 3),
        settle_seconds=round(known.settle_s, 3),
    )


def _rounded(seconds: float | None) -> float | None:
    return round(seconds, 3) if seconds is not None else None


def cause_views(causes: tuple[Cause, ...]) -> list[CauseView]:
    """Show causes, likeliest first."""
    return [
        CauseView(
            cause=one.slug,
            sentence=CAUSES.get(one.slug, one.slug.replace("_", " ")),  # a user's own fix may name causes of its own
            probability=share(one.probability),
            agent=one.agent,
            evidence=list(one.evidence),
            channels=list(one.channels),
            signs=list(one.signs),
        )
        for one in causes
    ]


def _attempt(one: Attempt) -> AttemptView:
    return AttemptView(
        number=one.number,
        fix=one.fix,
        layer=one.layer,
        agent=one.agent,
        cause=one.cause,
        reflex=one.reflex,
        started_at=rfc3339(one.started_at),
        ended_at=moment(one.ended_at),
        outcome=one.outcome,
        verified=one.verified,
        verified_at=moment(one.verified_at),
        output=one.output,
        undone=one.undone,
    )


def _plan(plan: Planned) -> PlanView:
    return PlanView(
        at=rfc3339(plan.at),
        fix=plan.fix,
        agent=plan.agent,
        reason=plan.reason,
        alternatives=[alternative_view(one) for one in plan.alternatives],
        policy=plan.policy,
        ladder=plan.ladder,
        shadow=plan.shadow,
        passed=list(plan.passed),
    )


def alternative_view(one: Alternative) -> AlternativeView:
    """Show a fix that was weighed."""
    return AlternativeView(
        fix=one.fix,
        success=share(one.success),
        expected_seconds=one.expected_s,
        cost_seconds=one.cost_s or None,
        barred=one.barred,
        code=one.code,
        propensity=share(one.propensity),
    )


def _hold(hold: Held) -> HoldView:
    return HoldView(at=rfc3339(hold.at), reason=hold.reason, until=moment(hold.until), code=hold.code, fix=hold.fix)


def _approval(asked: Approval) -> ApprovalView:
    return ApprovalView(
        fix=asked.fix,
        agent=asked.agent,
        asked_at=rfc3339(asked.asked_at),
        expires_at=rfc3339(asked.expires_at),
        approved=asked.approved,
        by=asked.by,
    )
