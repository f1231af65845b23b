"""What has a person been told, by which way, and how far has what comes next got?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from selfheal.events import AlertDelivered, AlertRaised, AlertsMuted

# What stands for ever, such as a damaged file, is told once: the oldest is forgotten first.
TOLD_KEPT = 500

AlertKey = tuple[str, bool]
"""The key of an alert, and whether it says that it is over."""


@dataclass(frozen=True, slots=True)
class Told:
    """Something that a person was told of, and that it is over was not.

    `since` is when that was delivered first, `at` when at last. `receipts` has each notifier that has told it, with
    what it calls what it has sent, and can change it by; empty where it cannot.
    """

    since: float
    at: float
    receipts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Post:
    """`reached` are the notifiers that are done with an alert which others still wait for; `told` is by key. Nothing
    that begins is told before `muted_until`, nor of an agent before its time in `muted`.
    """

    reached: Mapping[AlertKey, tuple[str, ...]] = field(default_factory=dict)
    told: Mapping[str, Told] = field(default_factory=dict)
    muted_until: float = 0.0
    muted: Mapping[str, float] = field(default_factory=dict)

    def quiet_until(self, agent: str) -> float:
        """Until when nothing that begins with an agent is told."""
        return max(self.muted_until, self.muted.get(agent, 0.0))


def fold_post(post: Post, event: AlertRaised | AlertDelivered | AlertsMuted) -> Post:
    """Return the post after `event`."""
    if isinstance(event, AlertsMuted):
        return _muted(post, event)
    key, told = (event.key, event.resolved), post.told
    others = {name: reached for name, reached in post.reached.items() if name != key}
    if isinstance(event, AlertRaised):
        return replace(post, reached=others)  # what takes the place of another is news to everybody
    if event.error is None and not event.resolved:
        told = _with(told, event)
    if event.outdated:
        return replace(post, told=told)
    if event.more:
        return replace(post, reached={**others, key: (*post.reached.get(key, ()), event.notifier)}, told=told)
    standing = {name: one for name, one in told.items() if not (event.resolved and name == event.key)}
    return replace(post, reached=others, told=standing)


def _muted(post: Post, event: AlertsMuted) -> Post:
    if not event.agent:
        return replace(post, muted_until=event.until)
    lasting = {agent: until for agent, until in post.muted.items() if until > event.at and agent != event.agent}
    return replace(post, muted={**lasting, event.agent: event.until} if event.until > event.at else lasting)


def _with(told: Mapping[str, Told], event: AlertDelivered) -> Mapping[str, Told]:
    known = told.get(event.key, Told(event.at, event.at))
    receipts = {**known.receipts, event.notifier: event.receipt}
    now = {**told, event.key: replace(known, at=event.at, receipts=receipts)}
    return {key: now[key] for key in [*now][-TOLD_KEPT:]}
