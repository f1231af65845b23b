"""What do simulated data do? They are sound until they are damaged, and sound again once they are put right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from selfheal.clock import Clock
from selfheal.data.asset import Health, Proof, Swapped
from selfheal.data.backup import Backup
from selfheal.data.jobs import Accept, AnyJob, BackUp, Examine, Mend, Prepare, Prepared, Swap, Verify
from selfheal.errors import DataFailed

T = TypeVar("T")
# How long a job takes: a look, and all the rest.
LOOK_S, WORK_S = 0.1, 2.0


@dataclass(slots=True)
class SimulatedData:
    """The data of all agents. `damage` is what is wrong with them, by agent, `hidden` what only a thorough look finds,
    which takes `thorough_s`; `fails` are jobs that do not work, by name, with the reason, and `no_salvage` is why
    nothing can be salvaged; `done` is every job that came to its end, by (agent, name).
    """

    clock: Clock
    damage: dict[str, Health] = field(default_factory=dict)
    fails: dict[str, str] = field(default_factory=dict)
    no_salvage: str = ""
    hidden: dict[str, Health] = field(default_factory=dict)
    thorough_s: float = LOOK_S
    done: list[tuple[str, str]] = field(default_factory=list)
    backups: dict[str, list[Backup]] = field(default_factory=dict)

    async def run_job(self, job: AnyJob, answer: type[T], environment: Mapping[str, str], timeout_s: float) -> T:
        """The port of the daemon."""
        name = type(job).__name__.lower()
        await self.clock.sleep(self._takes_s(job))
        if name in self.fails:
            raise DataFailed(self.fails[name])
        given = self._answer(job)
        thorough = isinstance(job, Examine) and job.thorough
        self.done.append((job.asset.agent, "looked through" if thorough else name))
        assert isinstance(given, answer)
        return given

    def _takes_s(self, job: AnyJob) -> float:
        if not isinstance(job, Examine):
            return WORK_S
        return self.thorough_s if job.thorough else LOOK_S

    def _answer(self, job: AnyJob) -> object:
        agent, now = job.asset.agent, self.clock.now()
        match job:
            case Examine(thorough=True) if agent in self.hidden:
                return self.hidden[agent]
            case Examine():
                return self.damage.get(agent, Health(counts={"rows": 100.0}))
            case BackUp():
                proof = Proof(now, {"rows": 100.0})
                made = Backup(f"{now:.0f}", agent, "simulated", now, 1000, 100, proof, verified_at=now)
                self.backups.setdefault(agent, []).append(made)
                return made
            case Verify():
                return self._newest(agent)
            case Prepare(source="salvage") if self.no_salvage:
                raise DataFailed(self.no_salvage)
            case Prepare(source="salvage"):
                return Prepared("", Proof(now, {"rows": 99.0}), "1 row")
            case Prepare():
                newest = self._newest(agent)
                return Prepared(newest.id, newest.proof)
            case Swap():
                self.damage.pop(agent, None)
                self.hidden.pop(agent, None)
                return Swapped(f"{agent}.damaged", now)
            case Accept():
                self.damage.pop(agent, None)
                self.hidden.pop(agent, None)
                return "accepted"
            case Mend():
                self.damage.pop(agent, None)
                return f"{job.how} done"

    def _newest(self, agent: str) -> Backup:
        made = self.backups.get(agent)
        if not made:
            raise DataFailed(f"there is no backup of {agent}")
        return made[-1]
