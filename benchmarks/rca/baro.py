"""What does BARO itself rank first? Run by an interpreter that has fse-baro; see `ranks` for who calls it.

Reads cases as JSON from its standard input, one a line, and writes for each the columns as BARO ranks them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite

from selfheal.diagnose.case import Case, Series

# Between a service and its metric, where neither has such a thing in its name.
BETWEEN = "|"

SCRIPT = """
import json, sys, warnings
warnings.filterwarnings("ignore")
import pandas
from baro.root_cause_analysis import nsigma, robust_scorer
for line in sys.stdin:
    told = json.loads(line)
    data = pandas.DataFrame(told["columns"]).ffill().bfill().fillna(0.0)
    for scorer in (robust_scorer, nsigma):
        found = scorer(data.copy(), inject_time=told["at"], dataset=None)["ranks"]
        print(json.dumps(found), flush=True)
"""


def ranks(python: str, cases: Sequence[Case]) -> Iterator[tuple[list[str], list[str]]]:
    """The services of each case as BARO's scorer and its three-sigma rule rank them, by the interpreter `python`."""
    told = "".join(json.dumps({"at": case.at, "columns": _columns(case)}) + "\n" for case in cases)
    ended = subprocess.run([python, "-c", SCRIPT], input=told, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"cannot ask fse-baro: {ended.stderr.strip().splitlines()[-1]}; is it installed for {python}?")
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    for robust, sigma in zip(lines[::2], lines[1::2], strict=True):
        yield _services(robust), _services(sigma)


def _services(columns: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(column.partition(BETWEEN)[0] for column in columns))


def _columns(case: Case) -> dict[str, list[float | None]]:
    """A table: each series at the times of the longest one."""
    times = max((one.at for one in case.series), key=len, default=())
    columns: dict[str, list[float | None]] = {"time": list(times)}
    for one in case.series:
        columns[f"{one.service}{BETWEEN}{one.metric}"] = [_value(one, at) for at in times]
    return columns


def _value(series: Series, at: float) -> float | None:
    """What it was last at a time, and before its first what it was then."""
    if not series.at:
        return None
    value = series.values[max(bisect_left(series.at, at + 1.0) - 1, 0)]
    return value if isfinite(value) else None
