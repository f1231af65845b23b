"""What may be told of the language model that helps to find causes?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Literal

from pydantic import Field, model_validator

from selfheal.config.render import may_have_a_key
from selfheal.config.section import Section
from selfheal.config.units import Count, Duration, Flag, Number

KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
URLS = {"anthropic": "ANTHROPIC_BASE_URL", "openai": "OPENAI_BASE_URL"}


class ProviderConfig(Section):
    """A model of one provider. Prices are for a million tokens, in whatever money the budget is in."""

    name: str = Field(min_length=1, max_length=100, description="The model, as its maker calls it.")
    price_in: Number | None = Field(None, ge=0, description="Of a million tokens that are sent.")
    price_out: Number | None = Field(None, ge=0, description="Of a million tokens that are had.")


class ModelConfig(Section):
    """A language model is asked where the engine is not sure of a cause, and a provider's key is in the environment."""

    enabled: Flag = Field(True, description="false: no model is asked, whatever keys there are.")
    providers: tuple[Literal["anthropic", "openai"], ...] = Field(
        ("anthropic", "openai"), min_length=1, description="Who is asked first, and who where that fails."
    )
    anthropic: ProviderConfig = Field(ProviderConfig(name="claude-sonnet-5-5"), description="Which of Anthropic's.")
    openai: ProviderConfig = Field(ProviderConfig(name="gpt-6.1-terra"), description="Which of OpenAI's.")
    timeout: Duration = Field(15.0, gt=0, le=120, description="A call that is not answered by then has failed.")
    wait: Duration = Field(4.0, le=5, description="A fix waits so long for the answer, then goes ahead without it.")
    max_tokens: Count = Field(700, ge=100, le=8000, description="The most that an answer may have.")
    tokens_per_hour: Count = Field(60_000, ge=0, description="The most that is sent and had within an hour.")
    tokens_per_day: Count = Field(300_000, ge=0, description="The most within a day.")
    money_per_hour: Number | None = Field(None, ge=0, description="The most that is spent within an hour.")
    money_per_day: Number | None = Field(None, ge=0, description="The most that is spent within a day.")

    @model_validator(mode="after")
    def _knows_prices(self) -> ModelConfig:
        if self.money_per_hour is None and self.money_per_day is None:
            return self
        for provider in self.providers:
            told: ProviderConfig = getattr(self, provider)
            if told.price_in is None or told.price_out is None:
                raise ValueError(
                    f"a budget in money needs the prices of every provider; write price_in and price_out in "
                    f"[model.{provider}], or take {provider} out of providers"
                )
        return self


def doors(environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Key and address of each provider that can be asked, by its name; an empty address is the maker's own."""
    return {
        provider: (key, environment.get(URLS[provider], "").strip())
        for provider, name in KEYS.items()
        if (key := environment.get(name, "").strip()) and not _trouble(provider, environment)
    }


def missing_for_models(config: ModelConfig, environment: Mapping[str, str]) -> Iterator[str]:
    """Say why no model is asked, or not each that there is a key for, a sentence each."""
    if not config.enabled:
        yield "model.enabled is false: causes are found by the deterministic engine alone"
    elif not any(environment.get(KEYS[provider], "").strip() for provider in config.providers):
        yield "no model key is set: causes are found by the deterministic engine alone"
    else:
        yield from filter(None, (_trouble(provider, environment) for provider in config.providers))


def _trouble(provider: str, environment: Mapping[str, str]) -> str:
    """Why a provider cannot be asked though there is a key for it; empty where it can."""
    key, url = environment.get(KEYS[provider], "").strip(), environment.get(URLS[provider], "").strip()
    if not key:
        return ""
    if not (key.isascii() and key.isprintable()) or " " in key:
        return f"{KEYS[provider]} holds what no header can carry: {provider} is not asked"
    if url and not may_have_a_key(url):
        return f"{URLS[provider]} is no address for a key: write https://…, http:// is for this machine alone"
    if find_spec(provider) is None:
        return f"{KEYS[provider]} is set and its package is not installed: run pip install 'selfheal[llm]'"
    return ""
