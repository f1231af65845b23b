"""Who is better at foretelling failures of simulated agents: trees, an LSTM, or the trend?

`python -m benchmarks.foretelling`, with the extras `ml` and `lstm`: the order that the daemon gives its child on the
first day, but that an LSTM is fitted for each way to fail, however few failures there were. A row costs minus the
logarithm of the chance that was given to what happened, on the newest fifth of the time.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser

from selfheal.compose.foretelling import LIMIT_S, RUNS, SEED
from selfheal.ml.wire import Foretell
from selfheal.recorded.challenge import LEAST_TO_REMEMBER, Terms
from selfheal.recorded.foreteller import foreteller_of
from selfheal.recorded.foretelling import LEAST_FAILURES, foretell


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.foretelling", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="simulated agents")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--as-the-daemon", action="store_true", help=f"no LSTM below {LEAST_TO_REMEMBER} failures")
    given = parser.parse_args()
    order = Foretell(job=1, pasts=(), runs=given.runs, until=0.0, seed=given.seed, limit_s=LIMIT_S)
    least = LEAST_TO_REMEMBER if given.as_the_daemon else LEAST_FAILURES
    began = time.process_time()
    done = foretell(Terms(order, lambda: LIMIT_S, lambda: None, least))
    took_s = time.process_time() - began
    for mode, one in foreteller_of(done.model).modes.items():
        speaks = one.model if one.told.speaks else "trend"
        told = one.told
        print(f"{mode}: {told.failures} failures learned from, {speaks} speaks\n  {told.why}\n  {told.of_lstm}")
    print(f"\n{took_s:.0f} s of a processor")


if __name__ == "__main__":
    main()
