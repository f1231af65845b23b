"""What may a fix do? The protocol of the hands that the daemon lends it; `compose/hands.py` is them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from pydantic import SecretStr

from selfheal.vocabulary import Limit, ServiceAct, StartReason

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A call of somebody's URL. What its headers hold is a secret. All of it is done within `timeout_s`."""

    method: str
    url: str
    headers: Mapping[str, SecretStr]
    body: bytes
    timeout_s: float


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What was answered, whatever the status; of the body the beginning, at most 64 KiB."""

    status: int
    text: str


class CallHttp(Protocol):
    """Call a URL once. Redirects are answers as others are: they are not followed."""

    async def __call__(self, call: HttpCall) -> HttpAnswer:
        """Raises FixFailed, with nothing of the call that may be secret, where there is no answer in time."""
        ...


class Hands(Protocol):
    """What a fix may do to the fleet. Every method raises FixFailed with a reason where it does not work."""

    async def restart(self, agent: str, reason: StartReason, *, hung: bool = False) -> str:
        """Stop the whole tree of the agent, start it again, return when it is ready.

        What is `hung` is soon killed; returned is the stack that it wrote before, where it can.
        """
        ...

    async def run_command(self, argv: tuple[str, ...], agent: str, timeout_s: float) -> str:
        """Run a command in the environment of the agent; returns its output."""
        ...

    async def call_http(self, call: HttpCall) -> str:
        """Call a URL; returns what it answered. Any status but one of 2xx means that it does not work."""
        ...

    async def signal(self, agent: str, signal: str) -> str:
        """Send a signal, named as in "HUP", to the main process of the agent alone, which has to catch it.

        Returns its pid in words.
        """
        ...

    async def replace(self, agent: str, *, ahead: bool = False) -> str:
        """Let what stands by take the place of a process at once, which is soon killed; return when it is ready.

        `ahead` of a failure the process is given its time to stop, and where nothing stands by another is started.
        Returns in words how it began.
        """
        ...

    async def raise_limit(self, agent: str, limit: Limit, most: int, incident: str) -> str:
        """Let an agent use half as much again, up to `most`. Done again in an incident it raises no further.

        What runs goes on where it can be told; else it is restarted.
        """
        ...

    async def lower_limits(self, agent: str, incident: str) -> str:
        """Take back what was raised in an incident. Doing it again is harmless."""
        ...

    @property
    def state_dir(self) -> Path:
        """Where our own state is: no fix touches anything in it, or what it is in."""
        ...

    def now(self) -> float:
        """Wall time, as files have it."""
        ...

    def is_well(self, agent: str) -> bool:
        """Whether the agent runs and no check of it fails."""
        ...

    async def work(self, work: Callable[[], _T]) -> _T:
        """Do what blocks, such as work on files, beside the loop; returns what it gives."""
        ...

    async def stop(self, agent: str) -> None:
        """Stop the whole tree of the agent; it is for the fix to start it again."""
        ...

    async def roll_back(self, agent: str, incident: str) -> str:
        """Put the files of its configuration back to what they were when it was last well."""
        ...

    async def roll_forward(self, agent: str, incident: str) -> str:
        """Put those files back that `roll_back` has kept aside."""
        ...

    async def scale_up(self, agent: str, most: int, incident: str) -> str:
        """Start one more instance, where there are fewer than `most`."""
        ...

    async def scale_back(self, agent: str, incident: str) -> str:
        """Go back to as many instances as there were before this incident."""
        ...

    async def hold(self, agent: str, names: Sequence[str]) -> str:
        """Stop these agents for the sake of another one; `release_writers` lets them run again."""
        ...

    async def quarantine(self, agent: str, cause: str) -> str:
        """Stop an agent until a person starts it."""
        ...

    async def start_again(self, agent: str) -> str:
        """Start what a fix has stopped."""
        ...

    async def start_stand_in(self, agent: str, to: str) -> str:
        """Let the agent `to` run, and be ready, to stand in for another."""
        ...

    async def stand_in(self, agent: str, to: str) -> str:
        """Stop an agent until a person starts it: `to` has its place."""
        ...

    async def take_back(self, agent: str, to: str) -> str:
        """Give an agent its place back from who stands in."""
        ...

    async def end_listeners(self, agent: str, port: int, *, copies: bool) -> str:
        """End what holds a port, where it is an earlier run of the agent, or with `copies` was started as that is."""
        ...

    async def back_up(self, data: str) -> str:
        """Make a backup of the data of this agent that counts: it was restored to a scratch place and proved."""
        ...

    async def hold_writers(self, data: str) -> str:
        """Stop all who may write the data of this agent, and keep them stopped until `release_writers`."""
        ...

    async def release_writers(self, data: str) -> str:
        """Let those run again who were held for this agent."""
        ...

    async def mend_data(self, data: str, how: str) -> str:
        """Make a small repair in place."""
        ...

    async def prepare_data(self, data: str, source: str, ticket: str) -> str:
        """Put sound data beside those of this agent: `source` is "salvage", the id of a backup, or "newest"."""
        ...

    async def swap_data(self, data: str, ticket: str, by: str) -> str:
        """Put what was prepared in their place; returns what was lost by it. Doing it again is harmless."""
        ...

    async def render(self, agent: str, act: ServiceAct, *, most: int = 0) -> str:
        """Do something at Render to the service that this agent is, and wait until Render says that it is done.

        `most` is how many instances there may be, where it is scaled. Returns what was done, and what of the time was
        ours and what Render's. Never done to the service that the daemon itself is.
        """
        ...
