"""What are alarms in both corpora worth, how sure is that, and what was tried to get there?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from random import Random

from benchmarks.anomaly import nab
from benchmarks.anomaly.corpora import Labelled
from benchmarks.anomaly.events import Events, events, together
from selfheal.detect import stream

TRIED = Path(__file__).parent / "tried.tsv"
RESAMPLED = 1000

Alarms = Sequence[int]


@dataclass(frozen=True, slots=True)
class Figures:
    """Both corpora, one way of detecting."""

    standard: float
    low_fp: float
    low_fn: float
    windows: int
    hits: int
    false: int
    f1: float
    recall: float
    precision: float
    false_a_day: float
    quiet_a_day: float
    late: tuple[float, float]


def figures(series: Sequence[Labelled], alarms: Sequence[Alarms]) -> Figures:
    """What the alarms are worth, `alarms` in the order of `series`."""
    ours = [
        nab.Series(len(one.at), one.windows, told)
        for one, told in zip(series, alarms, strict=True)
        if one.corpus == "NAB"
    ]
    cloud = _events(series, alarms)
    standard, low_fp, low_fn = (nab.score(ours, nab.PROFILES[name]) for name in ("standard", "low FP", "low FN"))
    windows, hits, false = nab.counts(ours)
    return Figures(
        standard=standard,
        low_fp=low_fp,
        low_fn=low_fn,
        windows=windows,
        hits=hits,
        false=false,
        f1=cloud.f1,
        recall=cloud.recall,
        precision=cloud.precision,
        false_a_day=cloud.false_a_day,
        quiet_a_day=cloud.quiet_a_day,
        late=cloud.late,
    )


def _events(series: Sequence[Labelled], alarms: Sequence[Alarms]) -> Events:
    pairs = zip(series, alarms, strict=True)
    return together(events(one, told) for one, told in pairs if one.corpus == "cloud")


def halves(series: Sequence[Labelled], alarms: Sequence[Alarms]) -> tuple[Figures, Figures]:
    """The same of every other series of each corpus, and of the rest."""
    place = {corpus: [at for at, one in enumerate(series) if one.corpus == corpus] for corpus in ("NAB", "cloud")}
    parts = [sorted(at for corpus in place.values() for at in corpus[half::2]) for half in (0, 1)]
    first, second = (figures([series[at] for at in part], [alarms[at] for at in part]) for part in parts)
    return first, second


def intervals(series: Sequence[Labelled], alarms: Sequence[Alarms]) -> Mapping[str, tuple[float, float]]:
    """95 % intervals, by drawing whole series again and again."""
    dice, drawn = Random(1), []
    by_corpus = [[at for at, one in enumerate(series) if one.corpus == corpus] for corpus in ("NAB", "cloud")]
    for _ in range(RESAMPLED):
        places = [dice.choice(corpus) for corpus in by_corpus for _ in corpus]
        drawn.append(figures([series[at] for at in places], [alarms[at] for at in places]))
    names = ("standard", "low_fp", "f1", "false_a_day")
    ordered = {name: sorted(float(getattr(one, name)) for one in drawn) for name in names}
    return {name: (found[RESAMPLED // 40], found[-RESAMPLED // 40]) for name, found in ordered.items()}


def settle(words: Sequence[str]) -> None:
    """Try other numbers: `marks.LEAK=1e-5`, `bars.new=0.05`."""
    for word in words:
        name, _, value = word.partition("=")
        room, _, constant = name.partition(".")
        if room == "bars":
            stream.FROZEN = replace(stream.FROZEN, **{constant: type(getattr(stream.FROZEN, constant))(value)})
            continue
        module = import_module(f"selfheal.detect.{room}")
        setattr(module, constant, type(getattr(module, constant))(float(value)))


def log(found: Figures, parts: tuple[Figures, Figures], words: Sequence[str]) -> None:
    """Write down what was tried, with all that came out."""
    new = not TRIED.exists()
    told = {
        "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "set": " ".join(words) or "-",
        **{name: _short(value) for name, value in asdict(found).items()},
        "standard_by_half": " ".join(f"{half.standard:.1f}" for half in parts),
        "f1_by_half": " ".join(f"{half.f1:.3f}" for half in parts),
        "configuration": " ".join(f"{name}={value:g}" for name, value in stream.configuration().items()),
    }
    with TRIED.open("a") as lines:
        if new:
            lines.write("\t".join(told) + "\n")
        lines.write("\t".join(told.values()) + "\n")


def _short(value: object) -> str:
    return " ".join(f"{one:g}" for one in value) if isinstance(value, tuple) else f"{value:.4g}"


def best(
    series: Sequence[Labelled],
    strengths: Sequence[Sequence[float]],
    silences: Sequence[int],
    alarms_of: Callable[[Sequence[float], float, int], list[int]],
) -> Iterator[tuple[str, float, int, Figures]]:
    """The bar and the silence that are best on NAB, on the cloud series, and for the sum of both, with the figures."""
    tried = []
    for silent in silences:
        for bar in _bars(strengths):
            found = figures(series, [alarms_of(one, bar, silent) for one in strengths])
            tried.append((bar, silent, found))
    wishes: Mapping[str, Callable[[Figures], float]] = {
        "NAB": lambda one: one.standard,
        "cloud": lambda one: one.f1,
        "both": lambda one: one.standard + 100.0 * one.f1,
    }
    for name, wish in wishes.items():
        bar, silent, found = max(tried, key=lambda one: wish(one[2]))
        yield name, bar, silent, found


def _bars(strengths: Sequence[Sequence[float]]) -> Sequence[float]:
    """Bars that let through from one row in thirty to one in twenty thousand."""
    everything = sorted((one for each in strengths for one in each), reverse=True)
    shares = (30, 60, 100, 150, 200, 300, 450, 700, 1000, 1500, 2000, 3000, 4500, 7000, 10_000, 20_000)
    if not everything or everything[0] <= sys.float_info.min:
        return (1.0,)
    return sorted({everything[len(everything) // share] for share in shares})
