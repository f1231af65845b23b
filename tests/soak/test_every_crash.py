"""Is nothing lost by any kill, any refusal, any power cut? All of them, where the tests take a sample."""

from __future__ import annotations

import errno

import pytest

from tests.real.crash_kills import BEFORE, all_points, kill, refuse
from tests.real.crash_program import Run
from tests.real.powerloss_histories import NOT_OURS, OURS, judged, judged_alone
from tests.real.powerloss_proof import History, prove, traced
from tests.real.test_errno_calls import ERRORS, FOR_LONG

pytestmark = pytest.mark.timeout(3600)

STATES, MOST = 4000, 400
STATES_OF_A_FAILED_SYNC = 60


def say(what: str, looked_at: int, bad: int) -> None:
    print(f"\n{what:60} {looked_at:7} {bad:5} bad", end="", flush=True)


@pytest.mark.parametrize("before", BEFORE)
def test_a_kill_at_any_system_call_loses_nothing(before: str) -> None:
    found = kill(all_points([before]))
    bad = [one for one in found if one.wrong]
    say(f"kills, before it {before}", len(found), len(bad))
    assert bad == []


@pytest.mark.parametrize("error", ERRORS, ids=lambda number: errno.errorcode[number])
@pytest.mark.parametrize("last", [0, FOR_LONG])
def test_a_refusal_at_any_system_call_loses_nothing(error: int, last: int) -> None:
    if error == errno.EINTR and last:
        pytest.skip("nothing is interrupted seven times")
    found = refuse(all_points(["nothing", "everything"]), error, last)
    bad = [one for one in found if one.wrong]
    say(f"{errno.errorcode[error]}, {last + 1} calls of a kind", len(found), len(bad))
    assert bad == []


@pytest.mark.parametrize("weak", [False, True], ids=["ordered", "weak"])
@pytest.mark.parametrize("name", OURS)
def test_a_power_cut_at_any_moment_takes_no_promise_back(name: str, weak: bool) -> None:
    make, judge = OURS[name]
    proved = prove(make(), judge, weak=weak, most=MOST, states_max=STATES)
    say(f"power cuts, {name}, {'weak' if weak else 'ordered'}", proved.states, proved.bad)
    assert proved.bad == 0, proved.examples


@pytest.mark.parametrize("call", ["fsync", "fdatasync"])
def test_a_failed_sync_and_a_power_cut_take_no_promise_back(call: str) -> None:
    every = [point for point in all_points(["nothing"]) if point.call == call]
    proofs = [
        prove(_after_refused(call, one.number), judged, weak=True, most=20, states_max=STATES_OF_A_FAILED_SYNC)
        for one in every
    ]
    say(f"power cuts, any one {call} fails", sum(one.states for one in proofs), sum(one.bad for one in proofs))
    assert [one.examples for one in proofs if one.bad] == []


@pytest.mark.parametrize("name", NOT_OURS)
def test_the_usual_ways_to_save_a_file_are_found_to_lose_it(name: str) -> None:
    proved = prove(NOT_OURS[name](), judged_alone, weak=True, most=MOST)
    say(f"power cuts, {name}: must be bad", proved.states, proved.bad)
    assert proved.bad


def _after_refused(call: str, number: int) -> History:
    return traced(lambda state: [Run(str(state), call, number, relief=number + 1)], act="error=EIO")
