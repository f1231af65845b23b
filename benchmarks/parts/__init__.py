"""What is measured of a supervisor? One file for each part: a function from a bench to what it found.

A new part is one file and one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.bench import Bench
from benchmarks.parts.again import again
from benchmarks.parts.crash import crash
from benchmarks.parts.death import death
from benchmarks.parts.hang import hang
from benchmarks.parts.idle import idle
from benchmarks.parts.mass import mass
from benchmarks.parts.training import training
from benchmarks.parts.trees import trees
from benchmarks.report import Findings

# By name, which is also that of the file of results; in the order in which they run.
PARTS: Mapping[str, Callable[[Bench], Findings]] = {
    "crash": crash,
    "again": again,
    "mass": mass,
    "idle": idle,
    "death": death,
    "trees": trees,
    "training": training,
    "hang": hang,
}
