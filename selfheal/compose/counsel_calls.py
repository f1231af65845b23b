"""What came of a question to a language model, written down: what it said, what it cost, what it has moved."""

from __future__ import annotations

from dataclasses import dataclass, replace

from selfheal.compose.counsel_facts import fingerprint
from selfheal.config.model import ProviderConfig
from selfheal.events import Cause, ModelAnswered
from selfheal.learn.lift import lift_of
from selfheal.model.pack import UNKNOWN, Pack
from selfheal.model.reply import REPAIRABLE, Opinion, Refusal
from selfheal.model.say import moved
from selfheal.model.wire import Answer, Provider
from selfheal.world import Incident, World

MILLION = 1e6


@dataclass(frozen=True, slots=True)
class Call:
    """A question to one provider about an incident as it was then."""

    incident: Incident
    asked: Pack
    told: ProviderConfig
    provider: Provider

    def ended(
        self, world: World, answer: Answer, said: Opinion | Refusal | None, at: float, seconds: float
    ) -> ModelAnswered:  # fmt: skip
        """The event of an answer, or of none; the causes are moved where it may move them."""
        blank = replace(
            self._blank(at), took_s=seconds, tokens_in=answer.tokens_in, tokens_out=answer.tokens_out,
            cost=self._cost(answer),
        )  # fmt: skip
        if answer.trouble:
            return replace(blank, outcome=answer.trouble, reason=answer.reason)
        if not isinstance(said, Opinion):
            refusal = said or "form"
            return replace(blank, outcome="invalid" if refusal in REPAIRABLE else "rejected", reason=refusal)
        heard = replace(
            blank,
            cause=said.cause.slug if said.cause is not None else UNKNOWN,
            cause_agent=said.cause.agent if said.cause is not None else "",
            missing=said.missing, fix=said.fix, confidence=said.confidence, evidence=said.evidence, words=said.words,
        )  # fmt: skip
        return self._with_its_say(world, heard)

    def again(self, world: World, known: ModelAnswered, at: float) -> ModelAnswered:
        """An earlier answer to the very same question, for this incident."""
        answered = replace(
            known, at=at, incident=self.incident.id, took_s=0.0, tokens_in=0, tokens_out=0, cost=0.0, cached=True,
            first=self.incident.found[0].slug, first_agent=self.incident.found[0].agent, causes=(), reason="",
        )  # fmt: skip
        return self._with_its_say(world, answered)

    def _blank(self, at: float) -> ModelAnswered:
        first = self.incident.found[0]
        return ModelAnswered(
            at, self.incident.id, self.provider, self.told.name, "ok", "", 0.0, 0, 0, None, self.asked.key,
            fingerprint(self.incident), first.slug, first.agent,
        )  # fmt: skip

    def _cost(self, answer: Answer) -> float | None:
        if self.told.price_in is None or self.told.price_out is None:
            return None
        return (answer.tokens_in * self.told.price_in + answer.tokens_out * self.told.price_out) / MILLION

    def _with_its_say(self, world: World, heard: ModelAnswered) -> ModelAnswered:
        """The same event with the causes as they are after it, or why it moves none."""
        now = world.incidents.get(self.incident.id)
        if now is None or now.over:
            return replace(heard, reason="over")
        if now.diagnosed_at != self.incident.diagnosed_at:
            return replace(heard, reason="outdated")
        if not lift_of(world.incidents.values()).allows:
            return replace(heard, reason="no_lift")
        chosen = _chosen(now.found, heard)
        return replace(heard, causes=moved(now.found, chosen, heard.confidence)) if chosen is not None else heard


def _chosen(causes: tuple[Cause, ...], heard: ModelAnswered) -> Cause | None:
    """What it means among these; where it does not know, that nobody does."""
    if heard.cause == UNKNOWN:
        return next((one for one in causes if one.slug == UNKNOWN), None)
    return next((one for one in causes if (one.slug, one.agent) == (heard.cause, heard.cause_agent)), None)
