"""How often is the change that caused an incident named, or none where none did? On RootCauseBench's incidents.

Beside policies that need no more than a list: the latest deploy, the latest of the alerting service, always none.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.rca.rootcausebench import Suspects, incidents
from benchmarks.report import Goal, print_goals, print_table, run, save
from selfheal.diagnose.case import NONE, Change
from selfheal.diagnose.rank import rank

Policy = Callable[[Suspects], list[str]]


def _ours(one: Suspects) -> list[str]:
    return ["" if change.title == NONE else change.id for change in rank(one.case).changes]


def _latest(one: Suspects, *, alerting: bool) -> list[str]:
    service = one.case.alert.service if one.case.alert is not None else ""
    deploys = [change for change in one.case.changes if change.kind == "deploy" and _before(one, change)]
    known = [change for change in deploys if not alerting or change.service == service]
    return [change.id for change in sorted(known, key=lambda change: -change.at)] or [""]


def _before(one: Suspects, change: Change) -> bool:
    return change.at <= one.case.at


POLICIES: Mapping[str, Policy] = {
    "selfheal": _ours,
    "latest deploy": lambda one: _latest(one, alerting=False),
    "latest deploy of the service": lambda one: _latest(one, alerting=True),
    "always none": lambda _: [""],
}


def figures(policy: Policy, known: list[Suspects]) -> dict[str, float]:
    """What a policy gets right."""
    began = time.perf_counter()
    told = [(one, policy(one)) for one in known]
    took_ms = 1000.0 * (time.perf_counter() - began) / len(known)
    return {
        "cases": len(known),
        "exact": sum(found[0] == one.culprit for one, found in told),
        "top3": sum(one.culprit in found[:3] for one, found in told),
        "decoys": sum(found[0] in one.decoys for one, found in told),
        "nones": sum(not one.culprit for one in known),
        "none_right": sum(not one.culprit and not found[0] for one, found in told),
        "ms": took_ms,
    }


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of RootCauseBench's incidents")
    data = parser.parse_args().data
    known = list(incidents(data))
    if not known:
        parser.error(f"no incident of RootCauseBench lies in {str(data)!r}: name the folder that holds theirs")
    found = {name: figures(policy, known) for name, policy in POLICIES.items()}
    ours = found["selfheal"]
    columns = ("", *ours)
    print_table("Which change was it", columns, [(name, *one.values()) for name, one in found.items()])
    goals = [
        Goal("exact", ours["exact"] / ours["cases"], 18 / 24, "", at_least=True),
        Goal("decoys taken", ours["decoys"] / ours["cases"], 3 / 24, ""),
        Goal("none where there was none", ours["none_right"] / ours["nones"], 5 / 7, "", at_least=True),
    ]
    print_goals(goals)
    save("changes", {}, found, goals)


if __name__ == "__main__":
    run(main)
