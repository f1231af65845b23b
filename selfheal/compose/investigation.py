"""Where does the cause of an incident lie, and what else is to be asked before that is said?

The rules say what it is. Where they know no more than how an agent looks from outside, the agents around it are
ranked, in a thread, before the first diagnosis is written down; where they are certain, after it, for people to read.
Where the ranking is not sure, or accuses the agent itself, the checks of the first suspects are asked at once, and
once more a moment later, and each time it is diagnosed again; what is to be done waits two seconds for that, and no
longer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from selfheal.compose.casework import case_of, neighbourhood, signs_of, whose_logs
from selfheal.compose.evidence import Evidence
from selfheal.compose.judgement import Judgement
from selfheal.compose.refit import Refit
from selfheal.diagnose.joined import is_sure, is_vague, joined
from selfheal.diagnose.own import ranked, weights_of
from selfheal.diagnose.rank import Ranking, rank
from selfheal.events import Ranked
from selfheal.history.rings import History
from selfheal.ledger import Ledger
from selfheal.loops import LoopRunner
from selfheal.observe.scheduler import Scheduler
from selfheal.plans import Ask, Clues, Diagnose, Diagnosis, Escalate, Plan, Rest, Step, Suggest
from selfheal.ports import Ports
from selfheal.vitals import Vitals
from selfheal.world import Incident, World

# More incidents at once than these are one outage, in which nobody is told from his neighbours.
RANKED_AT_ONCE, PROBED_AT_ONCE = 10, 3
SUSPECTS_PROBED = 5
# What is to be done waits so long for the checks of suspects, in all. A good answer comes in a fraction of it.
PROBE_S = 2.0
# They are asked once more where that did not settle it, at the pace at which a check is asked that is in doubt.
ROUNDS, BETWEEN_S = 2, 1.0
# A probability that has moved by less is none.
NEWS = 0.05
# What was written to a log longer ago than this before the onset has nothing to do with it.
WRITTEN_S = 300.0


@dataclass(slots=True)
class _Probe:
    """What is asked for an incident: who, how often that was done, and until when (monotonic) anything waits for it."""

    until: float
    names: tuple[str, ...] = ()
    rounds: int = 0
    under_way: bool = False


class Investigation:
    """Joins the rules with the ranking, and the decision with what is still being asked."""

    def __init__(
        self, ledger: Ledger, ports: Ports, vitals: Vitals, history: History, judgement: Judgement,
        evidence: Evidence, scheduler: Scheduler, runner: LoopRunner,
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._clock = ports.clock
        self._run_in_thread = ports.run_in_thread
        self._vitals = vitals
        self._history = history
        self._judgement = judgement
        self._evidence = evidence
        self._scheduler = scheduler
        self._runner = runner
        self.loop = Refit(ledger, ports).loop
        self._probes: dict[str, _Probe] = {}
        self._again: set[str] = set()

    async def diagnose(self, world: World, incident: Incident, clues: Clues) -> Diagnosis:
        """Why did it happen, and where does it come from?"""
        again = incident.id in self._again
        self._again.discard(incident.id)
        found = self._judgement.diagnosis(world, incident, clues)
        if not _is_worth_ranking(world, incident):
            return found
        if not found.causes or not is_vague(found.causes[0], incident.agent):
            self._runner.spawn(f"rank {incident.id}", self._rank_later(incident, clues))
            return found
        ranking, told = await self._rank(incident, clues)
        if not is_sure(ranking) or ranking.services[0].service == incident.agent:
            self._probe(incident, told)  # that it is itself is not said before the others were asked
        causes = joined(self._ledger.world, incident.agent, found.causes, ranking)
        news = told if _is_news(incident.ranking, told) else None
        return replace(found, causes=causes, ranked=news, again=again)

    def next_step(self, world: World, incident: Incident, now: float) -> Step:
        """What comes next, as was decided; a moment later where suspects are being asked, and anew once they were."""
        if incident.id in self._again and not incident.over and not incident.acting:
            return Diagnose()
        step = self._judgement.next_step(world, incident, now)
        probe = self._probes.get(incident.id)
        left_s = probe.until - self._clock.monotonic() if probe is not None and probe.under_way else 0.0
        return Rest(now + left_s) if left_s > 0.0 and isinstance(step, Plan | Ask | Suggest | Escalate) else step

    async def _rank(self, incident: Incident, clues: Clues) -> tuple[Ranking, Ranked]:
        """Rank who is around it. What is known is copied in the loop, and reckoned with in a thread."""
        others = whose_logs(self._ledger.world, incident)
        said = await self._evidence.last_lines(others, incident.onset - WRITTEN_S)
        world = self._ledger.world
        logs = {incident.agent: clues.log, **said}
        case = case_of(world, self._vitals, self._history, incident)
        weights, signatures = weights_of(world.weights), self._judgement.signatures(world)
        ranking = await self._run_in_thread(lambda: rank(replace(case, signs=signs_of(logs, signatures)), weights))
        probe = self._probes.get(incident.id)
        probed = probe.names if probe is not None and probe.rounds else ()
        return ranking, ranked(self._clock.now(), incident.id, ranking, weights, probed)

    async def _rank_later(self, incident: Incident, clues: Clues) -> None:
        """Tell where it lies beside what is certain: nothing that is done follows from it."""
        _, told = await self._rank(incident, clues)
        known = self._ledger.world.incidents.get(incident.id)
        if known is not None and not known.over:
            self._ledger.record(told)

    # --- extra probes ---

    def _probe(self, incident: Incident, told: Ranked) -> None:
        """Ask the first suspects, unless that was done often enough or much fails together.

        Who is down already is asked often enough, and would let the others wait for as long as it does not answer.
        """
        world, now = self._ledger.world, self._clock.monotonic()
        self._probes = {name: one for name, one in self._probes.items() if name in world.incidents}
        self._again &= world.incidents.keys()
        probe = self._probes.setdefault(incident.id, _Probe(now + PROBE_S))
        if probe.under_way or probe.rounds >= ROUNDS or len(world.open_incidents()) > PROBED_AT_ONCE:
            return
        first = [one.agent for one in told.suspects[:SUSPECTS_PROBED]]
        probe.names = tuple(name for name in first if name in world.agents and not world.agents[name].down)
        if not probe.names:
            return
        probe.under_way = True
        self._runner.spawn(f"probe {incident.id}", self._ask_all(incident.id, probe))

    async def _ask_all(self, incident: str, probe: _Probe) -> None:
        try:
            if probe.rounds:
                await self._clock.sleep(BETWEEN_S)
            async with asyncio.timeout(PROBE_S):
                await asyncio.gather(*(self._scheduler.ask(name) for name in probe.names))
        except TimeoutError:
            pass  # who has not answered by then has said something too
        finally:
            probe.rounds += 1
            probe.under_way = False
            self._again.add(incident)
            self._runner.wake("heal")


def _is_news(before: Ranked | None, now: Ranked) -> bool:
    """Whether a ranking says something else than the one before."""
    if before is None or (before.verdict, before.probed, before.used) != (now.verdict, now.probed, now.used):
        return True
    if not (now.suspects and before.suspects):
        return bool(now.suspects)
    first, then = now.suspects[0], before.suspects[0]
    return first.agent != then.agent or abs(first.probability - then.probability) >= NEWS


def _is_worth_ranking(world: World, incident: Incident) -> bool:
    """Whether there is anybody to tell it from, and not all at once."""
    return len(world.open_incidents()) <= RANKED_AT_ONCE and len(neighbourhood(world, incident)) > 1
