"""Which fix first, when each one that fails leaves less hope and tells something of the cause?

Pure. The only news that does not end an incident is that a fix has failed, so a plan is a sequence of fixes. Its
expected seconds to recovery are

    V(p, S, l) = min over f in S of  C_f + sum_k p_k (1 - theta_kf) V(p', S without f, l - 1),   V(p, S, 0) = paging_s

with the belief p over the causes k, the chance theta_kf that f helps against k, the tries l that are left, and the
belief p'_k ~ p_k (1 - theta_kf) after a failure. A person may be paged before the tries are used up, where what is
left is not worth its time. Success per second, the usual index, is right for unlimited tries only: where tries are few
and a page is dear it wastes them on what is cheap and hopeless.

What has failed is a set, whatever its order, so V is computed once for each set. Where the sets are too many, only
the fixes that a greedy plan tries first are combined, and each of the others is followed by the best of those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb, exp
from operator import gt, mul

# So many sets of failed fixes are looked at, in some 0.6 ms: nine fixes with five tries are 382, twelve with three 299.
SETS = 400
# What differs by less than this is not known to differ: medians of durations and chances of a few tries are no better.
NEAR_S, NEAR_SHARE = 5.0, 0.05
# Among near-ties a fix that is so many seconds worse is drawn 1/e times as often. Ten seconds are measured to learn no
# more (benchmarks/fixes.py, seeds from 1000 on), and cost one first try in ten.
TEMPERATURE_S = 1.0

Weights = tuple[float, ...]
"""By cause, how likely it is and nothing has helped yet; they sum to the chance that it has come so far."""


@dataclass(frozen=True, slots=True)
class Option:
    """A fix that may be tried. `cost_s` is what it takes with its verification and risk, whether or not it helps;
    `helps` is the chance that it does, by cause, and 0 for a cause that is not named.
    """

    fix: str
    cost_s: float
    helps: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Worth:
    """What a fix is worth as the next one: the expected seconds to recovery if it is tried first and the best follows,
    the chance that it helps, and the probability with which it was put first.
    """

    fix: str
    value_s: float
    helps: float
    propensity: float


def rank(
    options: Sequence[Option], belief: Mapping[str, float], *, tries: int, paging_s: float, draw: float
) -> tuple[Worth, ...]:
    """Return all `options`, the one to try next first, the others by their worth.

    `belief` is the probability of each cause, scaled here to sum to 1; `tries` counts this one; `draw` is uniform in
    [0, 1) and decides between near-ties. Where even the first one's `value_s` is not below `paging_s`, nothing is
    worth its time, and to page at once is best. Fixes have different names; their order does not matter.
    """
    causes = sorted(belief) or [""]  # against nothing that has a name nothing helps
    weights = _scaled([max(0.0, belief.get(cause, 0.0)) for cause in causes])
    ordered = sorted(options, key=lambda one: (one.cost_s, one.fix))
    misses = [tuple(1.0 - one.helps.get(cause, 0.0) for cause in causes) for one in ordered]
    values = _values([one.cost_s for one in ordered], misses, weights, tries, paging_s)
    by_worth = sorted(range(len(ordered)), key=values.__getitem__)
    chances = _propensities(ordered, values, by_worth, misses)
    first = _drawn(chances, draw)
    return tuple(
        Worth(ordered[at].fix, values[at], 1.0 - sum(map(mul, weights, misses[at])), chances.get(at, 0.0))
        for at in sorted(by_worth, key=lambda at: at != first)
    )


def updated(belief: Mapping[str, float], failed: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The belief after fixes have failed; each is given by the chance that it helps, by cause. It sums to 1.

    What was certain to help and has not contradicts its cause; where nothing is left, the belief stays as it was.
    """
    left = dict(belief)
    for helps in failed:
        left = {cause: share * (1.0 - helps.get(cause, 0.0)) for cause, share in left.items()}
    if sum(left.values()) <= 0.0:
        left = dict(belief)
    return dict(zip(left, _scaled([*left.values()]), strict=True))


def _values(
    costs: Sequence[float], misses: Sequence[Weights], weights: Weights, tries: int, paging_s: float
) -> list[float]:
    """For each option, the expected seconds to recovery where it is tried first."""
    count = len(costs)
    if tries < 1 or not count:
        return [cost_s + paging_s for cost_s in costs]
    size = max(size for size in range(1, count + 1) if _sets(size, tries) <= SETS)
    pool = _greedy(costs, misses, weights, paging_s)[:size] if size < count else [*range(count)]
    of_pool, plan = _combined([costs[at] for at in pool], [misses[at] for at in pool], weights, tries, paging_s)
    found, then = dict(zip(pool, of_pool, strict=True)), [pool[at] for at in plan[: tries - 1]]
    return [found[at] if at in found else _along([at, *then], costs, misses, weights, paging_s) for at in range(count)]


def _combined(
    costs: Sequence[float], misses: Sequence[Weights], weights: Weights, tries: int, paging_s: float
) -> tuple[list[float], list[int]]:
    """Exactly: for each option the expected seconds where it is tried first, and the best plan of all.

    A set of failed options is a number with a bit for each. Each set is made once, from the one without its highest
    bit, and valued from the larger ones.
    """
    steps = [(1 << at, costs[at], misses[at]) for at in range(len(costs))]
    depth = min(tries, len(costs))
    layers: list[dict[int, Weights]] = [{0: weights}]
    for _ in range(1, depth):
        layers.append({
            failed | bit: tuple(map(mul, left, miss))
            for failed, left in layers[-1].items()
            for bit, _, miss in steps[failed.bit_length() :]
        })  # fmt: skip
    values = {
        failed | bit: sum(map(mul, left, miss)) * paging_s
        for failed, left in layers[-1].items()
        for bit, _, miss in steps[failed.bit_length() :]
    }
    best = dict[int, int]()
    for layer in reversed(layers):
        for failed, left in layer.items():
            reached = sum(left)
            least, next_one = reached * paging_s, 0
            for bit, cost, _ in steps:
                if not failed & bit and (value := cost * reached + values[failed | bit]) < least:
                    least, next_one = value, bit
            values[failed] = least
            if next_one:
                best[failed] = next_one
    return [cost + values[bit] for bit, cost, _ in steps], _traced(best)


def _traced(best: Mapping[int, int]) -> list[int]:
    """The plan that takes the best option after each set, until a person is paged."""
    plan, failed = list[int](), 0
    while failed in best:
        plan.append(best[failed].bit_length() - 1)
        failed |= best[failed]
    return plan


def _greedy(costs: Sequence[float], misses: Sequence[Weights], weights: Weights, paging_s: float) -> list[int]:
    """All options, always the one next after which a page at once would come cheapest."""
    order, left = list[int](), set(range(len(costs)))
    while left:
        reached = sum(weights)
        _, at = min((costs[at] * reached + sum(map(mul, weights, misses[at])) * paging_s, at) for at in left)
        order.append(at)
        left.remove(at)
        weights = tuple(map(mul, weights, misses[at]))
    return order


def _along(
    plan: Iterable[int], costs: Sequence[float], misses: Sequence[Weights], weights: Weights, paging_s: float
) -> float:
    """The expected seconds of one plan, at the end of which a person is paged."""
    spent = 0.0
    for at in plan:
        spent += costs[at] * sum(weights)
        weights = tuple(map(mul, weights, misses[at]))
    return spent + sum(weights) * paging_s


def _sets(options: int, tries: int) -> int:
    return sum(comb(options, size) for size in range(min(options, tries) + 1))


def _propensities(
    options: Sequence[Option], values: Sequence[float], by_worth: Sequence[int], misses: Sequence[Weights]
) -> dict[int, float]:
    """How likely each near-tie is to be put first. What another one outdoes in every respect is never drawn."""
    if not by_worth:
        return {}
    near = [at for at in by_worth if not any(_outdoes(other, at, options, misses) for other in by_worth)]
    least = values[near[0]]
    limit = least + max(NEAR_S, NEAR_SHARE * least)
    shares = {at: exp((least - values[at]) / TEMPERATURE_S) for at in near if values[at] <= limit}
    total = sum(shares.values())
    return {at: share / total for at, share in shares.items()}


def _outdoes(one: int, other: int, options: Sequence[Option], misses: Sequence[Weights]) -> bool:
    """Whether `one` costs no more and helps as much against every cause, and is better in one of these."""
    if one == other or options[one].cost_s > options[other].cost_s:
        return False
    if any(map(gt, misses[one], misses[other])):
        return False
    return options[one].cost_s < options[other].cost_s or misses[one] != misses[other]


def _drawn(chances: Mapping[int, float], draw: float) -> int:
    """The option at `draw` of the way through the chances; the last one where rounding leaves a gap."""
    chosen, passed = -1, 0.0
    for at, share in chances.items():
        chosen, passed = at, passed + share
        if draw < passed:
            break
    return chosen


def _scaled(shares: Sequence[float]) -> Weights:
    """The shares so that they sum to 1; where there are none, all the same."""
    total = sum(shares)
    return tuple(share / total if total > 0.0 else 1.0 / len(shares) for share in shares)
