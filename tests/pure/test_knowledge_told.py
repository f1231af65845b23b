"""Is what is known of the past told where people look, and does it fit where it has to?"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

from selfheal.compose.counsel_facts import facts_of
from selfheal.events import (
    AgentDeclared,
    Cause,
    Diagnosed,
    Event,
    Fingerprint,
    IncidentEscalated,
    IncidentOpened,
    Signature,
    Similar,
    Tally,
)
from selfheal.learn.strategies import Lessons
from selfheal.notify.alerts import alerts
from selfheal.plans import Clues, Rest
from selfheal.serve.models.teaching import Bundle
from selfheal.serve.views.incidents import incident_view
from selfheal.serve.views.knowledge import LARGEST, bundle, signature_view
from selfheal.serve.views.markdown import markdown
from selfheal.serve.views.report import report
from selfheal.world import EMPTY, Knowledge, World, fold

T0 = 1_800_000_000.0
DAY_S = 86_400.0
SEEN = Similar(
    "inc-12",
    0.94,
    "api",
    T0 - 3 * DAY_S,
    "disk_full",
    "api",
    "attempts",
    "free_disk",
    4.0,
    False,
    ("its log says “x”",),
)
ESCALATED = IncidentEscalated(T0 + 9, "inc-20", "no fix is left for api")
STORY: tuple[Event, ...] = (
    AgentDeclared(T0 - 9, "api", "process", "application", (), ("http",), True),
    IncidentOpened(T0, "inc-20", "api", "exit", "exit code 1", T0),
    Diagnosed(T0 + 1, "inc-20", (Cause("disk_full", 0.8, "api"),), ("agent:api", "exit:1"), (SEEN,)),
    ESCALATED,
)
WORLD = reduce(fold, STORY, EMPTY)
INCIDENT = WORLD.incidents["inc-20"]


def test_the_alert_of_one_that_needs_a_person_says_what_helped_the_last_time() -> None:
    (alert,) = alerts(WORLD, ESCALATED)
    assert alert.text.endswith("Seen before: inc-12, 3 days ago: disk_full, free_disk helped after 4 s")


def test_the_report_has_it_in_words_and_as_data() -> None:
    told = report(WORLD, INCIDENT, T0 + 10, {})
    assert "Seen before: inc-12, 3 days ago: disk_full, free_disk helped after 4 s." in told.summary
    assert [one.incident for one in told.similar] == ["inc-12"]
    assert "## Seen before\n\n- inc-12 at api, " in markdown(told)
    assert "alike by 94%: its log says “x”" in markdown(told)
    assert incident_view(INCIDENT).similar == told.similar


def test_a_language_model_is_told_of_the_nearest_and_of_no_others() -> None:
    (past,) = facts_of(WORLD, INCIDENT, Rest(), Clues(), {}, T0).past
    assert (past.agent, past.cause, past.fix, past.outcome, past.days_ago) == (
        "api", "disk_full", "free_disk", "succeeded", 3.0,
    )  # fmt: skip


def test_a_signature_is_shown_with_what_was_believed_and_what_was_seen() -> None:
    sign = Signature("own.a", "disk_full", ("x",), 0.9)
    known = Knowledge(tallies={"own.a": Tally(0.0, 1.0, T0)}, lent={"d2": {"own.a": Tally(1.0, 0.0, T0)}})
    shown = signature_view(sign, replace(EMPTY, knowledge=known), Lessons(replace(EMPTY, knowledge=known), T0))
    assert (shown.believed, shown.precision, shown.right, shown.wrong, shown.off) == (0.9, 0.82, 1.0, 1.0, False)


def knowing(count: int, length: int) -> World:
    past = [
        Fingerprint(f"inc-{number}", "", "api", T0 + number, (f"log:{'x' * length}{number}",), "slow", "api")
        for number in range(count)
    ]
    known = Knowledge("d1", {"own.a": Signature("own.a", "slow", ("x",), 0.5)}, past={one.key: one for one in past})
    return replace(EMPTY, knowledge=known)


def test_an_export_is_what_an_import_reads() -> None:
    given = Bundle.model_validate_json(bundle(knowing(3, 10)).model_dump_json())
    assert (given.origin, [one.origin for one in given.incidents], given.left_out) == ("d1", ["d1"] * 3, 0)
    assert [one.id for one in given.signatures] == ["own.a"]


def test_an_export_fits_into_one_request_and_what_has_no_room_is_the_oldest() -> None:
    told = bundle(knowing(100, 20_000))
    assert len(told.model_dump_json()) <= LARGEST
    assert (told.incidents[0].incident, told.left_out) == ("inc-99", 100 - len(told.incidents))
