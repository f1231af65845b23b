"""Is a push the same at the other end, however it was cut, and is nothing else taken for one?"""

from __future__ import annotations

import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.events import DaemonStarted, encode
from selfheal.gateway import wire
from selfheal.gateway.wire import Answer, Assembly, Order, Page, Push, Result, Terms, TooLarge
from selfheal.kinds import Observation
from selfheal.ledger import replay
from selfheal.loops import LoopStats
from selfheal.vitals import AgentVitals, CheckRecord, Standing, Strangeness
from selfheal.world import codec
from tests.pure.histories import histories

SEEN = Observation("api", "http", 1.0, 0.1, "ok", "", {"latency": 0.1})
VITALS = AgentVitals(
    {"http": CheckRecord("http", True, True, 3, 1.0, SEEN, misses=(1.0, 2.0))},
    {"latency": 0.1, "rss": float("inf")},
    Standing("spare", True, 7, 1000),
    Strangeness(1.0, 0.4, "", ("rss.slope",)),
)
STARTED = DaemonStarted(1.0, "0.1.0", 1, False)
PUSH = Push(
    run="r1",
    started_at=1.0,
    number=2,
    basis=1,
    seq=9,
    events=[(9, encode(STARTED))],
    vitals={"api": VITALS},
    gone=("old",),
    loops={"heal": LoopStats(1.0, 0.1, 0.0, 3)},
    ready=True,
    trouble="the disk is full",
    terms=Terms((b"{}",), (("api", "crashed", "restart", 1.0, 2.0),), 50.0),
    metrics=Page(b"selfheal_agent_up 1\n", "text/plain"),
    results=(Result("o1", "done"),),
    sent_at=3.0,
)


@given(st.integers(1, 400), st.integers(1, 400))
def test_a_push_is_the_same_however_it_was_cut(size: int, first: int) -> None:
    assembly, packed = Assembly(), wire.pack(PUSH)
    *before, last = [wire.read_piece(body) for body in wire.cut(PUSH, packed, size, first)]
    assert [assembly.add(piece) for piece in before] == [None] * len(before)
    whole = assembly.add(last)
    assert whole == packed
    received = wire.unpack(whole)
    assert received.push == PUSH
    assert received.events == [(9, STARTED)]
    assert received.world is None


@given(histories())
def test_a_world_arrives_as_it_was_sent(history: list[object]) -> None:
    world = replay(history)  # type: ignore[arg-type]
    push = Push(run="r", started_at=1.0, number=1, basis=0, seq=3, world=list(codec.encode(world)))
    assert wire.unpack(wire.pack(push)).world == world


def test_a_piece_that_is_missing_or_of_another_push_begins_anew() -> None:
    packed = wire.pack(PUSH)
    first, second, *_ = [wire.read_piece(body) for body in wire.cut(PUSH, packed, 100, 100)]
    assembly = Assembly()
    with pytest.raises(ValueError, match="missing"):
        assembly.add(second)
    assembly.add(first)
    with pytest.raises(ValueError, match="missing"):
        assembly.add(msgspec.structs.replace(second, number=7))
    with pytest.raises(ValueError, match="missing"):
        assembly.add(second)
    assert assembly.add(first) is None


def test_what_is_larger_than_anything_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LARGEST_PACKED", 150)
    first, second, *_ = [wire.read_piece(body) for body in wire.cut(PUSH, wire.pack(PUSH), 100, 100)]
    assembly = Assembly()
    assembly.add(first)
    with pytest.raises(TooLarge):
        assembly.add(second)
    monkeypatch.setattr(wire, "LARGEST", 1000)
    with pytest.raises(TooLarge):
        wire.unpack(zlib.compress(b"0" * 1001))


@pytest.mark.parametrize("body", [b"", b"x", b"\xff" * 30, zlib.compress(b"x"), wire.pack(PUSH)[:-9], b"\x91" * 90_000])
def test_what_is_no_push_says_so(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"it |end"):
        wire.unpack(body)
    with pytest.raises(ValueError, match="no piece of a push"):
        wire.read_piece(body)
    with pytest.raises(ValueError, match="no answer"):
        wire.read_answer(body)


def test_a_push_of_another_form_is_named() -> None:
    with pytest.raises(ValueError, match="form 99, and this version reads form 1"):
        wire.unpack(wire.pack(msgspec.structs.replace(PUSH, protocol=99)))


def test_a_name_that_no_text_can_hold_costs_a_letter_and_not_the_push() -> None:
    bad = {"que\udcffue": 1.0}
    vitals = AgentVitals({"http": CheckRecord("http", last=Observation("api", "http", 1.0, 0.1, "ok", "", bad))}, bad)
    vitals = msgspec.structs.replace(vitals, strangeness=Strangeness(1.0, 0.4, "", tuple(bad)))
    received = wire.unpack(wire.pack(msgspec.structs.replace(PUSH, vitals={"api": vitals, "db": VITALS})))
    assert received.push.vitals["api"].signals == {"que?ue": 1.0}
    assert received.push.vitals["api"].strangeness == Strangeness(1.0, 0.4, "", ("que?ue",))
    assert received.push.vitals["db"] == VITALS


def test_an_answer_is_read_as_it_was_written() -> None:
    answer = Answer("r1", 3, (Order("o1", "approve", "inc-1", "the page"),))
    assert wire.read_answer(wire.write_answer(answer)) == answer
