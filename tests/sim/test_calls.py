"""Is a URL of the user's own called as he has written it, once, and taken back where it did not help?"""

from __future__ import annotations

from pathlib import Path

from selfheal.events import FixEnded, UndoEnded
from selfheal.kinds import HttpAnswer
from tests.sim.fleets import agent
from tests.sim.rehearsal import Rehearsal, rehearse

CALLS = (
    agent("api", more='fixes = ["mend"]')
    + """
[fixes.mend]
http = "http://ops/mend/{agent}?why={cause}"
body = '{"incident": "{incident}"}'
headers = { X-Key = "hunter22-of-ops" }
causes = ["wrong_answer"]
undo = ["put-back", "{agent}"]
"""
)
MEND = "http://ops/mend/api?why=wrong_answer"


def test_a_url_of_the_users_own_is_called_with_who_is_meant_and_why(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.outages["api"] = "old data"
        await r.until(lambda: bool(r.machine.calls.made))
        del r.machine.outages["api"]
        incident = await r.healed("api")
        assert [(one.fix, one.outcome) for one in incident.attempts] == [("mend", "succeeded")]
        (call,) = r.machine.calls.made
        assert (call.method, call.url, call.body.decode()) == ("POST", MEND, f'{{"incident": "{incident.id}"}}')
        assert r.seen(FixEnded)[0].output == "answered with status 200"

    rehearse(tmp_path, CALLS, story)


def test_any_other_answer_is_a_fix_that_failed_and_half_a_secret_is_not_shown(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.calls.answers[MEND] = HttpAnswer(500, "x" * 480 + " token=abcdefghijklmnopqrstuvwxyz0123456789")
        r.machine.outages["api"] = "old data"
        await r.until(lambda: bool(r.seen(FixEnded)))
        (end, *_) = r.seen(FixEnded)
        assert end.outcome == "failed"
        assert end.output == f"answered with status 500: {'x' * 480} token=***"
        del r.machine.outages["api"]
        await r.healed("api")

    rehearse(tmp_path, CALLS, story)


def test_a_call_that_did_not_help_is_taken_back_by_the_users_own_command(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.outages["api"] = "old data"
        await r.until(lambda: bool(r.seen(UndoEnded)))
        assert r.machine.commands_run == [("put-back", "api")]
        del r.machine.outages["api"]
        await r.healed("api")

    rehearse(tmp_path, CALLS, story)


def test_a_call_is_not_made_again_after_a_crash_that_nobody_knows_the_outcome_of(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.outages["api"] = "old data"
        await r.until(lambda: bool(r.machine.calls.made))
        await r.crash()
        await r.boot()
        await r.wait(60.0)
        assert len(r.machine.calls.made) == 1
        del r.machine.outages["api"]
        await r.all_healthy()

    rehearse(tmp_path, CALLS, story)
