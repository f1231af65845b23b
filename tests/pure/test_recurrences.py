"""Are recurrences found, others left alone, and is what the past says of a cause harmless where it is another one?"""

from __future__ import annotations

import pytest

from tests.pure.recurrences import run


@pytest.mark.parametrize("seed", [1, 2])
def test_what_comes_again_is_found_and_memory_does_more_good_than_harm(seed: int) -> None:
    score = run(seed, incidents=300)
    assert score.same_cause >= 0.93 * score.again
    assert score.taken_for_another <= 0.08 * score.new
    assert score.helped >= 10
    assert score.harmed <= 0.005 * score.total
