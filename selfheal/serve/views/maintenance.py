"""What is planned before a failure, why then, what became of it, and what was it worth?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from selfheal.serve.models.maintenance import LeftView, Totals, WindowView, WorkView, WorthView
from selfheal.serve.times import moment, rfc3339
from selfheal.serve.views.foresight import share
from selfheal.serve.views.incidents import alternative_view
from selfheal.world.cases import state_of
from selfheal.world.left_alone import estimate

if TYPE_CHECKING:
    from selfheal.config.models import WindowConfig
    from selfheal.vocabulary import WorkState
    from selfheal.world import Work, World


def work(world: World) -> list[WorkView]:
    """Return what is planned or was done before it broke, newest first."""
    return [_work(world, one) for one in list(world.foresight.work.values())[::-1]]


def windows(configured: Sequence[WindowConfig]) -> list[WindowView]:
    """Return the maintenance windows in force."""
    return [
        WindowView(agents=list(one.agents), cron=one.cron, timezone=one.timezone, minutes=one.minutes)
        for one in configured
    ]


def left_alone(world: World) -> list[LeftView]:
    """Return the failures that are left to come."""
    return [LeftView(agent=agent, mode=mode) for (agent, mode), arm in world.foresight.arms.items() if arm == "left"]


def totals(world: World) -> Totals:
    """Return what became of all work and all predictions, and what the work was worth."""
    foresight = world.foresight
    counted: Counter[WorkState] = Counter(state_of(world, one) for one in foresight.work.values() if not one.over)
    for (_, state), count in foresight.work_ended.items():
        counted[state] += count
    acted: Counter[str] = Counter()
    for (arm, outcome), count in foresight.drawn_ended.items():
        if arm != "left":
            acted[outcome] += count
    found = estimate(foresight)
    return Totals(
        work=dict(counted),
        averted=acted["averted"],
        came_all_the_same=acted["happened"],
        worth=WorthView(
            acted=found.acted,
            left=found.left,
            came=found.came,
            would_have_failed=found.would,
            low=found.low,
            high=found.high,
        ),
    )


def _work(world: World, one: Work) -> WorkView:
    planned, case = one.planned, world.cases.get(one.planned.work)
    held = case.hold if case is not None else None
    answer = case.approval if case is not None else None
    said = {**case.refused, **case.allowed} if case is not None else {}
    by = answer.by if answer is not None else said.get((planned.action, planned.agent), "")
    return WorkView(
        id=planned.work,
        agent=planned.agent,
        action=planned.action,
        why=planned.why,
        planned_at=rfc3339(planned.at),
        due_at=rfc3339(planned.due_at),
        done_at=moment(one.done_at),
        outcome=one.outcome,
        output=one.output,
        state=state_of(world, one),
        mode=planned.mode,
        probability=share(planned.probability),
        until=rfc3339(planned.until) if planned.until else None,
        timing=planned.timing,
        how=planned.how,
        asks=planned.asks,
        answered_by=by,
        backups=list(planned.backups),
        begun_at=moment(case.attempts[0].started_at if case is not None and case.attempts else None),
        hold=held.reason if held is not None else "",
        hold_code=held.code if held is not None else None,
        reason=planned.reason,
        alternatives=[alternative_view(other) for other in planned.alternatives],
    )
