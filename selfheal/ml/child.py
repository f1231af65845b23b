"""How does the child do one order after the other, and when does it end?

It ends when its orders do, when there was none for a while, and when an order takes longer than it may: then by the
kernel's alarm, for what is busy in C hears of nothing else. It can be killed at any moment; nothing is lost but time.
"""

from __future__ import annotations

import os
import select
import signal
from typing import BinaryIO

from selfheal.ml.boost_model import Learned, encode, proofs, schema
from selfheal.ml.lessons import CannotLearn, NothingToLearn
from selfheal.ml.rows import table
from selfheal.ml.wire import (
    HEAD,
    VERSION,
    Answer,
    Fit,
    FitBooster,
    Fitted,
    FittedBooster,
    Hello,
    NotFitted,
    Order,
    Said,
    frame,
    length_of,
    order_of,
    points_in,
    rows_in,
)

IDLE_S = 30.0


def serve(orders: BinaryIO, answers: BinaryIO, idle_s: float = IDLE_S) -> None:
    """Do orders until there are no more, or none came for `idle_s`. Raises Garbage where one is none."""
    _send(answers, Hello(pid=os.getpid()))
    while select.select([orders], [], [], idle_s)[0]:
        head = orders.read(HEAD.size)
        if len(head) < HEAD.size:
            return
        order = order_of(orders.read(length_of(head)))
        signal.setitimer(signal.ITIMER_REAL, max(0.001, order.limit_s))
        answer = do(order)
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        _send(answers, answer)


def do(order: Order) -> Answer:
    """Do one order, and say what came of it. Never raises."""
    if order.version != VERSION:
        return NotFitted(job=order.job, slug="version", why=f"an order of version {order.version}; {VERSION} is spoken")
    try:
        return _fit(order) if isinstance(order, Fit) else _boost(order)
    except CannotLearn as why:
        return NotFitted(job=order.job, slug="not_installed", why=str(why))
    except NothingToLearn as why:
        return NotFitted(job=order.job, slug="too_little", why=str(why))
    except ImportError as why:
        return NotFitted(job=order.job, slug="not_installed", why=f"scikit-learn cannot be imported: {why}")
    except MemoryError:
        return NotFitted(job=order.job, slug="no_memory", why="the memory that it may have is not enough")
    except Exception as why:  # noqa: BLE001 - the library may raise anything; the daemon has to hear of it
        return NotFitted(job=order.job, slug="error", why=f"{type(why).__name__}: {why}"[:500])


def _fit(order: Fit) -> Fitted | NotFitted:
    seen = table(points_in(order.points), order.left_out, order.since, order.until)
    if seen.too_little:
        return NotFitted(job=order.job, slug="too_little", why=seen.too_little)
    from selfheal.ml.fit import learn  # noqa: PLC0415 - a second and 100 MB, only where there is something to learn

    return Fitted(job=order.job, model=learn(order.agent, seen, order.until, order.seed))


def _boost(order: FitBooster) -> FittedBooster:
    rows, labels, weights = rows_in(order.rows, len(order.features))
    held, happened, _ = rows_in(order.calibration, len(order.features))
    from selfheal.ml.boost_fit import fit, name_of_library  # noqa: PLC0415 - numpy and the library, as above

    booster = fit(
        rows, labels, order.features,
        weights=weights, calibration=(held, happened) if held else None, seed=order.seed, monotone=order.monotone,
    )  # fmt: skip
    learned = Learned(
        schema=schema(order.features, order.meaning), subject=order.subject, meaning=order.meaning,
        since=order.since, until=order.until, rows=len(rows), positives=sum(labels),
        library=name_of_library(), booster=booster, proofs=proofs(booster, rows),
    )  # fmt: skip
    return FittedBooster(job=order.job, model=encode(learned))


def _send(answers: BinaryIO, said: Said) -> None:
    answers.write(frame(said))
    answers.flush()
