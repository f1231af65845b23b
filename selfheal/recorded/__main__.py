"""The child that learns, as the daemon starts it: that of `selfheal.ml`, which can simulate fleets as well."""

from __future__ import annotations

import resource
import signal
import sys

from selfheal.ml.__main__ import main
from selfheal.ml.wire import Foretell, Foretold


def foretell(order: Foretell) -> Foretold:
    """Do such an order. What it takes is imported when there is one."""
    from selfheal.recorded.challenge import Terms  # noqa: PLC0415 - 10 MB, and forests need none of it
    from selfheal.recorded.foretelling import foretell as done  # noqa: PLC0415 - as above

    return done(Terms(order, _left_s, _make_room))


def _left_s() -> float:
    """How much time the kernel's alarm leaves for the order."""
    return signal.getitimer(signal.ITIMER_REAL)[0]


def _make_room() -> None:
    """Take as much memory as there may be, which torch needs and nothing else does."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


if __name__ == "__main__":
    sys.exit(main(foretell))
