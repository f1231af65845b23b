"""Do the documents say the same whether they are made anew or from what was made before?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.big_world import WINDOWS, Past, big_world
from selfheal.events import Signature
from selfheal.learn.scorecard import figures
from selfheal.learn.strategies import Lessons
from selfheal.serve.documents import Material, Pages, documents

PATTERNS = (Signature("any.port", "port_taken", ("in use",), 0.8),)


def material(past: Past) -> Material:
    return Material(past.world, past.vitals.copy(), past.at, figures, Lessons, PATTERNS, WINDOWS)


def plain(made: Mapping[str, Mapping[str, object]]) -> object:
    return msgspec.json.decode(msgspec.json.encode(made))


@settings(max_examples=6, deadline=None)
@given(st.lists(st.sampled_from(["fail", "second", "nothing", "forget"]), max_size=8))
def test_what_is_kept_says_what_is_so(steps: list[str]) -> None:
    past, pages = big_world(agents=3, incidents=4), Pages()
    for step in steps:
        if step == "fail":
            past.fail()
        elif step == "second":
            past.go_on()
        elif step == "forget":
            kept = dict(list(past.world.incidents.items())[1:])
            past.world = replace(past.world, incidents=kept)
        now = material(past)
        assert plain(pages.documents(now)) == documents(now)


def test_what_did_not_change_is_not_made_again() -> None:
    past, pages = big_world(agents=3, incidents=4), Pages()
    before = pages.documents(material(past))
    past.fail()
    after = pages.documents(material(past))
    for name in ("traces.json", "rca_reports.json", "fix_history.json"):
        (items,) = before[name].values()
        (now,) = after[name].values()
        assert isinstance(items, list)
        assert isinstance(now, list)
        assert len(now) > len(items)
        assert all(one is other for one, other in zip(reversed(items), reversed(now), strict=False)), name


def test_what_is_no_longer_shown_is_let_go() -> None:
    past, pages, rests = big_world(agents=3, incidents=4), Pages(), list[None]()
    pages = Pages(lambda: rests.append(None))
    pages.documents(material(past))
    whole = past.world
    past.world = replace(whole, incidents={})
    pages.documents(material(past))
    pages.documents(material(past))
    past.world = whole
    made = pages.documents(material(past))
    assert plain(made) == documents(material(past))
    assert rests
