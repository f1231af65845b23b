"""How soon is an agent well, by how its fix is chosen?

Four hundred troubles of a simulated fleet (troubles.py), the same with the same luck for every policy. `selfheal` is
the code of the daemon: the look-ahead over the posteriors, with what a handbook says of each fix as their prior, and
the ladder as soon as that is provably better. It sees a diagnosis that is right as often as it says, never the cause.
The clairvoyant knows the cause and the true chances, and looks ahead with them; nobody can do better by choosing. Who
knows the chances has to go by the diagnosis: nobody can do better by learning. To be told each cause once its
trouble is over is the most that knowing causes better afterwards could bring.

Constants of the daemon were chosen on seeds from 1000 on; what is reported are the first ones.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from random import Random
from statistics import fmean

from benchmarks.report import Cell, Goal, print_goals, print_table, run, save
from benchmarks.troubles import (
    CAUSES,
    FIXES,
    LADDER,
    PAGING_S,
    TRIES,
    VERIFY_S,
    Fleet,
    Sighting,
    Trouble,
)
from selfheal.decide.hindsight import hindsight
from selfheal.decide.lookahead import Option, rank, updated
from selfheal.learn.odds import posterior
from selfheal.learn.policy import Decision, trusts
from selfheal.learn.pools import Key, Pools
from selfheal.world import Odds

PRIOR_WEIGHT = 4.0
WRONG = 0.15
FIRST, LAST = 50, 200
SOON_S = 60.0

COLUMNS = {
    "first_s": f"first {FIRST}, s",
    "last_s": f"last {LAST}, s",
    "first_try": "first try",
    "soon": f"< {SOON_S:.0f} s",
    "paged": "paged",
    "regret_h": "regret, h",
}
Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trouble ended: the seconds to recovery, the fixes tried, and whether a person was called."""

    took_s: float
    tries: int
    paged: bool


class Policy:
    """Chooses the next fix from what is seen and what has failed; the base for those that learn nothing."""

    def choose(self, seen: Sighting, failed: Sequence[str]) -> str:
        raise NotImplementedError

    def learn(self, seen: Sighting, failed: Sequence[str], fix: str, helped: bool) -> None:
        """A fix was tried after others had failed."""

    def end(self, took_s: float) -> None:
        """The trouble is over."""


class Ladder(Policy):
    """The same steps whatever the cause."""

    def choose(self, seen: Sighting, failed: Sequence[str]) -> str:
        return LADDER[len(failed)]


class Chance(Policy):
    """Any fix that was not tried yet."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(f"chance {seed}")

    def choose(self, seen: Sighting, failed: Sequence[str]) -> str:
        return self._chance.choice(_left(failed))


class Thompson(Policy):
    """Samples of what each fix did, whatever the diagnosis (Thompson, 1933)."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(f"thompson {seed}")
        self._counts = {fix: [1, 1] for fix in FIXES}

    def choose(self, seen: Sighting, failed: Sequence[str]) -> str:
        return max(_left(failed), key=lambda fix: self._chance.betavariate(*self._counts[fix]))

    def learn(self, seen: Sighting, failed: Sequence[str], fix: str, helped: bool) -> None:
        self._counts[fix][not helped] += 1


class Clairvoyant(Policy):
    """Told the cause beforehand, and all true chances."""

    def __init__(self, fleet: Fleet, troubles: Sequence[Trouble]) -> None:
        self._truly = fleet.truly
        self._causes = {trouble.seen.at: trouble.cause for trouble in troubles}

    def choose(self, seen: Sighting, failed: Sequence[str]) -> str:
        cause = self._causes[seen.at]
        options = [
            Option(fix, FIXES[fix] + VERIFY_S, {cause: self._truly[seen.agent, cause, fix]}) for fix in _left(failed)
        ]
        return rank(options, {cause: 1.0}, tries=TRIES - len(failed), paging_s=PAGING_S, draw=0.0)[0].fix


class Informed(Policy):
    """Knows all true chances and no more of the cause than the diagnosis: what is left where all is learned."""

    def __init__(self, fleet: Fleet) -> None:
        self._truly = fleet.truly

    def choose(self, seen: Sighting, failed: Sequence[str]) -> str:
        options = {
            fix: Option(fix, cost_s + VERIFY_S, {cause: self._truly[seen.agent, cause, fix] for cause in CAUSES})
            for fix, cost_s in FIXES.items()
        }
        belief = updated(seen.belief, [options[fix].helps for fix in failed])
        left, tries = [options[fix] for fix in _left(failed)], TRIES - len(failed)
        return rank(left, belief, tries=tries, paging_s=PAGING_S, draw=0.0)[0].fix


class Index(Policy):
    """Most success per second against the likeliest cause, by the same posteriors as ours."""

    def __init__(self, handbook: Mapping[tuple[str, str], float]) -> None:
        self._handbook = handbook
        self._odds: dict[Key, Odds] = {}
        self._pools = Pools()

    def options(self, seen: Sighting) -> dict[str, Option]:
        """Every fix with its cost and what is believed of it."""
        self._pools.follow(self._odds)
        return {
            fix: Option(fix, cost_s + VERIFY_S, {cause: self._believed(seen, cause, fix) for cause in CAUSES})
            for fix, cost_s in FIXES.items()
        }

    def choose(self, seen: Sighting, failed: Sequence[str]) -> str:
        options, cause = self.options(seen), max(seen.belief, key=seen.belief.__getitem__)
        return min(_left(failed), key=lambda fix: options[fix].cost_s / options[fix].helps[cause])

    def learn(self, seen: Sighting, failed: Sequence[str], fix: str, helped: bool) -> None:
        self.note(seen, max(seen.belief, key=seen.belief.__getitem__), fix, helped)

    def note(self, seen: Sighting, cause: str, fix: str, helped: bool, share: float = 1.0) -> None:
        """Count an outcome as the world does."""
        then = self._odds.get((seen.agent, cause, fix), Odds())
        now = then.tried_once_more(1.0 if helped else 0.0, None, seen.at, share)
        self._odds = {**self._odds, (seen.agent, cause, fix): now}

    def _believed(self, seen: Sighting, cause: str, fix: str) -> float:
        mean = self._handbook[cause, fix]
        prior = (mean * PRIOR_WEIGHT, (1.0 - mean) * PRIOR_WEIGHT)
        return posterior(self._pools, seen.agent, cause, fix, prior, now=seen.at).mean


class Selfheal(Index):
    """The code of the daemon: what was tried is learned from as the trouble ends, by what it said of the causes."""

    def __init__(self, handbook: Mapping[tuple[str, str], float], seed: int) -> None:
        super().__init__(handbook)
        self._chance = Random(f"selfheal {seed}")
        self._log: list[Decision] = []
        self._begun: Callable[[float], Decision] | None = None
        self._tried: list[tuple[Sighting, str, bool]] = []
        self._trusted = True
        self.distrusted = 0

    def choose(self, seen: Sighting, failed: Sequence[str]) -> str:
        options = self.options(seen)
        left = [options[fix] for fix in _left(failed)]
        belief = updated(seen.belief, [options[fix].helps for fix in failed])
        tries, draw = TRIES - len(failed), self._chance.random()
        ranked = rank(left, belief, tries=tries, paging_s=PAGING_S, draw=draw)
        if not failed:
            self._trusted = trusts(self._log)
            self.distrusted += not self._trusted
        step = _first_step(left)
        fix, propensity = (ranked[0].fix, ranked[0].propensity) if self._trusted else (step, 1.0)
        if not failed:
            self._begun = partial(Decision, {one.fix: one.value_s for one in ranked}, fix, propensity, step)
        return fix

    def learn(self, seen: Sighting, failed: Sequence[str], fix: str, helped: bool) -> None:
        self._tried.append((seen, fix, helped))

    def end(self, took_s: float) -> None:
        tried, self._tried = self._tried, []
        shares = self.after(tried)
        for seen, fix, helped in tried:
            for cause, share in shares.items():
                self.note(seen, cause, fix, helped, share)
        if self._begun is not None:
            self._log.append(self._begun(took_s))

    def after(self, tried: Sequence[tuple[Sighting, str, bool]]) -> Mapping[str, float]:
        """How likely each cause was, now that is known what has helped."""
        seen = tried[0][0]
        options = self.options(seen)
        return hindsight(seen.belief, [(options[fix].helps, helped) for _, fix, helped in tried])


class Told(Selfheal):
    """The same, told the cause of each trouble once it is over: the most that any way of learning from it can bring."""

    def __init__(self, handbook: Mapping[tuple[str, str], float], seed: int, troubles: Sequence[Trouble]) -> None:
        super().__init__(handbook, seed)
        self._causes = {trouble.seen.at: trouble.cause for trouble in troubles}

    def after(self, tried: Sequence[tuple[Sighting, str, bool]]) -> Mapping[str, float]:
        return {self._causes[tried[0][0].at]: 1.0}


def heal(policy: Policy, trouble: Trouble) -> Outcome:
    """Try fixes until one helps, or a person has to be called."""
    took_s, failed = 0.0, list[str]()
    while len(failed) < TRIES:
        fix = policy.choose(trouble.seen, failed)
        took_s += trouble.takes_s[fix] + VERIFY_S
        policy.learn(trouble.seen, failed, fix, trouble.helps[fix])
        if trouble.helps[fix]:
            policy.end(took_s)
            return Outcome(took_s, len(failed) + 1, False)
        failed.append(fix)
    policy.end(took_s + PAGING_S)
    return Outcome(took_s + PAGING_S, TRIES, True)


def _left(failed: Sequence[str]) -> list[str]:
    return [fix for fix in FIXES if fix not in failed]


def played(accuracy: float, incidents: int, doubtful: bool, seed: int) -> dict[str, Figures]:
    """The figures of each policy in one simulated fleet."""
    fleet = Fleet(seed, accuracy)
    troubles = fleet.troubles(incidents, seed)
    handbook = fleet.doubtful(seed, WRONG) if doubtful else fleet.handbook(seed, WRONG)
    ours = Selfheal(handbook, seed)
    policies: dict[str, Policy] = {
        "fixed ladder": Ladder(),
        "random": Chance(seed),
        "Thompson, no diagnosis": Thompson(seed),
        "success per second": Index(handbook),
        "selfheal": ours,
        "selfheal, told the causes": Told(handbook, seed, troubles),
        "knows the chances": Informed(fleet),
        "clairvoyant": Clairvoyant(fleet, troubles),
    }
    ends = {name: [heal(policy, trouble) for trouble in troubles] for name, policy in policies.items()}
    least_s = sum(end.took_s for end in ends["clairvoyant"])
    found = {name: _figures(each, least_s) for name, each in ends.items()}
    found["selfheal"]["distrusted"] = ours.distrusted / incidents
    return found


def _figures(ends: Sequence[Outcome], least_s: float) -> Figures:
    return {
        "first_s": fmean(end.took_s for end in ends[:FIRST]),
        "last_s": fmean(end.took_s for end in ends[-LAST:]),
        "all_s": fmean(end.took_s for end in ends),
        "first_try": fmean(end.tries == 1 for end in ends),
        "soon": fmean(end.took_s < SOON_S for end in ends),
        "paged": fmean(end.paged for end in ends),
        "regret_h": (sum(end.took_s for end in ends) - least_s) / 3600.0,
    }


def measure(accuracy: float, incidents: int, doubtful: bool, seeds: Sequence[int]) -> dict[str, Figures]:
    """The mean of the figures over some fleets."""
    with ProcessPoolExecutor() as processes:
        found = list(processes.map(partial(played, accuracy, incidents, doubtful), seeds))
    return {
        name: {key: fmean(one[name][key] for one in found) for key in figures} for name, figures in found[0].items()
    }


def goals_at(accuracy: float, found: Mapping[str, Figures]) -> list[Goal]:
    """What is promised where the diagnosis is good, and where it is no better than a coin."""
    ours, fixed, best = found["selfheal"], found["fixed ladder"], found["clairvoyant"]
    at = f"diagnosis right in {accuracy * 100:.0f} %"
    if accuracy < 0.6:
        return [Goal(f"{at}: recovery, of the ladder's", ours["all_s"] / fixed["all_s"], 1.05, "x")]
    return [
        Goal(f"{at}: recovery in the last {LAST}, of the clairvoyant's", ours["last_s"] / best["last_s"], 1.25, "x"),
        Goal(f"{at}: recovery in the first {FIRST}, of the ladder's", ours["first_s"] / fixed["first_s"], 0.7, "x"),
        Goal(f"{at}: pages, of the ladder's", ours["paged"] / fixed["paged"], 0.4, "x"),
    ]


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.fixes", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="so many fleets")
    parser.add_argument("--begin", type=int, default=0, help="the first seed; from 1000 on constants may be chosen")
    parser.add_argument("--accuracy", type=float, nargs="+", default=[0.9, 0.6, 0.5], help="of the diagnosis")
    parser.add_argument("--incidents", type=int, default=400)
    parser.add_argument("--doubtful", action="store_true", help="with the worse handbook; keeps no results")
    chosen = parser.parse_args()
    figures, goals = dict[str, dict[str, Figures]](), list[Goal]()
    for accuracy in chosen.accuracy:
        seeds = range(chosen.begin, chosen.begin + chosen.seeds)
        found = measure(accuracy, chosen.incidents, chosen.doubtful, seeds)
        title = f"{chosen.incidents} troubles in {chosen.seeds} fleets, diagnosis right in {accuracy * 100:.0f} %"
        rows: list[list[Cell]] = [[name, *(each[key] for key in COLUMNS)] for name, each in found.items()]
        print_table(title, ("", *COLUMNS.values()), rows)
        print(f"  selfheal followed the ladder in {found['selfheal']['distrusted'] * 100:.1f} %", flush=True)
        figures[f"{accuracy:g}"] = found
        goals += goals_at(accuracy, found)
    print_goals(goals)
    if chosen.begin == 0 and not chosen.doubtful:
        settings = {"seeds": chosen.seeds, "incidents": chosen.incidents, "wrong": WRONG, "prior_weight": PRIOR_WEIGHT}
        save("fixes", settings, figures, goals)


def _first_step(options: Sequence[Option]) -> str:
    """What a fixed ladder tries next, whatever the cause: its steps in their order, then the cheaper first."""
    at = {fix: number for number, fix in enumerate(LADDER)}
    return min(options, key=lambda one: (at.get(one.fix, len(at)), one.cost_s, one.fix)).fix


if __name__ == "__main__":
    run(main)
