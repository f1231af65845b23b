"""Is it told when failures came that were given such a chance, and which past one was most like this?"""

from __future__ import annotations

from selfheal.recorded.etas import SOMEWHERE, eta_for, etas_of, nearest
from selfheal.recorded.foreteller import Case


def test_when_failures_came_is_told_by_what_was_said_and_only_where_there_were_enough() -> None:
    rarely = [(0.1, 1.0 - 0.01 * place) for place in range(20)]
    surely = [(0.9, 0.01 * place) for place in range(20)]
    etas = etas_of(rarely + surely)
    assert [one.probability for one in etas] == [0.0, 0.2, 0.4, 0.6, 0.8]
    assert all(one.low <= one.middle <= one.high for one in etas)
    assert eta_for(etas, 0.1).middle > 0.4
    assert eta_for(etas, 0.95).high < 0.2
    assert etas_of(surely[:19]) == ()
    assert eta_for((), 0.95) == SOMEWHERE


def test_the_nearest_case_is_the_one_with_the_same_reasons() -> None:
    cases = [Case("inc-1", (0.0, 2.0)), Case("inc-2", (2.0, 0.0))]
    found = nearest(cases, (1.5, 0.1))
    assert found is not None
    assert found.incident == "inc-2"
    nothing: list[Case] = []
    assert nearest(nothing, (1.0,)) is None
