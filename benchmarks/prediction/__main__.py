"""How many failures are foreseen, how early, and at how many false alarms?

`python -m benchmarks.prediction --data DATA [--parts simulated azure engines aging] [--agents N] [--seeds N …]`. Each
part is judged once, with what was learned and chosen on earlier time or other seeds; rules of thumb are judged beside.
Every run is written down in tried.tsv.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from random import Random

from benchmarks.prediction import corpora
from benchmarks.prediction.rules import ERRORS, LIMITS
from benchmarks.prediction.trial import Trial, kept, picture, times, tried
from benchmarks.report import Goal, print_goals, print_table, save
from selfheal.predict.alarms import Task
from selfheal.predict.figures import Figures
from selfheal.predict.replay import Parts
from selfheal.predict.simulated import fleet
from selfheal.world.intervals import wilson

PARTS = ("simulated", "azure", "engines", "aging")
TRIED = Path(__file__).parent / "tried.tsv"
# Seeds that nothing was learned from, nor anything chosen on.
UNSEEN = (910_001, 910_002)
HOURS = Task(7200.0, 1800.0)
DAY = Task(86400.0, 3600.0)
CYCLES = Task(30 * corpora.HOUR, 5 * corpora.HOUR)
# An engine is foreseen by an alarm of at most so many cycles before its end, as in the recipe that is compared with.
EARLIEST = 45.0
COLUMNS = ("", "foreseen", "recall", "precision", "false/day", "false positives", "lead, min", "Brier", "ECE")


def main() -> int:
    arguments = _arguments()
    for part in arguments.parts:
        figures, goals = _MEASURED[part](arguments)
        print_goals(goals)
        settings = {"agents": arguments.agents, "seeds": arguments.seeds} if part == "simulated" else {}
        save(f"prediction_{part}", settings, figures, goals, arguments.out)
    return 0


def _arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SELFHEAL_DATA", "data")))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--agents", type=int, default=60, help="of each simulated fleet")
    parser.add_argument("--seeds", type=int, nargs="+", default=UNSEEN)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "results")
    parser.add_argument("--note", default="-", help="what is tried, for the log")
    return parser.parse_args()


Measured = tuple[dict[str, object], list[Goal]]


def _simulated(arguments: Namespace) -> Measured:
    """Fleets of unseen seeds, judged as a whole by what comes with the product: nothing is learned from them.

    Of each seed one fleet of which every limit is told, and one of which half of those of latency, errors and queues
    are told to nobody: then that it will fail is seen, but when is not.
    """
    told: dict[str, object] = {}
    goals: list[Goal] = []
    by_limits: dict[str, list[Figures]] = {}
    for seed, every_limit in product(arguments.seeds, (True, False)):
        recording, scenes = fleet(Random(seed), arguments.agents, every_limit=every_limit)
        begun = min(one.at[0] for one in recording.agents.values())
        limits = "every limit told" if every_limit else "some limits told"
        name = f"simulated, seed {seed}, {limits}"
        trial = tried(name, recording, HOURS, Parts(begun, begun), LIMITS, ("boost", "trend"))
        _show(trial, arguments.note)
        exact = times(trial, recording, scenes)
        told[name] = {**kept(trial), "times": asdict(exact) if exact else None}
        won = trial.figures["boost"]
        by_limits.setdefault(limits, []).append(won)
        goals += _goals(trial.name, won, 0.90, 0.90)
        goals.append(Goal(f"{trial.name}: false positives", won.false_positive_rate or 0.0, 0.05, "of windows"))
        if exact:
            print(f"  times: {exact}")
            goals.append(Goal(f"{trial.name}: time left, median error", exact.median_error, 0.10, "of it"))
            goals.append(Goal(f"{trial.name}: intervals that hold", exact.covered, 0.85, "of 90 %", at_least=True))
    for limits, figures in by_limits.items():
        goals += _goals_together(f"simulated, all seeds, {limits}", figures)
    return told, goals


def _azure(arguments: Namespace) -> Measured:
    recording = corpora.azure(arguments.data / "azure_pdm")
    parts = Parts(*(datetime(2020, month, 1, tzinfo=UTC).timestamp() for month in (6, 7)))
    trial = tried("Azure PdM, July and August", recording, DAY, parts, ERRORS, ("boost",))
    _show(trial, arguments.note)
    return kept(trial), _goals(trial.name, trial.figures["boost"], 0.97, 0.88)


def _engines(arguments: Namespace) -> Measured:
    every = corpora.engines(next((arguments.data / "cmapss_fd001").glob("*.csv.gz")))
    foreseen = early = 0
    told: dict[str, object] = {}
    for number in range(corpora.FOLDS):
        recording, learned, judged = corpora.fold(every, number)
        trial = tried(f"C-MAPSS, fold {number + 1}", recording, CYCLES, Parts(learned, judged), {}, ("boost",))
        _show(trial, arguments.note)
        told[trial.name] = kept(trial)
        ahead = {one.agent: one.at for one in recording.failures if one.at > judged}
        leads: dict[str, list[float]] = {agent: [] for agent in ahead}
        for alarm in trial.found.alarms:
            leads[alarm.agent].append((ahead[alarm.agent] - alarm.at) / corpora.HOUR)
        foreseen += sum(any(5.0 <= lead <= EARLIEST for lead in one) for one in leads.values())
        early += sum(any(lead > EARLIEST for lead in one) for one in leads.values())
    told |= {"engines": len(every), "foreseen": foreseen, "too_early": early}
    goals = [
        Goal("C-MAPSS: engines foreseen", foreseen, len(every), f"of {len(every)}", at_least=True),
        Goal("C-MAPSS: engines told too early", early, 1, "engines"),
    ]
    return told, goals


def _aging(arguments: Namespace) -> Measured:
    """Nothing fails here: each alarm is a false one."""
    recording = corpora.aging(arguments.data / "llm_aging")
    trial = tried("aging servers", recording, HOURS, Parts(0.0, 0.0), LIMITS, ("boost", "trend"))
    _show(trial, arguments.note)
    alarms = trial.figures["boost"].counts["alarms"]
    return kept(trial), [Goal("aging servers: alarms in 11 days", alarms, 0, "alarms")]


_MEASURED = {"simulated": _simulated, "azure": _azure, "engines": _engines, "aging": _aging}


def _goals(name: str, one: Figures, recall: float, precision: float) -> list[Goal]:
    return [
        Goal(f"{name}: event recall", one.event_recall or 0.0, recall, _interval(one, "event_recall"), at_least=True),
        Goal(f"{name}: precision", one.precision or 0.0, precision, _interval(one, "precision"), at_least=True),
    ]


def _goals_together(name: str, figures: Sequence[Figures]) -> Iterator[Goal]:
    """The same of several fleets as if they were one: of one alone the interval is as wide as what is asked."""
    count = Counter[str]()
    for one in figures:
        count.update(one.counts)
    alarms = count["right_alarms"] + count["false_alarms"]
    shares = {"event recall": (count["foreseen"], count["failures"]), "precision": (count["right_alarms"], alarms)}
    for what, (hits, of) in shares.items():
        low, high = wilson(hits, of)
        yield Goal(f"{name}: {what}", hits / of, 0.90, f"({low:.3f} to {high:.3f}; {hits} of {of})", at_least=True)


def _interval(one: Figures, name: str) -> str:
    found = one.intervals.get(name)
    return f"({found.low:.3f} to {found.high:.3f})" if found else "(nothing to measure it by)"


def _show(trial: Trial, note: str) -> None:
    print_table(trial.name, COLUMNS, [[name, *_cells(one)] for name, one in trial.figures.items()])
    won = trial.figures[trial.winner]
    for mode, (many, hits) in won.by_mode.items():
        print(f"    {mode}: {hits} of {many}")
    early, late = won.counts["early_alarms"], won.counts["late_alarms"]
    origin = trial.found.origins[trial.winner]
    print(f"  {trial.winner}, {origin}, from {won.threshold:.2f} on; {early} early, {late} late")
    print("\n".join(picture(won.reliability)), flush=True)
    _log(trial, note)


def _cells(one: Figures) -> Iterator[str | float | None]:
    yield f"{one.counts['foreseen']} of {one.counts['failures']}"
    yield from (one.event_recall, one.precision, one.false_alarms_per_agent_day, one.false_positive_rate)
    yield None if one.median_lead_seconds is None else one.median_lead_seconds / 60.0
    yield from (one.brier, one.ece)


def _log(trial: Trial, note: str) -> None:
    """Write down what was tried, with what came out."""
    new = not TRIED.exists()
    with TRIED.open("a") as lines:
        if new:
            lines.write("date\tnote\ttrial\tmodel\tlearned from\tthreshold\trecall\tprecision\tfalse a day\tbrier\n")
        for name, one in trial.figures.items():
            origin = trial.found.origins.get(name, "a rule")
            cells = (one.event_recall, one.precision, one.false_alarms_per_agent_day, one.brier)
            told = "\t".join("-" if cell is None else f"{cell:.4g}" for cell in cells)
            when = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
            lines.write(f"{when}\t{note}\t{trial.name}\t{name}\t{origin}\t{one.threshold:.3g}\t{told}\n")


if __name__ == "__main__":
    raise SystemExit(main())
