"""Which incidents of the past looked like this one, and what do they say of its cause?

Nearest neighbours by the weighted Jaccard index of their tokens: the weight of what both have, of the weight of what
either has. A token weighs by its kind, and by how rare it is among all that is kept: what every incident has says
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import log

from selfheal.diagnose.look import in_words, kind_weight
from selfheal.diagnose.verdict import Vote
from selfheal.events import Fingerprint, Proof, Similar
from selfheal.world import Incident, World

# Nobody reads more of them.
MOST = 3
# Below this two incidents have their agent in common, or how they showed, and little else.
LEAST = 0.5
# How much one that looks exactly alike says of the cause: more than an exit code, less than a check that names it.
WEIGHTS: Mapping[Proof, float] = {"": 0.0, "attempts": 4.0, "person": 6.0}
# What they have in common is told by the tokens that weigh most.
COMMON = 4


class Past:
    """The incidents of the past, by their tokens. `follow` keeps it up with fingerprints that come and go."""

    def __init__(self, fingerprints: Mapping[str, Fingerprint] | None = None) -> None:
        self._known: Mapping[str, Fingerprint] = {}
        self._holding: dict[str, set[str]] = {}
        if fingerprints:
            self.follow(fingerprints)

    def follow(self, fingerprints: Mapping[str, Fingerprint]) -> Past:
        """Take over these fingerprints, and return itself."""
        before, self._known = self._known, fingerprints
        if before is fingerprints:
            return self
        for key, one in before.items():
            if fingerprints.get(key) is not one:
                for token in one.look:
                    self._holding[token].discard(key)
        for key, one in fingerprints.items():
            if before.get(key) is not one:
                for token in one.look:
                    self._holding.setdefault(token, set()).add(key)
        self._holding = {token: keys for token, keys in self._holding.items() if keys}
        return self

    def nearest(self, look: Sequence[str], but: str = "") -> tuple[Similar, ...]:
        """Return the incidents that look most like this, nearest first; the one whose key is `but` is left out."""
        found = [(self.similarity(look, self._known[key].look), key) for key in self._candidates(look)]
        near = [one for one in found if one[0] >= LEAST and one[1] != but]
        near.sort(key=lambda one: (-one[0], -self._known[one[1]].at, one[1]))
        return tuple(self._told(look, key, similarity) for similarity, key in near[:MOST])

    def similarity(self, one: Iterable[str], other: Iterable[str]) -> float:
        """How much two looks are alike, from 0 to 1."""
        mine, theirs = set(one), set(other)
        either = self._sum(mine | theirs)
        return self._sum(mine & theirs) / either if either else 0.0

    def _candidates(self, look: Sequence[str]) -> Iterator[str]:
        """Those that share enough: what two have in common is at most what one of them has."""
        shared: dict[str, float] = {}
        for token in look:
            weight = self._weight(token)
            for key in self._holding.get(token, ()):
                shared[key] = shared.get(key, 0.0) + weight
        enough = LEAST * self._sum(set(look))
        return (key for key, weight in shared.items() if weight >= enough - 1e-9)

    def _weight(self, token: str) -> float:
        """Smoothed: a token that is new weighs most, and one that all have still has the weight of its kind."""
        rarity = 1.0 + log((len(self._known) + 1) / (len(self._holding.get(token, ())) + 1))
        return kind_weight(token) * rarity

    def _sum(self, tokens: set[str]) -> float:
        return sum(self._weight(token) for token in sorted(tokens))

    def _told(self, look: Sequence[str], key: str, similarity: float) -> Similar:
        one = self._known[key]
        shared = sorted(set(look) & set(one.look), key=lambda token: (-self._weight(token), token))
        return Similar(
            key,
            round(similarity, 4),
            one.agent,
            one.at,
            one.cause,
            one.cause_agent,
            one.proof,
            one.fix,
            one.recovery_s,
            one.person,
            tuple(filter(None, map(in_words, shared)))[:COMMON],
        )


def similar(world: World, incident: Incident) -> tuple[Similar, ...]:
    """Return the incidents of the past that look like this one, by what is known of them now."""
    return Past(world.knowledge.past).nearest(incident.look, incident.id)


def remembered(near: Iterable[Similar], incident: Incident) -> Iterator[Vote]:
    """What the nearest say of the cause: one vote for each cause that was confirmed, by the one that is most alike.

    Where the cause was at another agent, that is looked at itself, and needs no memory.
    """
    voted: set[str] = set()
    for one in near:
        if one.cause in ("", "unknown", *voted) or not one.proof or one.cause_agent != one.agent:
            continue
        voted.add(one.cause)
        how = "a person said" if one.proof == "person" else f"{one.fix} helped"
        why = f"{one.key} looked like this ({one.similarity:.0%}), and was {one.cause}: {how}"
        yield Vote(one.cause, incident.agent, WEIGHTS[one.proof] * one.similarity, why, "past")
