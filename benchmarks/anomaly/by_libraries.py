"""Two learned detectors over series: a program by itself, run by a Python that has scikit-learn and river.

JSON lines in and out: the values of a series, and its strengths by the name of the detector.
"""

import json
import math
import sys
from collections.abc import Sequence
from importlib import import_module

numpy = import_module("numpy")
ensemble = import_module("sklearn.ensemble")
river_anomaly = import_module("river.anomaly")
river_preprocessing = import_module("river.preprocessing")

REFIT, PAST = 500, 2000


def filled(values: Sequence[float | None]) -> Sequence[float]:
    """The last number where there is none."""
    last, found = 0.0, []
    for value in values:
        last = value if value is not None and math.isfinite(value) else last
        found.append(last)
    numbers: Sequence[float] = numpy.array(found)
    return numbers


def features(values: Sequence[float]) -> Sequence[Sequence[float]]:
    """Thirteen numbers of each row and what came before it."""
    columns = [values, numpy.diff(values, prepend=values[:1])]
    for width in (6, 24, 72):
        padded = numpy.concatenate([numpy.full(width - 1, values[0]), values])
        windows = numpy.lib.stride_tricks.sliding_window_view(padded, width)
        columns += [windows.mean(axis=1), windows.std(axis=1), values - windows.mean(axis=1)]
        if width == 24:
            columns += [windows.min(axis=1), windows.max(axis=1)]
    rows: Sequence[Sequence[float]] = numpy.stack(columns, axis=1)
    return rows


def forest(values: Sequence[float]) -> Sequence[float]:
    """IsolationForest of 50 trees over the last 2,000 rows, fitted again every 500."""
    rows = features(values)
    found = numpy.zeros(len(values))
    for begin in range(REFIT, len(values), REFIT):
        model = ensemble.IsolationForest(n_estimators=50, random_state=1).fit(rows[max(0, begin - PAST) : begin])
        found[begin : begin + REFIT] = -model.score_samples(rows[begin : begin + REFIT])
    strengths: Sequence[float] = found
    return strengths


def half_spaces(values: Sequence[float]) -> Sequence[float]:
    """River's HalfSpaceTrees: 15 trees, its defaults else."""
    scaler = river_preprocessing.MinMaxScaler()
    model = river_anomaly.HalfSpaceTrees(n_trees=15, seed=1)
    found = []
    for value in values:
        row = {"x": float(value)}
        scaler.learn_one(row)
        row = scaler.transform_one(row)
        found.append(float(model.score_one(row)))
        model.learn_one(row)
    return found


def main() -> None:
    """Of each line: what both make of it."""
    for line in sys.stdin:
        values = filled(json.loads(line))
        told = {"IsolationForest": forest(values), "HalfSpaceTrees": half_spaces(values)}
        print(json.dumps({name: [round(float(one), 6) for one in found] for name, found in told.items()}), flush=True)


main()
