"""Does the journal give back what was written, and survive what was not?"""

from __future__ import annotations

import json
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.events import (
    EVENT_TYPES,
    AgentDeclared,
    AgentExited,
    AgentRemoved,
    Event,
    HealthChanged,
    Unknown,
    decode,
    encode,
)
from selfheal.ledger import replay
from selfheal.world import EMPTY, fold
from tests.pure.histories import EVENTS, histories

EXITED = AgentExited(10.0, "api", 3, 4711, None, 9, 12.5, expected=False, log_end=512)


@settings(max_examples=200)
@given(EVENTS)
def test_every_event_comes_back_as_it_was(event: Event) -> None:
    assert decode(encode(event)) == event


def test_what_was_written_before_checks_named_their_causes_is_still_read() -> None:
    old = {"at": 1.0, "agent": "api", "check": "http", "ok": False, "result": "failed", "reason": "", "since": 0.0}
    event = decode(json.dumps({"type": "HealthChanged", "data": old}).encode())
    assert event == HealthChanged(1.0, "api", "http", False, "failed", "", 0.0, local=False, cause="")


@settings(max_examples=100)
@given(histories())
def test_replaying_the_journal_gives_the_same_world(history: list[Event]) -> None:
    read = [event for event in map(decode, map(encode, history)) if not isinstance(event, Unknown)]
    assert reduce(fold, read, EMPTY) == reduce(fold, history, EMPTY)


@settings(max_examples=15)
@given(histories(max_size=20), st.integers(0, 20))
def test_replaying_from_any_world_on_is_replaying_from_the_beginning(history: list[Event], cut: int) -> None:
    assert replay(history[cut:], replay(history[:cut])) == replay(history)


@settings(max_examples=25)
@given(EVENTS)
def test_a_record_cut_off_anywhere_is_unknown(event: Event) -> None:
    payload = encode(event)
    assert all(isinstance(decode(payload[:end]), Unknown) for end in range(len(payload)))


@settings(max_examples=50)
@given(st.binary(max_size=60))
def test_whatever_a_record_holds_reading_it_never_raises(payload: bytes) -> None:
    assert isinstance(decode(payload), Unknown)


@settings(max_examples=30)
@given(st.sampled_from(sorted(EVENT_TYPES)), st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_a_known_type_with_data_of_another_shape_is_unknown(name: str, data: object) -> None:
    read = decode(json.dumps({"type": name, "data": data}).encode())
    assert isinstance(read, Unknown)
    assert read.type == name
    assert read.why


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"{}",
        b'{"type":"AgentRemoved"}',
        b'{"type":7,"data":{}}',
        b'{"type":"AgentRemoved","data":{"at":1.0,"agent":"\xff"}}',
        b'{"type":"AgentRemoved","data":{"at":1.0,"agent":"api"}} and more',
        b'{"type":"AgentRemoved","data":' + b"[" * 100_000,
        b'{"type":"AgentRemoved","data":{"at":1e999,"agent":"api"}}',
        b'{"type":"AgentRemoved","data":{"at":null,"agent":"api"}}',
    ],
)
def test_what_is_no_event_is_unknown_and_no_exception(payload: bytes) -> None:
    assert isinstance(decode(payload), Unknown)


def test_a_type_of_a_newer_version_is_passed_over_and_says_so() -> None:
    assert decode(b'{"type":"AgentDreamt","data":{"at":1.0}}') == Unknown("AgentDreamt", "not known to this version")


def test_a_field_that_an_older_version_did_not_write_takes_its_default() -> None:
    old = b'{"type":"AgentExited","data":{"at":10.0,"agent":"api","generation":3,"pid":4711,"code":null,"signal":9,'
    assert decode(old + b'"ran_s":12.5,"expected":false}}') == AgentExited(10.0, "api", 3, 4711, None, 9, 12.5, False)
    declared = json.loads(encode(AgentDeclared(1.0, "api", "process", "application", (), (), True, 400, 90)))
    del declared["data"]["memory_limit"], declared["data"]["fds_limit"]
    read = decode(json.dumps(declared).encode())
    assert read == AgentDeclared(1.0, "api", "process", "application", (), (), True)


def test_a_field_without_a_default_is_missed() -> None:
    record = json.loads(encode(EXITED))
    del record["data"]["generation"]
    read = decode(json.dumps(record).encode())
    assert isinstance(read, Unknown)
    assert "generation" in read.why


@settings(max_examples=40)
@given(EVENTS, st.text().filter(lambda name: name.strip() != "at"))
def test_a_field_that_a_newer_version_added_is_ignored(event: Event, name: str) -> None:
    record = json.loads(encode(event))
    record["data"] = {f"x-{name}": [1, {"deep": None}], **record["data"]}
    assert decode(json.dumps(record).encode()) == event


def test_a_word_that_the_vocabulary_does_not_have_is_unknown() -> None:
    changed = HealthChanged(1.0, "api", "http", False, "failed", "status 500", 0.5)
    assert isinstance(decode(encode(changed).replace(b'"failed"', b'"haunted"')), Unknown)


def test_records_are_lines_that_other_tools_can_read() -> None:
    payload = encode(AgentRemoved(1.0, "a\nb"))
    assert b"\n" not in payload
    assert json.loads(payload) == {"type": "AgentRemoved", "data": {"at": 1.0, "agent": "a\nb"}}
