"""How often is the root cause right, how sure is that, and who else does it how well?

Public incidents of which the truth is known: PetShop, Nezha, RootCauseBench, as far as they lie in the folder that
`--data` names. Weights are fitted on four fifths and judged on the rest, in turn: the shipped ones, which have seen all
of them, stand beside. `--fit` prints weights fitted to all. The peers look at the same cases: BARO's scorer and the
plain three-sigma rule (as in fse-baro), the energy distance, and chance.
"""

from __future__ import annotations

import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import log
from pathlib import Path
from random import Random

from benchmarks.rca import nezha, petshop, rootcausebench
from benchmarks.rca.baro import ranks
from benchmarks.rca.labelled import Labelled
from benchmarks.rca.peers import PEERS
from benchmarks.report import Goal, print_goals, print_table, run, save
from selfheal.diagnose.case import NONE, Case
from selfheal.diagnose.fit import Example, Fitted, fit
from selfheal.diagnose.fusion import features, probabilities
from selfheal.diagnose.rank import LOOKERS, SURE, rank
from selfheal.diagnose.view import View, ranked
from selfheal.diagnose.weights import CHANNELS, TRACING, weights_for
from selfheal.learn.odds import interval

FOLDS, SEEDS = 5, (1, 2, 3)
NEZHA_DAYS = ("2022-08-22", "2023-01-29")
BEGIN = (0.3,) * (2 * len(CHANNELS))
GOALS = {"petshop": 0.83, "nezha 2022-08-22": 0.88, "nezha 2023-01-29": 0.90}
BINS = 10

Answer = dict[str, float]
"""The probability of each service, and of `none`."""


class Known:
    """A labelled case, what the channels say of it, and how long they took."""

    def __init__(self, group: str, one: Labelled) -> None:
        began = time.perf_counter()
        view = View(one.case)
        findings = {channel.name: channel.look(view) for channel in LOOKERS}
        self.seconds = time.perf_counter() - began
        missing = {name: found.missing for name, found in findings.items() if found.missing}
        self.group, self.labelled = group, one
        self.truth = one.truth or NONE
        self.example = Example(features(findings, CHANNELS, view.services), self.truth)
        self.traced = not missing.keys() >= TRACING
        shipped = weights_for(missing)
        self.shipped = probabilities(self.example.features, shipped.features, shipped.nothing)


def place_of(answer: Mapping[str, float], truth: str) -> int:
    """At which place the truth stands; beyond all where it does not. "None" counts only where it is the truth."""
    order = [name for name, _ in ranked(answer) if truth == NONE or name != NONE]
    return order.index(truth) + 1 if truth in order else len(order) + 1


def crossed(known: Sequence[Known]) -> list[tuple[Known, Answer]]:
    """Each case judged by weights that have not seen it, several times over."""
    found = []
    for traced in (False, True):
        part = [one for one in known if one.traced == traced]
        for seed in SEEDS if part else ():
            order = list(range(len(part)))
            Random(seed).shuffle(order)
            for fold in range(FOLDS):
                held = set(order[fold::FOLDS])
                weights = fit([part[place].example for place in order if place not in held], BEGIN)
                found += [(part[place], _told(part[place], weights)) for place in sorted(held)]
    return found


def _told(one: Known, weights: Fitted) -> Answer:
    return probabilities(one.example.features, weights.weights, weights.nothing)


def figures(judged: Iterable[tuple[Known, Answer]]) -> dict[str, dict[str, float]]:
    """AC@1, AC@3, Avg@5 and how sure the answers were, by group."""
    by_group: dict[str, list[tuple[int, float, bool]]] = {}
    for one, answer in judged:
        first, probability = next(ranked(answer))
        by_group.setdefault(one.group, []).append((place_of(answer, one.truth), probability, first == one.truth))
    found = {group: _figures(places) for group, places in by_group.items()}
    everything = [place for places in by_group.values() for place in places]
    return {**found, "all": _figures(everything)} if everything else found


def _figures(places: Sequence[tuple[int, float, bool]]) -> dict[str, float]:
    count = len(places)
    hits = sum(place == 1 for place, _, _ in places)
    sure = [right for _, probability, right in places if probability >= SURE]
    low, high = interval(hits + 0.5, count - hits + 0.5)
    return {
        "cases": float(count),
        "ac1": hits / count,
        "low": low,
        "high": high,
        "ac3": sum(place <= 3 for place, _, _ in places) / count,
        "avg5": sum(sum(place <= k for place, _, _ in places) for k in range(1, 6)) / (5 * count),
        "sure": len(sure) / count,
        "sure_right": sum(sure) / len(sure) if sure else 0.0,
        "ece": _calibration(places),
    }


def _calibration(places: Sequence[tuple[int, float, bool]]) -> float:
    """The expected calibration error over ten bins."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for _, probability, right in places:
        bins[min(BINS - 1, int(probability * BINS))].append((probability, right))
    apart = (abs(sum(p for p, _ in one) - sum(right for _, right in one)) for one in bins)
    return sum(apart) / len(places)


def by_fault(judged: Iterable[tuple[Known, Answer]]) -> list[tuple[str, int, float]]:
    """AC@1 by group and what was injected."""
    found: dict[str, list[bool]] = {}
    for one, answer in judged:
        if one.truth != NONE:
            key = f"{one.group}: {one.labelled.fault}"
            found.setdefault(key, []).append(place_of(answer, one.truth) == 1)
    return [(key, len(hits), sum(hits) / len(hits)) for key, hits in sorted(found.items())]


def peers(known: Sequence[Known]) -> dict[str, dict[str, float]]:
    """AC@1 of others on the same cases, by group."""
    found: dict[str, dict[str, float]] = {}
    for name, scorer in PEERS.items():
        by_group: dict[str, list[bool]] = {}
        for one in known:
            if one.truth != NONE:
                by_group.setdefault(one.group, []).append(place_of(_scores(scorer, one.labelled.case), one.truth) == 1)
        found[name] = {group: sum(hits) / len(hits) for group, hits in by_group.items()}
    return found


def _baro(python: str, known: Sequence[Known]) -> dict[str, dict[str, float]]:
    """AC@1 of fse-baro itself, by group."""
    asked = [one for one in known if one.truth != NONE]
    found = list(ranks(python, [one.labelled.case for one in asked]))
    by_scorer: dict[str, dict[str, float]] = {}
    for place, name in enumerate(("fse-baro, robust", "fse-baro, nsigma")):
        hits: dict[str, list[bool]] = {}
        for one, told in zip(asked, found, strict=True):
            hits.setdefault(one.group, []).append(told[place][:1] == [one.truth])
        by_scorer[name] = {group: sum(right) / len(right) for group, right in hits.items()}
    return by_scorer


def _scores(scorer: Callable[[Case], Mapping[str, float]], case: Case) -> dict[str, float]:
    told = scorer(case)
    return {service: told.get(service, float("-inf")) for service in case.services()}


def changes(folder: Path) -> dict[str, float]:
    """How often the change that was the cause is named, and how often one that only looks like it."""
    exact = top3 = decoys = none_right = nones = count = 0
    seconds = []
    for one in rootcausebench.incidents(folder):
        began = time.perf_counter()
        found = [change.id for change in rank(one.case).changes]
        seconds.append(time.perf_counter() - began)
        count += 1
        exact += found[0] == one.culprit
        top3 += one.culprit in found[:3]
        decoys += found[0] in one.decoys
        nones += not one.culprit
        none_right += not one.culprit and not found[0]
    return {
        "cases": count, "exact": exact, "top3": top3, "decoys": decoys, "none": nones, "none_right": none_right,
        "ms": 1000.0 * sum(seconds) / max(count, 1),
    }  # fmt: skip


def loaded(data: Path, scratch: Path) -> list[Known]:
    """All cases of services."""
    known = []
    if (data / "petshop").exists():
        known += [Known("petshop", one) for one in petshop.incidents(data / "petshop")]
        known += [Known("nothing wrong", one) for one in petshop.quiet(data / "petshop")]
    if (data / "nezha").exists():
        nezha.unpack(data / "nezha", scratch)
        for day in NEZHA_DAYS:
            known += [Known(f"nezha {day}", one) for one in nezha.incidents(data / "nezha", scratch, day)]
    return known


def main() -> None:
    arguments = ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True, help="the folder with petshop, nezha, rootcausebench")
    arguments.add_argument("--fit", action="store_true", help="print weights fitted to all cases, and end")
    arguments.add_argument("--baro", metavar="PYTHON", help="an interpreter with fse-baro, to ask that itself too")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        known = loaded(options.data, Path(scratch))
    if options.fit:
        _print_fitted(known)
        return
    held = crossed(known)
    judged, others = figures(held), {**peers(known), **(_baro(options.baro, known) if options.baro else {})}
    shipped = figures((one, one.shipped) for one in known)
    _print_services(known, judged, shipped)
    rows = [(name, *(one.get(group) for group in GOALS)) for name, one in others.items()]
    print_table("AC@1 of others", ("", *GOALS), rows)
    print_table("By what was injected", ("", "judgements", "AC@1"), by_fault(held))
    told = changes(options.data / "rootcausebench") if (options.data / "rootcausebench").exists() else {}
    if told:
        print_table("Changes (RootCauseBench)", tuple(told), [tuple(told.values())])
    goals = [*_goals_of_services(judged), *_goals_of_changes(told)]
    print_goals(goals)
    found = {"crossed": judged, "shipped": shipped, "others": others, "changes": told}
    save("rca", {"folds": FOLDS, "seeds": SEEDS}, found, goals)


def _print_services(
    known: Sequence[Known], judged: Mapping[str, Mapping[str, float]], shipped: Mapping[str, Mapping[str, float]]
) -> None:
    rows = []
    for group, one in judged.items():
        seconds = [each.seconds for each in known if each.group == group]
        rows.append(
            (
                group, int(one["cases"] / len(SEEDS)), one["ac1"], f"{one['low']:.2f} to {one['high']:.2f}", one["ac3"],
                one["avg5"], shipped[group]["ac1"], one["sure"], one["sure_right"], one["ece"],
                1000.0 * sum(seconds) / len(seconds) if seconds else None,
            )
        )  # fmt: skip
    columns = (
        "", "cases", "AC@1", "95 %", "AC@3", "Avg@5", "AC@1 shipped", "sure", "right of these", "ECE", "ms a case",
    )  # fmt: skip
    print_table(f"Root cause, weights fitted to other cases ({FOLDS}-fold, {len(SEEDS)} times)", columns, rows)


def _goals_of_services(judged: Mapping[str, Mapping[str, float]]) -> list[Goal]:
    every = judged["all"]
    known = ((group, goal) for group, goal in GOALS.items() if group in judged)
    return [
        *(Goal(f"AC@1, {group}", judged[group]["ac1"], goal, "", at_least=True) for group, goal in known),
        Goal("of those that it is sure of, right", every["sure_right"], 0.98, "", at_least=True),
        Goal("sure of", every["sure"], 0.60, "", at_least=True),
        Goal("calibration error", every["ece"], 0.05, ""),
    ]


def _goals_of_changes(told: Mapping[str, float]) -> list[Goal]:
    if not told:
        return []
    return [
        Goal("changes, exact", told["exact"] / told["cases"], 18 / 24, "", at_least=True),
        Goal("changes, decoys taken", told["decoys"] / told["cases"], 3 / 24, ""),
        Goal("changes, none where there was none", told["none_right"] / told["none"], 5 / 7, "", at_least=True),
    ]


def _print_fitted(known: Sequence[Known]) -> None:
    for traced in (False, True):
        part = [one.example for one in known if one.traced == traced]
        if part:
            found = fit(part, BEGIN)
            words = ", ".join(f"{weight:.2f}" for weight in found.weights)
            chance = sum(log(len(one.features) + 1) for one in part) / len(part)
            print(f"{'with traces' if traced else 'numbers alone'}: ({words}), nothing {found.nothing:.2f}, "
                  f"loss {found.loss:.3f}, by chance {chance:.3f}")  # fmt: skip


if __name__ == "__main__":
    run(main)
