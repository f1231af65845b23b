"""Does nothing that was promised go with a power cut? Some of its legal states here; the soak takes all it can."""

from __future__ import annotations

from random import Random

import pytest

from tests.real.powerloss_disk import Disk, Name, Sync, SyncNames, Write
from tests.real.powerloss_histories import NOT_OURS, OURS, judged_alone
from tests.real.powerloss_proof import prove

STATES, MOST = 30, 12


@pytest.mark.parametrize("name", OURS)
def test_nothing_that_was_promised_goes_with_a_power_cut(name: str) -> None:
    make, judge = OURS[name]
    history = make()
    for weak in (False, True):
        proved = prove(history, judge, weak=weak, most=MOST, states_max=STATES)
        assert proved.bad == 0, proved.examples
        assert proved.states == STATES


@pytest.mark.parametrize("name", NOT_OURS)
def test_the_proof_can_fail(name: str) -> None:
    """The usual ways to save a file lose it, and the model finds that."""
    for weak in (False, True):
        proved = prove(NOT_OURS[name](), judged_alone, weak=weak, most=MOST)
        assert 0 < proved.bad <= proved.states


def contents(disk: Disk) -> set[bytes | None]:
    return {files.get("a") for files in disk.states(weak=True, most=1000, chance=Random(1))}


def test_what_was_waited_for_is_there_and_all_else_may_be() -> None:
    disk = Disk()
    disk.do(Name("", {"a": 1}))
    disk.do(Write(1, 0, b"x" * 600))
    torn = {b"x" * 512, b"x" * 512 + bytes(88), bytes(600), b""}
    assert contents(disk) == {None, b"x" * 600, *torn}
    disk.do(Sync(1))
    assert contents(disk) == {None, b"x" * 600}
    disk.do(SyncNames(""))
    assert contents(disk) == {b"x" * 600}


def test_a_sync_that_failed_is_not_made_good_by_one_that_succeeds() -> None:
    disk = Disk(names={"a": 1})
    disk.do(Write(1, 0, b"x"))
    disk.do(Sync(1, failed=True))
    disk.do(Sync(1))
    assert contents(disk) == {b"", b"\0", b"x"}
    disk.do(Write(1, 0, None))
    disk.do(Write(1, 0, b"x"))
    disk.do(Sync(1))
    assert contents(disk) == {b"x"}
