"""How often were language models asked, what came of it, and how much was sent and had?"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from selfheal.events import Event, ModelAnswered


class ModelMetrics:
    """The counters of questions to language models."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "selfheal_llm_requests_total", "Questions to a language model.", ("provider", "outcome"), registry=registry
        )
        self._tokens = Counter(
            "selfheal_llm_tokens_total", "Tokens sent to and had from language models.", registry=registry
        )

    def on_event(self, event: Event) -> None:
        """Count a question that went out; an earlier answer that was taken again is none."""
        if isinstance(event, ModelAnswered) and not event.cached:
            self._requests.labels(event.provider, event.outcome).inc()
            self._tokens.inc(event.tokens_in + event.tokens_out)
