"""How often is the root cause right, how sure is it, and what do others find in the same incidents?

`python -m benchmarks.rca --data DATA [--baro PYTHON] [--fit] [--folders DIR] [--out FILE]`. Our figures are of
incidents that were held out: weights fitted to four fifths of all, five times, in five random orders of which the means
are told, and to the other data sets only (transfer).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from time import perf_counter

from benchmarks.rca import nezha, petshop
from benchmarks.rca.folders import write
from benchmarks.rca.labelled import Labelled
from benchmarks.rca.rivals import RIVALS
from benchmarks.rca.trial import NAMES, SEEDS, Known, held_out, known, learned, transferred
from selfheal.diagnose.case import NONE, Case
from selfheal.diagnose.rank import SURE
from selfheal.world.intervals import wilson

Ranked = Sequence[str]
DATASETS = {"2022-08-22": "Nezha OB", "2023-01-29": "Nezha TT"}


def incidents(data: Path, place: Path) -> Iterator[tuple[str, Labelled]]:
    """Every incident there is, and times without any."""
    if (data / "petshop").is_dir():
        for one in (*petshop.incidents(data / "petshop"), *petshop.quiet(data / "petshop")):
            yield "PetShop", one
    nezha.unpack(data / "nezha", place)
    for day in sorted(path.parent.name for path in (data / "nezha").glob("*/metric.tar.gz")):
        for read in (nezha.incidents, nezha.quiet, nezha.quiet_minutes):
            for one in read(data / "nezha", place, day):
                yield DATASETS.get(day, f"Nezha {day}"), one


def main() -> int:
    arguments = _arguments()
    if not (arguments.data / "nezha").is_dir():
        print(f"no data in {arguments.data}: write --data, or set SELFHEAL_DATA")
        return 1
    with tempfile.TemporaryDirectory() as place:
        cases = list(incidents(arguments.data, Path(place)))
    if arguments.folders:
        for _, one in cases:
            write(one, arguments.folders)
    seen, seconds = [], []
    for dataset, one in cases:
        began = perf_counter()
        seen.append(known(dataset, one))
        seconds.append(perf_counter() - began)
    if arguments.fit:
        _show_weights(seen)
        return 0
    told = {"selfheal": [held_out(seen, seed) for seed in SEEDS], "selfheal, transfer": [transferred(seen)]}
    results = {
        name: _over([_figures(seen, [_order(one) for one in ranks]) for ranks in tries]) for name, tries in told.items()
    }
    sure = {name: _mean([_reliability(seen, ranks) for ranks in tries]) for name, tries in told.items()}
    for name, rival in RIVALS.items():
        results[name] = _figures(seen, [_by_score(rival(one.case)) if one.truth else () for _, one in cases])
    results.update(_baro(arguments.baro, seen, [one for _, one in cases]) if arguments.baro else {})
    _show(results, _chance(seen), sure, seconds)
    if arguments.out:
        arguments.out.write_text(
            json.dumps({"accuracy": results, "chance": _chance(seen), "sure": sure}, indent=1) + "\n"
        )
    return 0


def _arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SELFHEAL_DATA", "data")))
    parser.add_argument("--baro", metavar="PYTHON", help="a Python that has fse-baro")
    parser.add_argument("--fit", action="store_true", help="print weights fitted to all incidents")
    parser.add_argument("--folders", type=Path, help="write every case there, as selfheal rca reads it")
    parser.add_argument("--out", type=Path, help="keep the figures as JSON")
    return parser.parse_args()


def _order(told: Mapping[str, float]) -> Ranked:
    return _by_score({name: value for name, value in told.items() if name != NONE})


def _by_score(scores: Mapping[str, float]) -> Ranked:
    return sorted(scores, key=lambda name: (-scores[name], name))


def _figures(seen: Sequence[Known], ranked: Sequence[Ranked]) -> dict[str, dict[str, object]]:
    """Of each data set: how many, AC@1 with its interval, AC@3, Avg@5, and AC@1 by fault."""
    found: dict[str, dict[str, object]] = {}
    for dataset in dict.fromkeys(one.dataset for one in seen):
        pairs = [
            (one, _place(order, one.example.truth))
            for one, order in zip(seen, ranked, strict=True)
            if one.dataset == dataset and one.example.truth != NONE
        ]
        places = [place for _, place in pairs]
        faults: dict[str, list[bool]] = {}
        for one, place in pairs:
            faults.setdefault(one.fault, []).append(place == 1)
        found[dataset] = {
            "incidents": len(places),
            "ac1": _share(places, 1),
            "ac1_interval": wilson(sum(place == 1 for place in places), len(places)),
            "ac3": _share(places, 3),
            "avg5": sum(_share(places, within) for within in range(1, 6)) / 5,
            "by_fault": {fault: f"{sum(right)}/{len(right)}" for fault, right in faults.items()},
        }
    return found


def _mean(tries: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: sum(one[name] for one in tries) / len(tries) for name in tries[0]}


def _over(tries: Sequence[Mapping[str, Mapping[str, object]]]) -> dict[str, dict[str, object]]:
    """The mean accuracy of several tries; by fault, and how sure that is, as the first has it."""
    found: dict[str, dict[str, object]] = {}
    for dataset, first in tries[0].items():
        means = _mean([{name: float(str(one[dataset][name])) for name in ("ac1", "ac3", "avg5")} for one in tries])
        found[dataset] = {**first, **means}
    return found


def _place(order: Ranked, truth: str) -> int:
    return list(dict.fromkeys(order)).index(truth) + 1 if truth in order else sys.maxsize


def _share(places: Sequence[int], within: int) -> float:
    return sum(place <= within for place in places) / len(places)


def _chance(seen: Sequence[Known]) -> dict[str, float]:
    """AC@1 of a service chosen by chance."""
    found: dict[str, list[float]] = {}
    for one in seen:
        if one.example.truth != NONE:
            found.setdefault(one.dataset, []).append(1.0 / len(one.example.features))
    return {dataset: sum(shares) / len(shares) for dataset, shares in found.items()}


def _reliability(seen: Sequence[Known], told: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """How far what is said with a probability comes true; `none` is an answer like any other."""
    best = [(max(one, key=lambda name: one[name]), one) for one in told]
    pairs = [(one[name], name == case.example.truth) for case, (name, one) in zip(seen, best, strict=True)]
    accused = [
        (one[name], name == case.example.truth) for case, (name, one) in zip(seen, best, strict=True) if name != NONE
    ]
    faults = sum(one.example.truth != NONE for one in seen)
    quiet = [name == NONE for one, (name, _) in zip(seen, best, strict=True) if one.example.truth == NONE]
    sure = [right for probability, right in accused if probability >= SURE]
    return {
        "sure": float(len(sure)),
        "sure_right": sum(sure) / max(len(sure), 1),
        "coverage": sum(sure) / max(faults, 1),
        "none_when_quiet": sum(quiet) / max(len(quiet), 1),
        "quiet": float(len(quiet)),
        "ece": _ece(pairs),
        "ece_by_chance": _ece_by_chance([probability for probability, _ in pairs]),
        "ece_of_accusations": _ece(accused),
    }


def _ece(pairs: Sequence[tuple[float, bool]]) -> float:
    bins: dict[int, list[tuple[float, bool]]] = {}
    for probability, right in pairs:
        bins.setdefault(min(int(probability * 10), 9), []).append((probability, right))
    return sum(
        abs(sum(right for _, right in part) - sum(probability for probability, _ in part)) for part in bins.values()
    ) / max(len(pairs), 1)


def _ece_by_chance(probabilities: Sequence[float], tries: int = 200) -> float:
    """What so few incidents give in the mean where every probability is exactly right."""
    chance = Random(1)
    return sum(_ece([(one, chance.random() < one) for one in probabilities]) for _ in range(tries)) / tries


def _baro(python: str, seen: Sequence[Known], cases: Sequence[Labelled]) -> dict[str, dict[str, dict[str, object]]]:
    """Both of its scorers, over the same series, brought to the times of the first."""
    lines = "\n".join(json.dumps(_frame(one.case)) for one in cases if one.truth)
    program = Path(__file__).with_name("by_baro.py")
    done = subprocess.run([python, str(program)], input=lines, capture_output=True, text=True, check=True)
    lines_back = iter([json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")])
    told = [next(lines_back) if one.truth else {} for one in cases]
    return {
        f"fse-baro {scorer}": _figures(seen, [one.get(scorer, ()) for one in told])
        for scorer in ("robust_scorer", "nsigma")
    }


def _frame(case: Case) -> dict[str, object]:
    first = max(case.series, key=lambda one: len(one.at))
    columns = {
        f"{one.service}|{one.metric}": [value if value - value == 0.0 else None for value in one.values]
        for one in case.series
        if len(one.at) == len(first.at)
    }
    return {"time": list(first.at), "columns": columns, "at": case.at}


def _show(
    results: Mapping[str, Mapping[str, Mapping[str, object]]],
    chance: Mapping[str, float],
    sure: Mapping[str, Mapping[str, float]],
    seconds: Sequence[float],
) -> None:
    for dataset, by_chance in chance.items():
        print(f"{dataset}: chance {by_chance:.3f}")
        for name, figures in results.items():
            one = figures[dataset]
            low, high = wilson(round(float(str(one["ac1"])) * int(str(one["incidents"]))), int(str(one["incidents"])))
            lift = float(str(one["ac1"])) / by_chance
            print(
                f"  {name:<24} AC@1 {one['ac1']:.2f} ({low:.2f}-{high:.2f}, {lift:.0f}x chance)"
                f"  AC@3 {one['ac3']:.2f}  Avg@5 {one['avg5']:.2f}  {one['by_fault']}"
            )
    for name, words in sure.items():
        print(f"  {name}: {', '.join(f'{word} {value:.3f}' for word, value in words.items())}")
    ordered = sorted(seconds)
    print(f"  seconds a case: median {ordered[len(ordered) // 2]:.3f}, longest {ordered[-1]:.3f}")


def _show_weights(seen: Sequence[Known]) -> None:
    fitted, temperature = learned(seen)
    for place, name in enumerate(NAMES):
        print(f'        ("{name}", {fitted.weights[2 * place]:.3f}, {fitted.weights[2 * place + 1]:.3f}),')
    print(f"    nothing=({', '.join(f'{number:.3f}' for number in fitted.nothing)}),")
    print(f"    temperature={temperature:g},")


if __name__ == "__main__":
    sys.exit(main())
