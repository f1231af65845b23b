"""Is what foretells failures believed only where it is what was learned, and is time always split?"""

from __future__ import annotations

from array import array
from math import inf, nan
from random import Random

import pytest
from msgspec.structs import replace

from selfheal.ml.drift import drift
from selfheal.ml.forest import packed
from selfheal.ml.kept import decode as decode_kept
from selfheal.ml.kept import encode as encode_kept
from selfheal.ml.sealed import ModelRefused
from selfheal.ml.wire import Garbage, Past
from selfheal.predict.own_past import Came
from selfheal.predict.recent import STEP_S
from selfheal.predict.steps import STEPS
from selfheal.predict.timeleft import HORIZON_S
from selfheal.predict.walk import CELLS
from selfheal.predict.windows import FEATURES
from selfheal.recorded.etas import Eta
from selfheal.recorded.foreteller import Case, Kept, OfMode, encode, foreteller_of, spread_of
from selfheal.recorded.stories import HOURS, own, simulated
from tests.pure.foretellers import certain, kept_file, kept_network, of_mode
from tests.pure.networks import network, windows_of

BEGUN = 5_888_000  # the number of a step


def refused(data: bytes) -> str:
    with pytest.raises(ModelRefused) as caught:
        foreteller_of(data)
    return caught.value.slug


def test_what_was_kept_is_there_again_and_knows_who_speaks() -> None:
    found = foreteller_of(kept_file(of_mode(), of_mode("disk_full", speaks=False), trained_at=9.0))
    assert found.told.trained_at == 9.0
    assert found.speaking == {"out_of_memory"}
    assert found.modes["disk_full"].told.why == "it was made up"


@pytest.mark.parametrize(
    ("told", "slug"),
    [
        (replace(of_mode(), mode="crash"), "foreign"),
        (replace(of_mode(), mode="disk_full"), "foreign"),  # the booster within is of another mode
        (replace(of_mode(), learned=b"garbage"), "foreign"),
        (replace(of_mode(), loss=inf), "poisoned"),
        (replace(of_mode(), why="x" * 5000), "poisoned"),
        (replace(of_mode(), of_lstm="x" * 5000), "poisoned"),
        (replace(of_mode(), network=b"garbage"), "foreign"),
        (replace(of_mode(), network=kept_network(certain())[:-9]), "damaged"),
        (replace(of_mode(), network=kept_network(certain(), "disk_full")), "foreign"),  # of another mode
        (replace(of_mode(), network=of_mode().learned), "schema"),  # it is trees, over other features
        (replace(of_mode(), network=kept_network(network(CELLS, steps=STEPS - 1))), "foreign"),
        (replace(of_mode(), network=kept_network(network(("a", "b"), steps=STEPS))), "schema"),
        (replace(of_mode(), learned=kept_network(certain())), "schema"),
        (replace(of_mode(), etas=(Eta(0.0, 0.1, nan, 0.9),)), "poisoned"),
        (replace(of_mode(), cases=(Case("inc-1", (0.0,)),)), "schema"),
    ],
)
def test_what_is_no_model_of_ours_is_refused(told: OfMode, slug: str) -> None:
    assert refused(kept_file(told)) == slug


def test_a_booster_that_does_not_say_what_it_said_is_refused() -> None:
    good = decode_kept(of_mode().learned)
    proofs = tuple(replace(proof, margin=proof.margin + 0.5) for proof in good.proofs)
    poisoned = replace(of_mode(), learned=encode_kept(replace(good, proofs=proofs)))
    assert refused(kept_file(poisoned)) == "poisoned"


def test_a_network_that_does_not_say_what_it_said_is_refused() -> None:
    good = decode_kept(kept_network(certain()))
    poisoned = encode_kept(replace(good, model=certain(margin=2.0)))
    assert refused(kept_file(replace(of_mode(), network=poisoned))) == "poisoned"


def test_where_a_network_is_kept_it_says_how_likely_it_is() -> None:
    row, shown = (0.0,) * len(FEATURES), windows_of(len(CELLS), STEPS, count=1)
    told = foreteller_of(kept_file(replace(of_mode(), network=kept_network(certain())), of_mode("disk_full"))).modes
    assert (told["out_of_memory"].model, told["disk_full"].model) == ("lstm", "boost")
    assert told["out_of_memory"].probability(row, shown.pop) == pytest.approx(0.953, abs=0.001)
    assert told["disk_full"].probability(row, shown.pop) == pytest.approx(0.018, abs=0.001)  # it looks at no window


def test_damage_another_format_and_nothing_at_all_are_refused() -> None:
    assert refused(kept_file()[:-3]) == "damaged"
    assert refused(b"") == "foreign"
    one = Kept(trained_at=0.0, runs=1, own_failures=0, own_steps=0, modes=(of_mode(),))
    assert refused(encode(replace(one, format=99))) == "format"
    assert refused(encode(replace(one, format=1))) == "format"  # of a release that knew no networks
    assert refused(encode(replace(one, modes=()))) == "poisoned"
    assert refused(encode(replace(one, modes=(of_mode(), of_mode())))) == "poisoned"


def test_the_nearest_case_is_the_one_with_the_same_reasons() -> None:
    near = tuple(1.0 if place == 3 else 0.0 for place in range(len(FEATURES)))
    far = tuple(-1.0 for _ in FEATURES)
    (one,) = foreteller_of(kept_file(of_mode(cases=(Case("inc-1", far), Case("inc-2", near))))).modes.values()
    assert one.nearest(near) == "inc-2"
    assert one.nearest(far) == "inc-1"
    (none,) = foreteller_of(kept_file()).modes.values()
    assert none.nearest(near) == ""


def test_when_it_comes_is_what_was_seen_with_as_high_a_chance() -> None:
    etas = (Eta(0.0, 0.2, 0.6, 0.9), Eta(0.6, 0.1, 0.3, 0.5))
    (one,) = foreteller_of(kept_file(replace(of_mode(), etas=etas))).modes.values()
    assert one.eta(0.5) == (0.2, 0.6, 0.9)
    assert one.eta(0.7) == (0.1, 0.3, 0.5)
    (none,) = foreteller_of(kept_file(replace(of_mode(), etas=()))).modes.values()
    assert none.eta(0.7) == (0.05, 0.5, 1.0)


def test_simulated_agents_are_told_as_the_daemon_knows_its_own() -> None:
    first, second = list(simulated(6, 1)), list(simulated(6, 1))
    assert [one.failures for one in first] == [one.failures for one in second]  # the same dice, the same fleet
    assert repr(first) == repr(second)
    assert any(one.failures for one in first)
    for one in first:
        assert "restarts" not in one.columns
        assert one.ended - one.begun == pytest.approx(HOURS * 3600.0, rel=0.01)
        assert {came.mode for came in one.failures} <= one.limits.keys()
        assert all(
            any(began >= came.at for began in one.restarts) or came.at > one.ended - 600.0 for came in one.failures
        )


def past() -> Past:
    means = packed(array("d", [1.0, 2.0, nan]))
    return Past(agent="api", first=BEGUN, columns={"rss": means}, limits=(("out_of_memory", "rss", 9.0),))


def test_an_own_story_is_what_was_sent_and_no_more() -> None:
    story = own(replace(past(), failures=(("out_of_memory", 7.0, "inc-1"),)))
    assert story.failures == [Came("out_of_memory", 7.0, "inc-1")]
    assert story.begun == BEGUN * STEP_S
    late = own(replace(past(), columns={"rss": packed(array("d", [nan, nan, 5.0]))}))
    assert (late.first, list(late.columns["rss"])) == (BEGUN + 2, [5.0])
    unknown = own(replace(past(), limits=(("out_of_memory", "not there", 9.0), ("crash", "rss", 9.0))))
    assert unknown.limits == {}
    with pytest.raises(Garbage):
        own(replace(past(), columns={"rss": b"123"}))


def test_what_is_seen_has_drifted_where_it_is_another_thing_than_what_was_learned_from() -> None:
    dice = Random(3)
    rows = [[dice.gauss(0.0, 1.0) if place % 7 else nan for place in range(len(FEATURES))] for _ in range(900)]
    told = replace(of_mode(), spread=spread_of(rows[:600]))
    spread = foreteller_of(kept_file(told)).told.modes[0].spread
    assert spread is not None
    assert not drift(spread, rows[600:]).drifted
    assert drift(spread, [[cell + 3.0 for cell in row] for row in rows[600:]]).drifted
    with pytest.raises(ValueError, match="other features"):
        spread_of([[1.0, 2.0]])


def test_a_step_is_a_part_of_the_horizon() -> None:
    assert STEP_S * STEPS == HORIZON_S
