"""Is a model believed only where it is one, and ours, and sound?"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from selfheal.ml.model import MOST_BYTES, ModelRefused, Stored, decode, encode, schema
from selfheal.ml.rows import names
from tests.pure.forests import stored

SOUND = stored()
FILE = encode(SOUND)


def refused(data: bytes, agent: str | None = None) -> tuple[str, str]:
    with pytest.raises(ModelRefused) as why:
        decode(data, agent)
    return why.value.slug, str(why.value)


def test_a_model_comes_back_as_it_was() -> None:
    assert decode(FILE, "api").told == SOUND


def test_what_is_usual_is_calm_and_what_is_far_is_strange() -> None:
    model = decode(FILE)
    assert model.score([10.0, 10.0, 10.0, 10.0]) == pytest.approx(0.0, abs=0.25)
    far = model.score([90.0, -90.0, 90.0, -90.0])
    assert far is not None
    assert 0.5 < far <= 1.0


def test_what_was_mostly_not_seen_has_no_score() -> None:
    nan = float("nan")
    model = decode(FILE)
    assert model.score([nan, nan, nan, 10.0]) is None
    assert model.score([nan, nan, 10.0, 10.0]) is not None


def test_the_features_that_are_outside_are_named_the_furthest_first() -> None:
    nan = float("nan")
    assert decode(FILE).strangest([99.0, 10.0, nan, 30.0]) == ("latency.level", "latency.spread")


@pytest.mark.parametrize(
    ("data", "slug"),
    [
        (b"", "foreign"),
        (b"\x80\x04 something pickled", "foreign"),
        (FILE[:-1], "damaged"),
        (FILE[: len(FILE) // 2], "damaged"),
        (FILE[:20], "damaged"),
        (FILE + b"x", "damaged"),
        (FILE[:500] + bytes([FILE[500] ^ 1]) + FILE[501:], "damaged"),
        (FILE + bytes(MOST_BYTES), "huge"),
    ],
)
def test_what_is_no_whole_file_of_ours_is_refused(data: bytes, slug: str) -> None:
    assert refused(data)[0] == slug


@pytest.mark.parametrize(
    ("told", "slug", "why"),
    [
        (replace(SOUND, format=2), "format", "format 2"),
        (replace(SOUND, schema="other"), "schema", "not those that are made now"),
        (replace(SOUND, signals=("cpu",)), "schema", "not those that are made now"),
        (replace(SOUND, signals=(), schema=schema(())), "poisoned", "0 signals"),
        (replace(SOUND, lows=SOUND.lows[1:]), "poisoned", "each of its 4 features"),
        (replace(SOUND, shares=((1.0,),) * 4), "poisoned", "between its edges"),
        (replace(SOUND, centres=(float("nan"),) * 4), "poisoned", "no number"),
        (replace(SOUND, calm=0.9, line=0.5), "poisoned", "not below what is strange"),
        (replace(SOUND, line=float("nan")), "poisoned", "not below what is strange"),
        (replace(SOUND, features=SOUND.features[:-4]), "poisoned", "not of equal length"),
        (replace(SOUND, features=SOUND.features[:-1]), "poisoned", "cut off"),
        (replace(SOUND, trees=SOUND.trees + 1), "poisoned", "ends before"),
        (replace(SOUND, rights=bytes(len(SOUND.rights))), "poisoned", "leads somewhere else"),
        (replace(SOUND, scale=SOUND.scale * 1.01), "poisoned", "do not give the scores"),
        (replace(SOUND, proofs=()), "poisoned", "proves nothing"),
        (replace(SOUND, proofs=((1.0, 2.0),)), "poisoned", "is none"),
    ],
)
def test_what_is_wrong_under_a_good_checksum_is_refused_with_a_reason(told: Stored, slug: str, why: str) -> None:
    found, words = refused(encode(told))
    assert found == slug
    assert why in words


def test_the_model_of_another_agent_is_refused() -> None:
    assert refused(FILE, "db") == ("foreign", "it is of 'api'")


def test_the_schema_tells_names_and_their_order_apart() -> None:
    schemas = {schema(one) for one in (("a", "b"), ("b", "a"), ("a",), ("a.level",), ())}
    assert len(schemas) == 5
    assert schema(("a", "b")) == schema(("a", "b"))


@given(st.binary(max_size=200), st.integers(0, len(FILE)))
def test_whatever_is_in_a_file_it_is_a_model_or_refused(junk: bytes, cut: int) -> None:
    for data in (junk, FILE[:cut] + junk, b"selfheal forest\n" + junk):
        try:
            decode(data)
        except ModelRefused:
            continue
        assert data == FILE


def test_a_tree_that_was_changed_does_not_pass_its_proofs() -> None:
    cells = [[Random(place).gauss(10.0, 1.0) for _ in names(("latency",))] for place in range(100)]
    other = stored(cells=cells)
    swapped = replace(SOUND, features=other.features, numbers=other.numbers, rights=other.rights, trees=other.trees)
    assert refused(encode(swapped))[0] == "poisoned"
