"""How is shown where the cause of an incident may lie, and what would help?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from selfheal.serve.models.base import Probability, Time, View


class SuspectView(View):
    """An agent that may be the cause, and what each channel has against it."""

    agent: str
    probability: Probability
    evidence: dict[str, str] = Field(examples=[{"shift": "latency rose from 0.02 to 0.9 (40.0 times its spread)"}])


class SuspectedChangeView(View):
    """Something that was changed before it began, and may be why."""

    at: Time
    agent: str
    title: str
    probability: Probability


class RankingView(View):
    """Where the cause may lie, likeliest first. What was not looked at is told, with what it would have needed."""

    at: Time
    suspects: list[SuspectView]
    none: Probability = Field(description="How likely it is none of them.")
    verdict: Literal["act", "investigate", "none"] = Field(description="Whether it is sure enough to go by.")
    used: list[str] = Field(description="The channels that had something to look at.", examples=[["shift", "budget"]])
    missing: dict[str, str] = Field(examples=[{"edge_gap": "no spans"}])
    probed: list[str] = Field(description="Agents whose checks were asked once more for it.")
    changes: list[SuspectedChangeView]


class SuggestionView(View):
    """What would help against the cause, as far as is known."""

    fix: str
    agent: str
    success: Probability | None = Field(description="Null where that was not weighed.")
    barred: str = Field(description="Why it may not be applied; empty where it may.")


class WeightsView(View):
    """How much each channel counts, as labelled incidents have taught."""

    at: Time
    channels: dict[str, tuple[float, float]] = Field(
        description="By channel: for its score, and for how far that is above everybody else's.",
        examples=[{"shift": (0.4, 1.1)}],
    )
    none: list[float] = Field(description="What speaks for none of these: the weights of circumstances.")
    labels: int = Field(description="The incidents that they were fitted to.")
    loss_before: float = Field(description="Mean log-loss of those by what was believed before.")
    loss_after: float = Field(description="The same by weights that were fitted to the others of them.")
