"""When did an agent last say that it is alive? By touching its file, or by a call to the API."""

from __future__ import annotations

from pathlib import Path

from selfheal.clock import Clock
from selfheal.compose.fleet import heartbeat_file


class Heartbeats:
    """The last beat of each agent, wall time."""

    def __init__(self, state_dir: Path, clock: Clock) -> None:
        self._state_dir = state_dir
        self._clock = clock
        self._called: dict[str, float] = {}

    def beat(self, agent: str) -> None:
        """The agent called."""
        self._called[agent] = self._clock.now()

    def forget(self, agent: str) -> None:
        """Nobody of this name is there any more."""
        self._called.pop(agent, None)

    def last(self, agent: str) -> float | None:
        """The later of its latest call and the latest touch of its file; None where there was neither."""
        try:
            touched = self._clock.of_file(heartbeat_file(self._state_dir, agent).stat().st_mtime)
        except OSError:
            return self._called.get(agent)
        return max(touched, self._called.get(agent, touched))
