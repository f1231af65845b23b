"""Is every record that was not touched found again, in order, whatever happened to the bytes around it?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selfheal.store.frames import Frame, Unreadable, encode, encode_hole, scan

# Payloads that try to be taken for something else: marks, parts of marks, whole frames.
AWKWARD = st.sampled_from(
    [b"\xff", b"\xffS", b"\xffSH", b"\xffSHR", b"\xffSHH", b"\xffSH\x00", b"\x00", encode(2, b"inside"), encode_hole(9)]
)
PAYLOADS = st.lists(AWKWARD | st.binary(max_size=20), max_size=5).map(b"".join)
FILES = st.lists(PAYLOADS, min_size=1, max_size=8)


def frames_of(payloads: list[bytes]) -> list[bytes]:
    return [encode(seq, payload) for seq, payload in enumerate(payloads, start=1)]


def read(data: bytes) -> list[tuple[int, bytes]]:
    return [(item.seq, item.payload) for item in scan(data) if isinstance(item, Frame)]


def untouched(frames: list[bytes], damaged: bytes, payloads: list[bytes]) -> list[tuple[int, bytes]]:
    """The records whose bytes all stand where they stood."""
    whole = []
    offset = 0
    for seq, (frame, payload) in enumerate(zip(frames, payloads, strict=True), start=1):
        if damaged[offset : offset + len(frame)] == frame:
            whole.append((seq, payload))
        offset += len(frame)
    return whole


def test_an_empty_file_holds_nothing() -> None:
    assert list(scan(b"")) == []


@given(FILES)
def test_what_was_written_is_read(payloads: list[bytes]) -> None:
    assert read(b"".join(frames_of(payloads))) == list(enumerate(payloads, start=1))


@given(FILES, st.data())
def test_a_flipped_bit_costs_that_record_and_no_other(payloads: list[bytes], data: st.DataObject) -> None:
    frames = frames_of(payloads)
    damaged = bytearray(b"".join(frames))
    bit = data.draw(st.integers(0, len(damaged) * 8 - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    found = read(bytes(damaged))
    assert found == untouched(frames, bytes(damaged), payloads)
    assert len(found) == len(payloads) - 1


@given(FILES, st.data())
def test_a_cut_at_any_byte_costs_what_is_behind_it(payloads: list[bytes], data: st.DataObject) -> None:
    frames = frames_of(payloads)
    whole = b"".join(frames)
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    assert read(cut) == untouched(frames, cut, payloads)
    torn = [item.what for item in scan(cut) if isinstance(item, Unreadable)]
    boundaries = {len(b"".join(frames[:count])) for count in range(len(frames) + 1)}
    assert torn == ([] if len(cut) in boundaries else ["torn tail"])


@given(FILES, st.data())
def test_a_range_of_zeros_costs_only_what_it_covers(payloads: list[bytes], data: st.DataObject) -> None:
    frames = frames_of(payloads)
    damaged = bytearray(b"".join(frames))
    start = data.draw(st.integers(0, len(damaged)))
    end = data.draw(st.integers(start, len(damaged)))
    damaged[start:end] = bytes(end - start)
    assert read(bytes(damaged)) == untouched(frames, bytes(damaged), payloads)


@given(st.binary(max_size=200) | FILES.map(frames_of).map(b"".join).map(lambda data: data[3:]))
def test_a_scan_covers_every_byte_once_and_never_fails(data: bytes) -> None:
    end = 0
    for item in scan(data):
        assert item.offset == end
        assert item.end > item.offset
        end = item.end
    assert end == len(data)


def test_what_is_wrong_is_said_in_plain_words() -> None:
    one, two = encode(1, b"one"), encode(2, b"two")
    flipped = one[:-1] + b"?"
    assert [item.what for item in scan(flipped + two) if isinstance(item, Unreadable)] == ["checksum does not match"]
    assert [item.what for item in scan(one + flipped) if isinstance(item, Unreadable)] == ["checksum does not match"]
    assert [item.what for item in scan(bytes(40) + two) if isinstance(item, Unreadable)] == ["unreadable bytes"]
    assert [item.what for item in scan(one + two[:5]) if isinstance(item, Unreadable)] == ["torn tail"]
