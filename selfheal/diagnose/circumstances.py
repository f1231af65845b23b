"""What of a case as a whole bears on whether anything was wrong at all?

One who was noticed and feels nothing was noticed by mistake, more often than not; and among many somebody always stands
out by chance.
"""

from __future__ import annotations

from math import log

from selfheal.diagnose.families import Family, family
from selfheal.diagnose.robust import surprise
from selfheal.diagnose.view import View

# In this order: 1, always; 1 where somebody was noticed; how far what was noticed moved; how many services there are.
NAMES = ("always", "noticed", "felt", "many")
NEVER: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0)

# That a check of who was noticed has failed is felt too, also where it measured nothing: like what has moved by twenty
# times its spread.
DOWN = 3.0

_FELT: dict[Family, tuple[Family, ...]] = {
    "latency": ("latency",), "error": ("error", "success"), "success": ("error", "success"),
}  # fmt: skip
_ANY: tuple[Family, ...] = ("latency", "error", "success")


def circumstances(view: View) -> tuple[float, ...]:
    """Return a number for each of `NAMES`."""
    alert = view.case.alert
    many = log(max(len(view.services), 1))
    if alert is None:
        return 1.0, 0.0, 0.0, many
    kinds = _FELT.get(family(alert.metric), _ANY)
    moved = (
        -one.distance if one.family == "success" else one.distance
        for one in view.measures
        if one.service == alert.service and one.family in kinds
    )
    down = any(one.down for one in view.case.states if one.service == alert.service)
    return 1.0, 1.0, max(surprise(max(moved, default=0.0)), DOWN if down else 0.0), many
