"""What was the cause, now that is known what has helped?

Pure. A diagnosis is made before anything was tried. What was tried since says more: what cures one cause in nine of
ten and has failed speaks against it, what hardly ever helps against it and has helped does so too. By Bayes' rule

    p'_k ~ p_k * product over the attempts of (theta_kf where f has helped, 1 - theta_kf where it has failed)

An attempt teaches something about each cause by its share: what failed against a cause that was none is not held
against the fix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# What is less likely after all is not worth its own count: it would be one of many that nobody has seen.
LEAST = 0.1


def hindsight(belief: Mapping[str, float], tried: Iterable[tuple[Mapping[str, float], bool]]) -> dict[str, float]:
    """Return the share of each cause, likeliest first; they sum to 1, and what is below a tenth is left out.

    `belief` is the probability of each cause before, which need not sum to 1. Each of `tried` is the chance that it
    helps, by cause, and 0 for a cause that is not named, and whether it did. Where nothing can explain what came, the
    belief stays as it was.
    """
    before = belief if sum(belief.values()) > 0.0 else dict.fromkeys(belief, 1.0)
    after = dict(before)
    for helps, helped in tried:
        told = {cause: helps.get(cause, 0.0) for cause in after}
        after = {cause: share * (told[cause] if helped else 1.0 - told[cause]) for cause, share in after.items()}
    if sum(after.values()) <= 0.0:
        after = dict(before)
    least = LEAST * sum(after.values())
    kept = sorted(((share, cause) for cause, share in after.items() if share >= least), key=lambda one: -one[0])
    total = sum(share for share, _ in kept)
    return {cause: share / total for share, cause in kept}
