"""Does a daemon that is killed at any moment lose nothing that it showed, and start nothing twice?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from threading import Event, Thread

from selfheal.errors import SelfhealError
from selfheal.world import INCIDENTS_KEPT
from tests.real.daemon_process import CLOCK, SOON_S, House, Stream, house, until

ROUNDS = 20
# This share of the daemons is killed while it starts, the others at work.
EARLY, START_S, LIFE_S = 0.4, 0.2, 0.25

# Two that live on, two that crash, two whose checks say something else each time they are asked: together some
# hundred events a second. No budget, and a verification that is over at once: what is tested is the journal.
LASTING = ("calm", "steady")
FLEET = """
[guard]
attempts_per_hour = 0
verify = 0

[agents.calm]
command = ["sleep", "100000"]
[agents.steady]
command = ["sleep", "100000"]

[agents.crash]
command = ["sh", "-c", "sleep 0.1; exit 3"]
[agents.burst]
command = ["sh", "-c", "sleep 0.3; exit 4"]

[agents.flip]
kind = "service"
checks = [{ command = ["sh", "-c", "rm flip || { touch flip; exit 1; }"], interval = 0.1, fall = 1, rise = 1 }]
[agents.flop]
kind = "service"
checks = [{ command = ["sh", "-c", "rm flop || { touch flop; exit 1; }"], interval = 0.1, fall = 1, rise = 1 }]
"""


class Witness:
    """Everything that the daemons of a house have shown to its clients, and what became of it."""

    def __init__(self, place: House) -> None:
        self.events: dict[int, str] = {}
        self.incidents: set[str] = set()
        self.orders = 0
        self._house = place
        self._confirmed = 0

    @contextmanager
    def looks_on(self) -> Iterator[None]:
        """Read the stream and the list of incidents, and give orders, until the daemon is gone."""
        over, stream = Event(), Stream(self._house.port, max(self.events, default=0))
        asking = Thread(target=self._ask, args=(over,))
        asking.start()
        stream.began.wait(SOON_S)  # on a busy machine nobody would see anything of so short a life
        try:
            yield
        finally:
            over.set()
            asking.join()
            stream.join()
            self.events |= stream.told

    def _ask(self, over: Event) -> None:
        while not over.wait(0.02):
            with suppress(SelfhealError):  # it is dead, or not there yet
                self.orders += self._house.order("pause", {"agent": "calm"}).status == 200
                self.incidents |= {one.text("id") for one in self._house.incidents()}

    def confirm(self, since: int | None = None) -> None:
        """Whatever was shown is there and says the same: the events after `since`, or that are not confirmed yet."""
        begin = self._confirmed if since is None else since
        shown = {number: told for number, told in self.events.items() if number > begin}
        last = max(shown, default=begin)
        if shown:
            stream = Stream(self._house.port, begin)
            until(lambda: max(stream.told, default=0) >= last, what=lambda: (last, len(stream.told), stream.ended))
            assert {number: stream.told.get(number) for number in shown} == shown
        assert forgotten_early(self.incidents, {one.text("id") for one in self._house.incidents()}) == set()
        self._confirmed = last


def forgotten_early(shown: set[str], listed: set[str]) -> set[str]:
    """Incidents that were shown and are gone, though the list has not been full of newer or open ones."""
    numbers = sorted(int(one.removeprefix("inc-")) for one in listed)
    most_open = len(LASTING) + 4  # one of each agent
    full_from = numbers[-INCIDENTS_KEPT + most_open] if len(numbers) >= INCIDENTS_KEPT else 0
    return {one for one in shown - listed if int(one.removeprefix("inc-")) >= full_from}


def running(place: House) -> dict[str, list[int]]:
    """The processes of each agent that lead a session, as every process does that a daemon starts."""
    found: dict[str, list[int]] = {}
    for one in place.marked():
        if one.leads:
            found.setdefault(one.agent, []).append(one.run.pid)
    return found


def look(place: House, witness: Witness, living: dict[str, list[int]]) -> None:
    """After a start: nothing is lost, nothing runs twice, what lived goes on, and the daemon knows it."""
    witness.confirm()
    now = running(place)
    assert {name: pids for name, pids in now.items() if len(pids) > 1} == {}
    for name in LASTING:
        assert now[name] == living[name] == [place.pid(name)]


def one_life(place: House, witness: Witness, living: dict[str, list[int]], chance: Random) -> bool:
    """Start a daemon and kill it at some moment; returns whether that was at work, and not at the start already."""
    place.start()
    if chance.random() < EARLY:
        wait(chance.uniform(0.0, START_S))
        place.daemon.kill()
        return False
    until(lambda: place.ready, what=lambda: place.log)
    look(place, witness, living)
    with witness.looks_on():
        wait(chance.uniform(0.0, LIFE_S))
        place.daemon.kill()
    return True


def wait(seconds: float) -> None:
    end = CLOCK.monotonic() + seconds
    until(lambda: CLOCK.monotonic() > end)


def kill_again_and_again(rounds: int, seed: int = 1) -> None:
    """Kill daemons at moments that chance chooses, and look after each of them; also tests/soak does, more often."""
    chance = Random(seed)
    with house(FLEET) as place:
        witness = Witness(place)
        place.until_state("healthy", *LASTING)
        living = running(place)
        place.daemon.kill()
        at_work = sum(one_life(place, witness, living, chance) for _ in range(rounds))
        place.boot()
        look(place, witness, living)
        witness.confirm(since=0)
    assert rounds // 2 < at_work < rounds
    assert len(witness.events) > 10 * rounds
    assert len(witness.incidents) > rounds // 2
    assert witness.orders > rounds // 4  # on a busy machine some lives are too short for one


def test_twenty_kills_lose_nothing_that_was_shown_and_start_nothing_twice() -> None:
    kill_again_and_again(ROUNDS)
