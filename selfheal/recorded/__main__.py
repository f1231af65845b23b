"""The child that learns, as the daemon starts it: that of `selfheal.ml`, which can simulate fleets as well."""

from __future__ import annotations

import sys

from selfheal.ml.__main__ import main
from selfheal.ml.wire import Foretell, Foretold


def foretell(order: Foretell) -> Foretold:
    """Do such an order. What it takes is imported when there is one."""
    from selfheal.recorded.foretelling import foretell as done  # noqa: PLC0415 - 10 MB, and forests need none of it

    return done(order)


if __name__ == "__main__":
    sys.exit(main(foretell))
