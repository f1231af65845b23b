"""What the rules found, and what the ranking found: what follows from both?

The rules say what it is, the ranking where. Where rules know no more than that an agent does not answer, or not as it
should, and the ranking is sure that somebody on whom it depends is why, that one is named as the cause. What rules know
for certain stays as it is: the ranking takes its share only of what was vague.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from selfheal.diagnose.rank import Ranking, Suspect
from selfheal.events import Cause
from selfheal.vocabulary import DIRECT, Channel
from selfheal.world import World

# What is seen of a whom others make wait, as well as of one who is ill itself.
# That a number of it has moved, and when, is one thing seen twice. A busy neighbour has that too, and is no cause.
MOVED = frozenset({"shift", "onset"})
# What another channel has against it counts from here on: half of what is missing, say.
TELLING = 0.5
# However sure the ranking is, it is believed no more than this: what was vague stays possible.
MOST = 0.95
_SLOW, _DOWN = "slow_dependency", "dependency_down"
VAGUE = frozenset({"unreachable", "slow", "hung", "wrong_answer", "unknown", _SLOW, _DOWN})
CHANNEL: Channel = "ranking"


def joined(world: World, agent: str, causes: Sequence[Cause], ranking: Ranking) -> tuple[Cause, ...]:
    """Return the causes of an incident at `agent`, with what `ranking` says of where; their sum stays what it was."""
    found = tuple(causes)
    if not found or not is_vague(found[0], agent) or not is_sure(ranking):
        return found
    suspect = ranking.services[0]
    if suspect.service not in world.dependencies(agent):
        return found  # whoever else was first is shown, and explains nothing of this one
    sure = min(suspect.probability, MOST)
    share = sum(one.probability for one in found if is_vague(one, agent)) * sure
    slug = _slug(world, suspect.service)
    left = [_less(one, sure) if is_vague(one, agent) else one for one in found]
    same = next((one for one in left if (one.slug, one.agent) == (slug, suspect.service)), None)
    if same is None:
        return _ordered([*left, Cause(slug, share, suspect.service, _evidence(suspect), (CHANNEL,))])
    more = replace(
        same,
        probability=same.probability + share,
        evidence=(*same.evidence, *_evidence(suspect)),
        channels=tuple(dict.fromkeys((*same.channels, CHANNEL))),
    )
    return _ordered([more if one is same else one for one in left])


def is_sure(ranking: Ranking) -> bool:
    """Whether the first suspect is likely enough, by more than that something of it has moved."""
    told = (name for name, score in ranking.agree.items() if score >= TELLING)
    return ranking.verdict == "act" and not MOVED.issuperset(told)


def is_vague(cause: Cause, agent: str) -> bool:
    """Whether a cause says only how an agent looks from outside, and nothing direct stands behind it."""
    return cause.slug in VAGUE and cause.agent == agent and DIRECT.isdisjoint(cause.channels)


def _slug(world: World, suspect: str) -> str:
    known = world.agents.get(suspect)
    return _SLOW if known is not None and not known.down else _DOWN


def _less(cause: Cause, share: float) -> Cause:
    return replace(cause, probability=cause.probability * (1.0 - share))


def _evidence(suspect: Suspect) -> tuple[str, ...]:
    return tuple(f"{channel}: {words}" for channel, words in suspect.evidence.items())


def _ordered(causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """Likeliest first. Rounded, as the rules give them."""
    rounded = [replace(one, probability=round(one.probability, 4)) for one in causes]
    return tuple(sorted(rounded, key=lambda one: (-one.probability, one.slug, one.agent)))
