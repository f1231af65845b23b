"""How does the child do one order after the other, and when does it end?

It ends when its orders do, when there was none for a while, and when an order takes longer than it may: then by the
kernel's alarm, for what is busy in C hears of nothing else. It can be killed at any moment; nothing is lost but time.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from typing import BinaryIO

from selfheal.ml.lessons import CannotLearn, NothingToLearn
from selfheal.ml.rows import table
from selfheal.ml.wire import (
    HEAD,
    VERSION,
    Answer,
    Fit,
    Fitted,
    Foretell,
    Foretold,
    Hello,
    NotFitted,
    Order,
    Said,
    frame,
    length_of,
    order_of,
    points_in,
)

IDLE_S = 30.0

Foreteller = Callable[[Foretell], Foretold]


def serve(orders: BinaryIO, answers: BinaryIO, idle_s: float = IDLE_S, foretell: Foreteller | None = None) -> None:
    """Do orders until there are no more, or none came for `idle_s`. Raises Garbage where one is none.

    `foretell` does those for which fleets are simulated; without it they are refused.
    """
    _send(answers, Hello(pid=os.getpid()))
    while select.select([orders], [], [], idle_s)[0]:
        head = _read(orders, HEAD.size)
        if len(head) < HEAD.size:
            return
        order = order_of(_read(orders, length_of(head)))
        signal.setitimer(signal.ITIMER_REAL, max(0.001, order.limit_s))
        answer = do(order, foretell)
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        _send(answers, answer)


def _read(orders: BinaryIO, count: int) -> bytes:
    """So many bytes, fewer where there are no more. A pipe gives what is in it just now, at most 64 KB of an order."""
    parts, missing = list[bytes](), count
    while missing and (part := orders.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def do(order: Order, foretell: Foreteller | None = None) -> Answer:
    """Do one order, and say what came of it. Never raises."""
    if order.version != VERSION:
        return NotFitted(job=order.job, slug="version", why=f"an order of version {order.version}; {VERSION} is spoken")
    try:
        return _done(order, foretell)
    except CannotLearn as why:
        return NotFitted(job=order.job, slug="not_installed", why=str(why))
    except NothingToLearn as why:
        return NotFitted(job=order.job, slug="too_little", why=str(why))
    except MemoryError:
        return NotFitted(job=order.job, slug="no_memory", why="the memory that it may have is not enough")
    except Exception as why:  # noqa: BLE001 - the library may raise anything; the daemon has to hear of it
        return NotFitted(job=order.job, slug="error", why=f"{type(why).__name__}: {why}"[:500])


def _done(order: Order, foretell: Foreteller | None) -> Answer:
    match order:
        case Fit():
            return _fit(order)
        case Foretell():
            if foretell is None:
                return NotFitted(job=order.job, slug="error", why="this process does not know how to simulate a fleet")
            return foretell(order)


def _fit(order: Fit) -> Fitted | NotFitted:
    seen = table(points_in(order.points), order.left_out, order.since, order.until)
    if seen.too_little:
        return NotFitted(job=order.job, slug="too_little", why=seen.too_little)
    try:
        from selfheal.ml.fit import learn  # noqa: PLC0415 - a second and 100 MB, only where there is something to learn
    except ImportError as why:
        raise CannotLearn("a forest", "scikit-learn", "ml", why) from why
    return Fitted(job=order.job, model=learn(order.agent, seen, order.until, order.seed))


def _send(answers: BinaryIO, said: Said) -> None:
    answers.write(frame(said))
    answers.flush()
