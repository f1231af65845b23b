"""Is a kept booster believed only where it is one, of what is asked, and sound?"""

from __future__ import annotations

from hashlib import blake2b
from math import nan

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from selfheal.ml.calibration import Platt
from selfheal.ml.kept import MOST_BYTES, Learned, Proof, decode, encode, learned, schema
from selfheal.ml.sealed import ModelRefused
from tests.pure.boosters import booster, kept
from tests.pure.networks import network, windows_of

SOUND = kept(booster(calibration=Platt(1.0, 0.5)))
FILE = encode(SOUND)


def refused(
    data: bytes, subject: str | None = None, features: tuple[str, ...] | None = None, meaning: int | None = None
) -> tuple[str, str]:
    with pytest.raises(ModelRefused) as why:
        decode(data, subject, features, meaning)
    return why.value.slug, str(why.value)


def test_a_booster_comes_back_as_it_was() -> None:
    for again in (decode(FILE), decode(FILE, "leak", ("a", "b", "c"), 1)):
        assert again.model == SOUND.model
        assert again.probability([[0.0, nan, 1.0]]) == SOUND.probability([[0.0, nan, 1.0]])
        assert (again.subject, again.rows, again.positives) == ("leak", 60, 7)


def test_a_network_comes_back_as_it_was_and_says_that_it_is_one() -> None:
    windows = windows_of(3, 5)
    told = learned(
        network(), windows, [place < 5 for place in range(20)],
        subject="leak", meaning=1, since=0.0, until=9.0, library="none",
    )  # fmt: skip
    again = decode(encode(told), "leak", ("a", "b", "c"), 1)
    assert again.model == told.model
    assert (again.speaker, again.steps, SOUND.speaker, SOUND.steps) == ("lstm", 5, "xgboost", 1)
    bent = replace(told, model=replace(network(), offset=0.5))
    assert refused(encode(bent))[0] == "poisoned"


def test_who_asks_gives_a_long_window_and_each_model_takes_what_it_looks_at() -> None:
    rows = [[0.1, nan, 0.3], [1.0, -1.0, 0.0], [0.0, 2.0, 0.5]]
    assert SOUND.probability(rows) == booster(calibration=Platt(1.0, 0.5)).probability(rows[-1])
    with pytest.raises(ValueError, match="no window of 5 rows"):
        learned(
            network(), windows_of(3, 5), [True] * 20, subject="x", meaning=1, since=0.0, until=1.0, library="none"
        ).probability(rows)
    with pytest.raises(ValueError, match="there are 0"):
        SOUND.probability([])


@pytest.mark.parametrize(
    ("data", "slug"),
    [
        (b"", "foreign"),
        (b"selfheal forest\n" + FILE[17:], "foreign"),
        (FILE[:-1], "damaged"),
        (FILE[:40], "damaged"),
        (FILE + b"x", "damaged"),
        (FILE[:500] + bytes([FILE[500] ^ 1]) + FILE[501:], "damaged"),
        (FILE + bytes(MOST_BYTES), "huge"),
    ],
)
def test_what_is_no_whole_file_of_ours_is_refused(data: bytes, slug: str) -> None:
    assert refused(data)[0] == slug


def test_a_booster_of_something_else_is_refused() -> None:
    assert refused(FILE, "crash") == ("foreign", "it is of 'leak'")
    assert refused(FILE, "leak", ("a", "c", "b"))[0] == "schema"
    assert refused(FILE, "leak", ("a", "b", "c"), 2)[0] == "schema"
    assert refused(encode(replace(SOUND, schema=schema(("a", "b"), 1))))[0] == "schema"
    assert refused(encode(replace(SOUND, meaning=2)))[0] == "schema"


OTHER = booster(seed=9)


@pytest.mark.parametrize(
    ("one", "slug", "why"),
    [
        (replace(SOUND, format=2), "format", "format 2"),
        (replace(SOUND, proofs=()), "poisoned", "proves nothing"),
        (replace(SOUND, proofs=SOUND.proofs * 3), "poisoned", "proves nothing"),
        (replace(SOUND, proofs=(Proof(((1.0,),), 0.0, 0.5),)), "poisoned", "is none"),
        (replace(SOUND, proofs=(replace(SOUND.proofs[0], margin=nan),)), "poisoned", "does not say"),
        (replace(SOUND, model=OTHER), "poisoned", "does not say"),
        (replace(SOUND, model=replace(SOUND.model, base=-1.4)), "poisoned", "does not say"),
        (replace(SOUND, model=replace(SOUND.model, calibration=None)), "poisoned", "does not say"),
        (replace(SOUND, positives=0), "poisoned", "from nothing"),
        (replace(SOUND, rows=0), "poisoned", "from nothing"),
        (replace(SOUND, since=nan), "poisoned", "from nothing"),
    ],
)
def test_what_is_wrong_under_a_good_checksum_is_refused_with_a_reason(one: Learned, slug: str, why: str) -> None:
    found, words = refused(encode(one))
    assert found == slug
    assert why in words


def test_trees_that_are_none_are_refused_under_a_good_checksum() -> None:
    told = msgspec.to_builtins(SOUND)
    told["model"]["columns"]["rights"] = [0] * len(told["model"]["columns"]["rights"])
    body = msgspec.msgpack.encode(told)
    slug, why = refused(b"selfheal foretelling\n" + blake2b(body, digest_size=32).digest() + body)
    assert slug == "format"
    assert "leads back" in why


@given(st.binary(max_size=200), st.integers(0, len(FILE)))
def test_whatever_is_in_a_file_it_is_a_booster_or_refused(junk: bytes, cut: int) -> None:
    for data in (junk, FILE[:cut] + junk, b"selfheal foretelling\n" + junk):
        try:
            decode(data)
        except ModelRefused:
            continue
        assert data == FILE
