"""Is an incident that comes again known for what it was, also by a daemon that began since?"""

from __future__ import annotations

from pathlib import Path

from selfheal.events import Diagnosed, Signature
from tests.sim.fleets import agent
from tests.sim.rehearsal import Rehearsal, rehearse


async def fails(r: Rehearsal, why: str) -> Diagnosed:
    """The agent fails its check for a while; returns what was found first."""
    before = len(r.seen(Diagnosed))
    r.machine.outages["api"] = why
    await r.until(lambda: len(r.seen(Diagnosed)) > before)
    found = r.seen(Diagnosed)[before]
    await r.wait(60.0)
    r.machine.outages.pop("api")
    await r.all_healthy(900.0)
    await r.until(lambda: r.world.incidents[found.incident].over, within_s=900.0)
    return found


def test_what_a_person_said_of_it_is_heard_when_it_comes_again(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        first = await fails(r, "the barn has 17 cows")
        assert first.similar == ()
        await r.daemon.control.label(first.incident, "bad_configuration", "", "ada")
        other = await fails(r, "certificate expired yesterday evening")
        assert [one.key for one in other.similar] == []
        await r.crash()
        await r.boot()
        again = await fails(r, "the barn has 99 cows")
        assert [(one.key, one.cause, one.proof) for one in again.similar] == [
            (first.incident, "bad_configuration", "person")
        ]
        heard = next(one for one in again.causes if one.slug == "bad_configuration")
        assert heard.channels == ("past",)
        r.replays()

    rehearse(tmp_path, agent("api"), story)


def test_what_is_learned_of_a_signature_moves_how_much_it_is_heard(tmp_path: Path) -> None:
    """It names the wrong cause each time, as a person says; in the end it is hardly heard any more."""

    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        sign = Signature("own.cows", "locked", ("the cow is out",), 0.9)
        await r.daemon.control.teaching.add(sign, "ada")
        log = r.state_dir / "logs" / "api.log"
        log.parent.mkdir(exist_ok=True)
        shares = []
        for number in range(4):
            with log.open("a") as file:
                file.write(f"{number} the cow is out\n")
            found = await fails(r, f"{number} requests failed")
            shares += [one.probability for one in found.causes if "own.cows" in one.signs]
            await r.daemon.control.label(found.incident, "unreachable", "", "ada")
        assert shares == sorted(shares, reverse=True)
        assert len(set(shares)) == 4
        seen = r.world.knowledge.seen("own.cows", r.world.at)
        assert (round(seen.right), round(seen.wrong)) == (0, 4)

    rehearse(tmp_path, agent("api"), story)
