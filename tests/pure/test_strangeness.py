"""Is it told how strange an agent is, by what, and why not by a forest?"""

from __future__ import annotations

import pytest

from selfheal.serve.views.strangeness import NOT_LOOKED, strangeness_view
from selfheal.vitals import Strangeness, Vitals

SEEN = Strangeness(1_800_000_000.0, 0.6, "", ("rss.slope", "cpu.level"))


def test_nobody_has_looked_yet() -> None:
    seen = strangeness_view(None, 0.3)
    assert (seen.score, seen.by, seen.why, seen.at) == (0.3, "statistics", NOT_LOOKED, None)


@pytest.mark.parametrize(("alone", "score"), [(0.0, 0.6), (0.9, 0.9)])
def test_where_there_is_a_forest_the_higher_score_counts(alone: float, score: float) -> None:
    seen = strangeness_view(SEEN, alone)
    assert (seen.score, seen.by, seen.why, seen.features) == (score, "forest", "", ["rss.slope", "cpu.level"])


def test_without_a_forest_it_is_said_why() -> None:
    seen = strangeness_view(Strangeness(1_800_000_000.0, None, "too little"), 0.7)
    assert (seen.score, seen.by, seen.why) == (0.7, "statistics", "too little")


def test_vitals_keep_it_for_who_has_a_copy_and_forget_it_with_the_agent() -> None:
    vitals = Vitals()
    vitals.put_strangeness("api", SEEN)
    other = Vitals()
    other.put_all("api", vitals.of("api"))
    assert other.strangeness("api") == vitals.copy().strangeness("api") == SEEN
    assert other.agents() == {"api"}
    vitals.reset("api")
    assert vitals.strangeness("api") == SEEN
    vitals.forget("api")
    assert vitals.strangeness("api") is None
    other.put_all("api", vitals.of("api"))
    assert other.strangeness("api") is None
