"""After ten thousand damages: was every start readable, every damage found, and nothing lost but what was told?"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.real.damages import Told, make_home, trial

TRIALS = 10_000


@pytest.mark.timeout(7200)
def test_ten_thousand_damages_are_found_and_cost_only_what_is_told(tmp_path: Path) -> None:
    counts = Told(Counter(), Counter())
    for dropped in (False, True):
        home = make_home(tmp_path / f"sound-{dropped}", dropped=dropped)
        for seed in range(TRIALS // 2):
            trial(home, tmp_path, 1_000_000 + seed, counts)
    print()
    for done, count in sorted(counts.trials.items()):
        print(f"{done:24} {count:5} trials, {counts.told[done]:5} told")
    print(f"{counts.trials.total()} trials, {counts.lost} events lost and told, 0 starts that could not be read")
