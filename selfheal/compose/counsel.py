"""When is a language model asked about an incident, and what follows from its answer?

It stands between the decision and the healer. Where something is to be done, or a person to be called, and the engine
is not sure of the cause, the question goes out beside everything else; what was decided waits a few seconds for the
answer, and then goes ahead without it. An answer becomes an event and moves the causes a little; nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from selfheal.compose.counsel_calls import Call
from selfheal.compose.counsel_facts import facts_of, fingerprint
from selfheal.config.model import ModelConfig, ProviderConfig
from selfheal.events import ModelAnswered
from selfheal.kinds import Fix
from selfheal.learn.lift import lift_of
from selfheal.ledger import Ledger
from selfheal.loops import LoopRunner
from selfheal.model import limits
from selfheal.model.pack import Pack, pack
from selfheal.model.reply import SYSTEM, read, schema
from selfheal.model.wire import Question
from selfheal.plans import Ask, Clues, Escalate, NextStep, Plan, Rest, Step, Suggest
from selfheal.ports import ModelAccess, Ports
from selfheal.world import Incident, World

# Where the engine is as sure as this, there is nothing to ask.
SURE = 0.7
# How much of an answer in a wrong form is shown to who gave it.
SHOWN = 2_000
# A question costs its form and the words around it besides.
FORM_TOKENS = 900


class Counsel:
    """Asks at most one question at a time, at most once an incident."""

    def __init__(
        self, ledger: Ledger, ports: Ports, config: Callable[[], ModelConfig], decide: NextStep,
        clues: Callable[[Incident], Awaitable[Clues]], fixes: Mapping[str, Fix], redact: Callable[[str], str],
        runner: LoopRunner,
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._clock = ports.clock
        self._chance = ports.chance
        self._access = ports.model
        self._config = config
        self._decide = decide
        self._clues = clues
        self._fixes = fixes
        self._redact = redact
        self._runner = runner
        self._asked: set[str] = set()
        self._waits: dict[str, float] = {}

    def next_step(self, world: World, incident: Incident, now: float) -> Step:
        """What comes next, as was decided; a moment later where an answer may come that bears on it."""
        step = self._decide(world, incident, now)
        if not isinstance(step, Plan | Ask | Suggest | Escalate):
            return step
        if self._is_worth_asking(world, incident):
            self._begin(world, incident, step)
        left_s = self._waits.get(incident.id, 0.0) - self._clock.monotonic()
        return Rest(now + left_s) if left_s > 0.0 else step

    def _is_worth_asking(self, world: World, incident: Incident) -> bool:
        if self._access is None or not self._config().enabled or self._waits or incident.id in self._asked:
            return False
        return bool(incident.found) and incident.found[0].probability < SURE and not incident.counsel

    def _begin(self, world: World, incident: Incident, step: Step) -> None:
        self._asked = {name for name in self._asked if name in world.incidents} | {incident.id}
        calls, now = calls_of(world), self._clock.now()
        known = any(one.fingerprint == fingerprint(incident) and one.outcome == "ok" for one in calls)
        if not known and limits.asked_before(calls, fingerprint(incident), now):
            return
        wait_s = self._config().wait if lift_of(world.incidents.values()).allows else 0.0
        self._waits[incident.id] = self._clock.monotonic() + wait_s
        self._runner.spawn(f"counsel {incident.id}", self._to_its_end(incident, step))
        self._runner.spawn(f"counsel wait {incident.id}", self._wake_after(wait_s))

    async def _wake_after(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._runner.wake("heal")

    async def _to_its_end(self, incident: Incident, step: Step) -> None:
        try:
            clues = await self._clues(incident)
            world = self._ledger.world
            facts = facts_of(world, incident, step, clues, self._fixes, self._clock.now())
            await self._ask_in_turn(incident, lambda model: pack(facts, self._redact, self._draw, model))
        finally:
            self._waits.pop(incident.id, None)
            self._runner.wake("heal")

    def _draw(self) -> int:
        return self._chance.getrandbits(32)

    # --- one question, whoever answers it ---

    async def _ask_in_turn(self, incident: Incident, packed: Callable[[str], Pack]) -> None:
        """Ask one provider after the other, until one gives an answer that is one."""
        access, config, before = self._access, self._config(), calls_of(self._ledger.world)
        for provider in config.providers:
            if access is None or provider not in access.doors:
                continue
            told: ProviderConfig = getattr(config, provider)
            asked = packed(told.name)
            call = Call(incident, asked, told, provider)
            known = limits.known_answer(before, asked.key, self._clock.now())
            if known is not None:
                self._ledger.record(call.again(self._ledger.world, known, self._clock.now()))
                return
            if limits.asked_before(before, fingerprint(incident), self._clock.now()):
                return
            if await self._ask(access, config, call):
                return

    async def _ask(self, access: ModelAccess, config: ModelConfig, call: Call) -> bool:
        """Ask a provider, once more where only the form was wrong; returns whether nobody else need be asked."""
        key, url = access.doors[call.provider]
        before = complaint = ""
        for _ in range(2):
            now, calls = self._clock.now(), calls_of(self._ledger.world)
            tokens = call.asked.tokens + FORM_TOKENS + config.max_tokens
            if limits.is_open(calls, call.provider, now) or limits.spent_out(calls, _budget(config), tokens, now):
                return False
            began = self._clock.monotonic()
            answer = await access.ask(
                Question(
                    provider=call.provider, key=key, base_url=url, model=call.told.name, system=SYSTEM,
                    text=call.asked.text, form=schema(call.asked), max_tokens=config.max_tokens,
                    timeout_s=config.timeout, before=before, complaint=complaint,
                )
            )  # fmt: skip
            said = None if answer.trouble else read(answer.text, call.asked, self._redact)
            event = call.ended(self._ledger.world, answer, said, self._clock.now(), self._clock.monotonic() - began)
            self._ledger.record(event)
            if event.outcome != "invalid":
                return event.outcome in ("ok", "rejected")
            before, complaint = self._redact(answer.text)[:SHOWN], event.reason
        return False


def calls_of(world: World) -> Sequence[ModelAnswered]:
    """Every call that is known of, the oldest first."""
    return sorted((call for one in world.incidents.values() for call in one.counsel), key=lambda call: call.at)


def _budget(config: ModelConfig) -> limits.Budget:
    return limits.Budget(
        config.tokens_per_hour, config.tokens_per_day, config.money_per_hour, config.money_per_day
    )  # fmt: skip
