"""Is it the agent that fails, or we?

A failure that may be our own is *inconclusive*: it counts for neither side, and the check is asked again at once. It
may be our own where the loop was held up while the answer came, where the machine was given no processor, and where
nothing answers at all: neither the target, nor others that have nothing to do with it and were well a moment ago. What
was refused, or answered wrongly, is the agent's: somebody was there to say so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence

from msgspec.structs import replace

from selfheal.clock import Clock
from selfheal.config.address import Endpoint, is_loopback
from selfheal.errors import CheckFailed
from selfheal.kinds import Observation
from selfheal.observe.canary import Canary
from selfheal.observe.wording import percent_text, span_text

# Held up for longer, or for this share of what the answer took, we are no witness of how long that was.
OWN_LAG_S = 0.25
OWN_SHARE = 0.25
# Of the time since the look before, the machine was elsewhere: what was slow then was slow because of that.
STOLEN_SHARE = 0.2
_STOLEN_OVER_S = 0.9
# Targets that are asked whether there is a network at all, and how many must be silent.
CANARIES, SILENT_LEAST = 3, 2

# Causes that a check finds by the clock.
_BY_CLOCK = frozenset({"slow", "hung"})

Weighed = Callable[[Observation], None]


class Doubt:
    """Weighs failures. `stolen` gives the seconds that the machine took from its guests, and all seconds, since boot.

    `probe_tcp` returns where something accepts at an address within a time, and raises CheckFailed else. `spawn` gives
    a task its parent, `canaries` are targets that the user names for this, `own_door` is where the daemon itself
    listens: for a target on this machine that is the other one.
    """

    def __init__(
        self,
        clock: Clock,
        probe_tcp: Callable[[str, float], Awaitable[None]],
        stolen: Callable[[], tuple[float, float]],
        spawn: Callable[[str, Coroutine[object, object, None]], object],
        canaries: Callable[[], Sequence[Endpoint]] = tuple,
        own_door: Callable[[], Sequence[Endpoint]] = tuple,
    ) -> None:
        self._clock = clock
        self._network = Canary(clock, probe_tcp, spawn, SILENT_LEAST, "the network seems lost: {} do not answer either")
        self._machine = Canary(clock, probe_tcp, spawn, 1, "selfheal cannot even reach its own door at {}")
        self._stolen = stolen
        self._canaries = canaries
        self._own_door = own_door
        self._looked_at, self._taken, self._in_all = float("-inf"), 0.0, 0.0
        self._share = 0.0

    def weigh(
        self,
        seen: Observation,
        failure: Exception,
        lag_s: float,
        target: Endpoint | None,
        others: Callable[[], Sequence[Endpoint]],
        tell: Weighed,
    ) -> None:
        """Tell the failure as it is, or as inconclusive; perhaps only when others have been asked.

        `lag_s` is how long the loop was held up meanwhile. `others` are targets of other checks that are well.
        """
        if isinstance(failure, CheckFailed) and failure.result in ("failed", "timeout"):
            own = self._own(seen, lag_s)
            if own:
                tell(_inconclusive(seen, own))
                return
            if target is not None and failure.silent:
                self._ask_others(seen, target, others, tell)
                return
        tell(seen)

    def _own(self, seen: Observation, lag_s: float) -> str:
        """Why a failure by the clock is our own; empty where it is not."""
        if seen.result != "timeout" and seen.cause not in _BY_CLOCK:
            return ""
        if lag_s > min(OWN_LAG_S, OWN_SHARE * seen.took_s) and lag_s > 0.0:
            return f"selfheal itself was held up for {span_text(lag_s)}"
        share = self._stolen_share()
        return f"{percent_text(share)} of this machine's time was taken from it" if share > STOLEN_SHARE else ""

    def _stolen_share(self) -> float:
        """The share that was taken since the look before, which is a second ago or more; 0 at the first look."""
        now = self._clock.monotonic()
        if now - self._looked_at >= _STOLEN_OVER_S:
            taken, in_all = self._stolen()
            known = self._looked_at > float("-inf") and in_all > self._in_all
            self._share = (taken - self._taken) / (in_all - self._in_all) if known else 0.0
            self._looked_at, self._taken, self._in_all = now, taken, in_all
        return self._share

    def _ask_others(
        self, seen: Observation, target: Endpoint, others: Callable[[], Sequence[Endpoint]], tell: Weighed
    ) -> None:
        def told(silence: str) -> None:
            tell(_inconclusive(seen, silence) if silence else seen)

        if is_loopback(target[0]):
            self._machine.ask(self._own_door, told)
        else:
            self._network.ask(lambda: _chosen(target, self._canaries(), others()), told)


def _chosen(target: Endpoint, canaries: Sequence[Endpoint], others: Sequence[Endpoint]) -> list[Endpoint]:
    """Some targets on other hosts than the one that failed, and on hosts of their own; not where no port is known."""
    chosen: dict[str, Endpoint] = {}
    for other in (*canaries, *others):
        if other[1] and other[0] != target[0] and not is_loopback(other[0]) and other[0] not in chosen:
            chosen[other[0]] = other
            if len(chosen) == CANARIES:
                break
    return list(chosen.values())


def _inconclusive(seen: Observation, own: str) -> Observation:
    return replace(seen, result="inconclusive", reason=f"{seen.reason}, but {own}", cause="")
