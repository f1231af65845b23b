"""How is one fix applied, act by act?

The one door for acts that were reasoned about: each act is recorded before it is done, durable before one that must
not be repeated, all of them within the fix's deadline. What a person has to allow waits for that, and the deadline with
it. A daemon that ends in the midst leaves the rest to the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from selfheal.clock import Clock
from selfheal.errors import JournalUnavailable, SelfhealError
from selfheal.events import ActEnded, ActStarted, FixEnded, UndoEnded
from selfheal.kinds import Act, Fix, Hands, Target
from selfheal.ledger import Ledger
from selfheal.vocabulary import Outcome

Ask = Callable[[str, Fix, Target], Awaitable[str]]
"""Asks a person about an act of a fix in an incident; returns who refused it, empty where it is allowed."""


class Halted(Exception):
    """The kill switch was thrown while an act was under way that may be cut short."""


class Applying:
    """One application of a fix, the attempt of this number in an incident."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        hands: Hands,
        ask: Ask,
        redact: Callable[[str], str],
        incident: str,
        number: int,
        fix: Fix,
        target: Target,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._hands = hands
        self._ask = ask
        self._redact = redact
        self._incident = incident
        self._number = number
        self._fix = fix
        self._target = target
        self._said: list[str] = []
        self._halted = ""
        self._scope: asyncio.Timeout | None = None

    @property
    def agent(self) -> str:
        return self._target.agent

    def halt(self, why: str) -> None:
        """Begin no further act, and cut the one under way short where that does no harm."""
        self._halted = why
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    async def apply(self) -> None:
        """Do it, and record the outcome in any case."""
        outcome: Outcome = "interrupted"
        output = "the daemon was stopped while it ran"
        try:
            outcome, output = await self._within_deadline()
            outcome, output = await self._at_last(outcome, output)
        finally:
            ended = FixEnded(self._clock.now(), self._incident, self._number, outcome, self._redact(output))
            self._ledger.record(ended)

    async def undo(self) -> None:
        """Take back what was done, and record how that went."""
        act = self._fix.undo
        done, output = False, ""
        try:
            async with asyncio.timeout(self._fix.timeout_s):
                output = await act.apply(self._hands, self._target) if act is not None else "there is nothing to undo"
            done = act is not None
        except TimeoutError:
            output = f"not undone within {self._fix.timeout_s:.0f} s"
        except SelfhealError as why:
            output = str(why)
        # Not where the daemon is stopped in the midst of it: the next one goes on with it.
        self._ledger.record(UndoEnded(self._clock.now(), self._incident, self._number, done, self._redact(output)))

    async def _within_deadline(self) -> tuple[Outcome, str]:
        limit_s = self._fix.timeout_s
        try:
            async with asyncio.timeout(limit_s) as deadline:
                for act in self._fix.acts:
                    if self._halted:
                        return "interrupted", f"{act.name}: not begun, since {self._halted}"
                    refused_by = await self._allowed(act, deadline) if act.approval else ""
                    if refused_by:
                        return "rejected", f"{act.name}: rejected by {refused_by}"
                    await self._do(act)
        except TimeoutError:
            return "timed_out", f"not done within {limit_s:.0f} s"
        except Halted as why:
            return "interrupted", str(why)
        except JournalUnavailable as why:
            return "failed", f"not applied, since the intent could not be written down: {why}"
        except SelfhealError as why:
            return "failed", str(why)
        return "succeeded", self._said[-1]  # what was said before is told act by act

    async def _do(self, act: Act) -> None:
        several = len(self._fix.acts) > 1  # else the start of the fix says it all
        if several:
            self._ledger.record(ActStarted(self._clock.now(), self._incident, self._number, act.name))
        if not act.repeatable:
            await self._ledger.durable()
        said = await (self._cuttable(act) if act.stoppable else act.apply(self._hands, self._target))
        self._said.append(said)
        if several:
            ended = ActEnded(self._clock.now(), self._incident, self._number, act.name, self._redact(said))
            self._ledger.record(ended)

    async def _cuttable(self, act: Act) -> str:
        """Do an act that may be cut short. Raises Halted where it was."""
        try:
            async with asyncio.timeout(None) as self._scope:
                return await act.apply(self._hands, self._target)
        except TimeoutError:
            if not self._halted:
                raise  # it was the act's own
            raise Halted(f"{act.name}: cut short, since {self._halted}") from None
        finally:
            self._scope = None

    async def _allowed(self, act: Act, deadline: asyncio.Timeout) -> str:
        """Ask a person; meanwhile no time passes for the deadline."""
        loop = asyncio.get_running_loop()
        due = deadline.when()
        left_s = due - loop.time() if due is not None else 0.0
        deadline.reschedule(None)
        refused_by = await self._ask(self._incident, self._fix, self._target)
        deadline.reschedule(loop.time() + left_s)
        return refused_by

    async def _at_last(self, outcome: Outcome, output: str) -> tuple[Outcome, str]:
        """Do what is to be done however the acts ended."""
        act = self._fix.at_last
        if act is None:
            return outcome, output
        try:
            async with asyncio.timeout(self._fix.timeout_s):
                said = await act.apply(self._hands, self._target)
        except TimeoutError:
            return "failed", _told([output, f"{act.name}: not done within {self._fix.timeout_s:.0f} s"])
        except SelfhealError as why:
            return "failed", _told([output, f"{act.name}: {why}"])
        return outcome, _told([output, said])


def _told(parts: Sequence[str]) -> str:
    return "; ".join(part for part in parts if part)


@dataclass(slots=True)
class Answers:
    """Who waits for a person's answer, by incident."""

    waiting: dict[str, asyncio.Future[None]]

    async def wait(self, incident: str) -> None:
        """Return when `answered` is told of this incident."""
        future = self.waiting.setdefault(incident, asyncio.get_running_loop().create_future())
        try:
            await future
        finally:
            self.waiting.pop(incident, None)

    def answered(self, incident: str) -> None:
        """Let go on who waits for this incident."""
        future = self.waiting.get(incident)
        if future is not None and not future.done():
            future.set_result(None)
