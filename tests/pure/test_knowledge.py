"""Is what incidents teach counted once, by what is known of their causes, and kept within bounds?"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given, settings

from selfheal.events import (
    Attributed,
    Cause,
    CauseLabelled,
    DaemonStarted,
    Diagnosed,
    Event,
    Fingerprint,
    FixEnded,
    FixRelapsed,
    FixStarted,
    IncidentEscalated,
    IncidentOpened,
    IncidentResolved,
    KnowledgeImported,
    Signature,
    SignatureAdded,
    SignatureRemoved,
    SignatureRestored,
    Similar,
    Tally,
    Verified,
)
from selfheal.learn.precision import PRIOR_WEIGHT, precision, precisions
from selfheal.world import EMPTY, World, codec, fold
from selfheal.world.knowledge import FINGERPRINTS_KEPT, Knowledge, faded, seen_before
from tests.pure.histories import histories

T0 = 1_800_000_000.0
DAY_S = 86_400.0
FULL = Signature("own.full", "disk_full", ("no room",), 0.9)
CAUSES = (
    Cause("disk_full", 0.7, "api", ("its log says so",), ("log",), ("own.full", "general.disk")),
    Cause("crashed", 0.2, "api", (), ("exit",), ("own.trace",)),
    Cause("unknown", 0.1, "api"),
)
LOOK = ("agent:api", "exit:1", "log:no room")


def world(*events: Event) -> World:
    return reduce(fold, events, EMPTY)


def incident(name: str = "inc-1", at: float = T0, *, look: tuple[str, ...] = LOOK) -> tuple[Event, ...]:
    return IncidentOpened(at, name, "api", "exit", "exit code 1", at), Diagnosed(at + 1, name, CAUSES, look)


def healed(name: str = "inc-1", at: float = T0, *, share: float = 0.8, reflex: bool = False) -> tuple[Event, ...]:
    """A fix has helped, and says by how much it was what was thought."""
    return (
        *incident(name, at),
        FixStarted(at + 2, name, 1, "free_disk", "application", "api", "disk_full", reflex),
        FixEnded(at + 3, name, 1, "succeeded", ""),
        Verified(at + 9, name, 1, "succeeded", "", at + 4),
        Attributed(at + 9, name, {"disk_full": share, "crashed": 1.0 - share}),
        IncidentResolved(at + 9, name, "free_disk helped", 4.0),
    )


def counts(known: World, sign: str) -> tuple[float, float]:
    tally = known.knowledge.tallies.get(sign, Tally())
    return round(tally.right, 3), round(tally.wrong, 3)


def test_each_signature_is_right_by_the_share_of_its_cause_and_wrong_by_the_rest() -> None:
    seen = world(*healed())
    assert counts(seen, "own.full") == counts(seen, "general.disk") == (0.8, 0.2)
    assert counts(seen, "own.trace") == (0.2, 0.8)


def test_an_incident_of_which_nothing_was_shown_counts_nothing() -> None:
    assert world(*incident(), IncidentResolved(T0 + 9, "inc-1", "by itself", 9.0)).knowledge.tallies == {}


def test_what_shows_nothing_counts_nothing() -> None:
    """A signature that spoke at every death would lose by each, were the start after it taken for a proof."""
    assert world(*healed(reflex=True)).knowledge.tallies == {}
    assert world(*healed(share=0.6)).knowledge.tallies == {}


def test_that_no_cause_was_found_is_none_that_could_have_been_the_true_one() -> None:
    *before, told, end = healed()
    assert isinstance(told, Attributed)
    seen = world(*before, replace(told, shares={"disk_full": 0.6, "crashed": 0.15, "unknown": 0.25}), end)
    assert counts(seen, "own.full") == (0.8, 0.2)


def test_a_person_s_word_counts_in_full_and_takes_the_place_of_what_the_attempts_have_shown() -> None:
    told = world(*healed(), CauseLabelled(T0 + DAY_S, "inc-1", "crashed", "api", "ada"))
    assert (counts(told, "own.full"), counts(told, "own.trace")) == ((0.0, 1.0), (1.0, 0.0))
    again = fold(told, CauseLabelled(T0 + 2 * DAY_S, "inc-1", "disk_full", "api", "ada"))
    assert (counts(again, "own.full"), counts(again, "own.trace")) == ((1.0, 0.0), (0.0, 1.0))


def test_what_the_attempts_show_after_a_person_has_spoken_changes_nothing() -> None:
    spoken = CauseLabelled(T0 + 1.5, "inc-1", "crashed", "api", "ada")
    before, *after = healed()
    told = world(before, after[0], spoken, *after[1:])
    assert counts(told, "own.full") == (0.0, 1.0)


def test_the_same_cause_at_another_agent_was_not_meant() -> None:
    told = world(*healed(), CauseLabelled(T0 + 20, "inc-1", "disk_full", "cache", "ada"))
    assert counts(told, "own.full") == (0.0, 1.0)


def test_that_it_was_only_something_else_speaks_against_what_was_put_first_and_of_nothing_else() -> None:
    told = world(*healed(), CauseLabelled(T0 + 20, "inc-1", "", "api", "ada"))
    assert (counts(told, "own.full"), counts(told, "own.trace")) == ((0.0, 1.0), (0.0, 0.0))


def test_a_signature_that_spoke_in_the_first_look_and_not_in_the_last_is_counted() -> None:
    """What a new run has not said yet, the old one has."""
    before, *after = healed()
    again = Diagnosed(T0 + 1.5, "inc-1", (Cause("crashed", 0.9, "api"),), LOOK)
    assert counts(world(before, after[0], again, *after[1:]), "own.full") == (0.8, 0.2)


def test_counts_fade_and_what_was_believed_has_the_weight_of_eight_incidents() -> None:
    fresh = world(SignatureAdded(T0 - 9, FULL, "ada"))
    assert precisions(fresh, (FULL,)) == {"own.full": pytest.approx(0.9)}
    wrong = world(*healed(), CauseLabelled(T0 + 20, "inc-1", "crashed", "api", "ada"))
    now = precision(wrong, FULL, T0 + 20)
    assert now.mean == pytest.approx(0.9 * PRIOR_WEIGHT / (PRIOR_WEIGHT + 1))
    later = precision(wrong, FULL, T0 + 20 + 35 * DAY_S)
    assert now.mean < later.mean < 0.9
    assert later.wrong == pytest.approx(0.5, abs=0.01)


def test_a_fingerprint_says_what_it_looked_like_and_what_became_of_it() -> None:
    kept = world(*healed()).knowledge.past["inc-1"]
    assert kept == Fingerprint(
        "inc-1", "", "api", T0, LOOK, "disk_full", "api", "attempts", "free_disk", 4.0, person=False
    )


def test_that_a_dead_process_was_started_proves_no_cause_and_neither_does_a_narrow_margin() -> None:
    assert world(*healed(reflex=True)).knowledge.past["inc-1"].proof == ""
    assert world(*healed(share=0.6)).knowledge.past["inc-1"].proof == ""


def test_a_label_and_a_relapse_change_what_is_kept() -> None:
    told = world(*healed(), CauseLabelled(T0 + 20, "inc-1", "permission", "api", "ada"))
    kept = told.knowledge.past["inc-1"]
    assert (kept.cause, kept.proof, kept.fix) == ("permission", "person", "free_disk")
    relapsed = fold(told, FixRelapsed(T0 + 30, "inc-1", 1, "inc-2"))
    assert relapsed.knowledge.past["inc-1"].fix == ""


def test_one_that_waits_for_a_person_is_kept_and_one_that_was_never_looked_at_is_not() -> None:
    called = world(*incident(), IncidentEscalated(T0 + 9, "inc-1", "no fix is left"))
    assert called.knowledge.past["inc-1"].person
    bare = world(*incident(look=()), IncidentResolved(T0 + 9, "inc-1", "by itself", 9.0))
    assert bare.knowledge.past == {}


def test_the_newest_thousand_are_kept() -> None:
    begin, end = [], FINGERPRINTS_KEPT + 5
    for number in range(end):
        begin += [*incident(f"inc-{number}", T0 + number), IncidentEscalated(T0 + number, f"inc-{number}", "")]
    past = list(world(*begin).knowledge.past)
    assert (len(past), past[0], past[-1]) == (FINGERPRINTS_KEPT, "inc-5", f"inc-{end - 1}")


def test_own_signatures_come_and_go_and_shipped_ones_are_switched_off_and_on() -> None:
    taught = world(SignatureAdded(T0, FULL, "ada"), *healed())
    gone = fold(taught, SignatureRemoved(T0 + 99, "own.full", "ada"))
    assert (gone.knowledge.own, "own.full" in gone.knowledge.tallies) == ({}, False)
    off = fold(taught, SignatureRemoved(T0 + 99, "redis.oom", "ada"))
    assert (dict(off.knowledge.own), set(off.knowledge.off)) == ({"own.full": FULL}, {"redis.oom"})
    assert fold(off, SignatureRestored(T0 + 100, "redis.oom", "ada")).knowledge == taught.knowledge


def test_what_others_have_seen_is_taken_over_once_and_its_own_is_not_taken_back() -> None:
    theirs = Fingerprint("inc-1", "d2", "api", T0 - DAY_S, LOOK, "disk_full", "api", "person")
    lent = {"d2": {"own.full": Tally(3.0, 1.0, T0)}}
    seen = world(DaemonStarted(T0 - 10, "1", 7, False), *healed())
    once = fold(seen, KnowledgeImported(T0 + 50, "ada", lent, (theirs,)))
    assert once.knowledge.seen("own.full", T0 + 9).right == pytest.approx(3.8, abs=0.01)
    assert list(once.knowledge.past) == ["inc-1", "d2/inc-1"]
    assert fold(once, KnowledgeImported(T0 + 60, "ada", lent, (theirs,))).knowledge == once.knowledge
    origin = seen.knowledge.origin
    own = KnowledgeImported(
        T0 + 50, "ada", {origin: {"own.full": Tally(9.0, 9.0, T0)}},
        (Fingerprint("inc-9", origin, "api", T0, LOOK, "slow", "api"),),
    )  # fmt: skip
    assert fold(seen, own).knowledge == seen.knowledge


def test_a_daemon_keeps_its_name_over_its_starts() -> None:
    first = world(DaemonStarted(T0, "1", 7, False))
    assert first.knowledge.origin
    assert fold(first, DaemonStarted(T0 + 99, "1", 8, False)).knowledge.origin == first.knowledge.origin


def test_a_world_that_was_saved_before_anything_was_known_is_read() -> None:
    parts = [part for part in codec.encode(world(*healed())) if b"knowledge" not in part]
    assert codec.decode(parts).knowledge == Knowledge()


def test_an_incident_of_the_past_is_told_in_half_a_line() -> None:
    similar = Similar("inc-12", 0.9, "api", T0, "disk_full", "api", "attempts", "free_disk", 4.0)
    assert seen_before(similar, T0 + 3 * DAY_S) == "inc-12, 3 days ago: disk_full, free_disk helped after 4 s"
    vain = Similar("d2/inc-1", 0.9, "api", T0, "slow", "api", "person", person=True)
    told = "d2/inc-1, 90 s ago: slow (a person says so), no fix helped, a person was needed"
    assert seen_before(vain, T0 + 90) == told


@settings(max_examples=200)
@given(histories(max_size=60))
def test_counts_are_never_below_nothing_and_no_incident_counts_more_than_once(history: list[Event]) -> None:
    seen = reduce(fold, history, EMPTY)
    for tally in seen.knowledge.tallies.values():
        assert min(tally.right, tally.wrong) >= 0.0
        assert faded(tally, tally.at).right + tally.wrong <= len(seen.incidents) + 1e-6
    assert len(seen.knowledge.past) <= FINGERPRINTS_KEPT
