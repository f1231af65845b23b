"""BARO's two scorers over a case: a program by itself, run by a Python that has `fse-baro`; JSON lines in and out."""

import json
import sys
from importlib import import_module

pandas = import_module("pandas")
baro = import_module("baro.root_cause_analysis")


def main() -> None:
    """Of each case: the services in the order of both scorers."""
    for line in sys.stdin:
        case = json.loads(line)
        frame = pandas.DataFrame(case["columns"], dtype=float)
        frame["time"] = case["time"]
        told = {}
        for scorer in (baro.robust_scorer, baro.nsigma):
            try:
                ranks = scorer(frame.ffill().fillna(0.0), inject_time=case["at"])["ranks"]
            except Exception as why:  # noqa: BLE001 what it cannot do counts as nothing found
                print(why, file=sys.stderr)
                ranks = []
            told[scorer.__name__] = [name.partition("|")[0] for name in ranks]
        print(json.dumps(told), flush=True)


main()
