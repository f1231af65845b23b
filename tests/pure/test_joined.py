"""Does the ranking say where, and leave alone what the rules know for certain?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.causes import CAUSES
from selfheal.diagnose.joined import CHANNEL, VAGUE, joined
from selfheal.diagnose.rank import Ranking, Suspect, Verdict
from selfheal.events import Cause
from selfheal.vocabulary import DIRECT, Channel
from tests.pure.situations import NAMES, fleet

WORLD = fleet()  # web depends on api, api on cache
BLAME = "slow_dependency"


def ranking(first: str, probability: float = 0.9, verdict: Verdict = "act", *agree: str) -> Ranking:
    suspects = (Suspect(first, probability, 3.0, {"budget": "100% of what is missing is its own"}),)
    """`agree` are the channels in which nobody scores higher."""
    return Ranking(
        suspects,
        (),
        (),
        verdict,
        probability,
        1.0 - probability,
        (),
        dict.fromkeys(agree or ("shift", "budget"), 1.0),
        (),
        {},
    )


def vague(slug: str = "slow", agent: str = "web", share: float = 0.9, *channels: Channel) -> tuple[Cause, ...]:
    return Cause(slug, share, agent, ("a sign",), channels or ("check",)), Cause("unknown", 1.0 - share, agent)


@pytest.mark.parametrize("slug", sorted(VAGUE))
def test_where_rules_only_know_how_it_looks_the_ranking_says_where_it_comes_from(slug: str) -> None:
    found = joined(WORLD, "web", vague(slug), ranking("cache"))
    assert (found[0].slug, found[0].agent) == (BLAME, "cache")
    assert found[0].probability == pytest.approx(0.9)
    assert found[0].evidence == ("budget: 100% of what is missing is its own",)
    assert found[0].channels == (CHANNEL,)


@pytest.mark.parametrize(
    "told",
    [
        ranking("cache", 0.6, "investigate"),
        ranking("cache", 0.3, "none"),
        ranking("web"),
        ranking("site"),  # it is sure, and web has nothing to do with the site
        ranking("cache", 0.9, "act", "shift", "onset"),  # its numbers moved, which a busy neighbour's do too
    ],
)
def test_what_is_not_sure_or_no_dependency_changes_nothing(told: Ranking) -> None:
    assert joined(WORLD, "web", vague(), told) == vague()


@pytest.mark.parametrize("channel", sorted(DIRECT))
def test_direct_evidence_is_never_overruled(channel: Channel) -> None:
    causes = vague("hung", "web", 0.9, channel)
    assert joined(WORLD, "web", causes, ranking("cache")) == causes


@pytest.mark.parametrize("slug", ["killed", "crashed", "port_taken", "disk_full", "out_of_memory", "bad_deploy"])
def test_a_cause_that_says_what_it_is_stays_first(slug: str) -> None:
    assert joined(WORLD, "web", vague(slug), ranking("cache")) == vague(slug)


def test_who_was_blamed_by_the_rules_already_is_blamed_by_both() -> None:
    causes = (
        Cause("wrong_answer", 0.5, "web", ("status 500",), ("check",)),
        Cause(BLAME, 0.3, "cache", ("its log says so",), ("log",)),
        Cause("unknown", 0.2, "web"),
    )
    first, *_ = joined(WORLD, "web", causes, ranking("cache"))
    assert (first.slug, first.agent, first.channels) == (BLAME, "cache", ("log", CHANNEL))
    assert first.probability == pytest.approx(0.3 + 0.9 * 0.7)


SLUGS = st.sampled_from(sorted(CAUSES))
SEEN: tuple[Channel, ...] = ("check", "log", "kernel", "exit", "dependency")
CHANNELS = st.lists(st.sampled_from(SEEN), max_size=2).map(tuple)


@st.composite
def diagnoses(draw: st.DrawFn) -> tuple[Cause, ...]:
    keys = draw(st.lists(st.tuples(SLUGS, st.sampled_from(NAMES)), min_size=1, max_size=5, unique=True))
    weights = draw(st.lists(st.floats(0.01, 1.0), min_size=len(keys), max_size=len(keys)))
    shares = sorted((round(one / sum(weights), 4) for one in weights), reverse=True)
    return tuple(
        Cause(slug, share, agent, (), draw(CHANNELS)) for (slug, agent), share in zip(keys, shares, strict=True)
    )


@given(
    diagnoses(), st.sampled_from((*NAMES, "site")), st.floats(0.0, 1.0), st.sampled_from(("act", "investigate", "none"))
)
def test_the_sum_stays_what_it_was_and_what_is_certain_is_never_lowered(
    causes: tuple[Cause, ...], first: str, probability: float, verdict: Verdict
) -> None:
    found = joined(WORLD, "web", causes, ranking(first, probability, verdict))
    assert sum(one.probability for one in found) == pytest.approx(sum(one.probability for one in causes), abs=1e-3)
    assert [one.probability for one in found] == sorted((one.probability for one in found), reverse=True)
    after = {(one.slug, one.agent): one.probability for one in found}
    for one in causes:
        vague_here = one.slug in VAGUE and one.agent == "web" and DIRECT.isdisjoint(one.channels)
        assert vague_here or after[one.slug, one.agent] >= one.probability - 1e-4
