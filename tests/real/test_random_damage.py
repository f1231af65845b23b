"""Does a start find every damage, lose nothing but what it tells, and know the rest, whatever befell the files?"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.real.damages import Told, make_home, trial

TRIALS = 120


@pytest.mark.parametrize("dropped", [False, True], ids=["whole", "its beginning dropped"])
def test_any_damage_is_found_and_costs_only_what_is_told(tmp_path: Path, dropped: bool) -> None:
    home = make_home(tmp_path / "sound", dropped=dropped)
    counts = Told(Counter(), Counter())
    for seed in range(TRIALS // 2):
        trial(home, tmp_path, seed, counts)
