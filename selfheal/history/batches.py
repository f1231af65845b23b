"""What do the latest points of many signals look like as one piece of bytes?"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator, Sequence

import msgspec

from selfheal.history.columns import decode, encode
from selfheal.history.rings import Fresh

SKETCH = b"\x00sketch"
"""What follows the key of a signal in that of its sketches."""


class _Batch(msgspec.Struct, array_like=True):
    """Keys of the signals and how many points each has, deflated; the points of all of them one after the other."""

    heads: bytes
    points: bytes


class _Heads(msgspec.Struct, array_like=True):
    keys: list[bytes]
    counts: list[int]


def key_of(agent: str, signal: str) -> bytes:
    """What a signal is kept under: no agent's name holds a NUL."""
    return f"{agent}\0{signal}".encode(errors="surrogatepass")


def names_of(key: bytes) -> tuple[str, str]:
    """Agent and signal of a key."""
    agent, _, signal = key.decode(errors="surrogatepass").partition("\0")
    return agent, signal


def pack(taken: Sequence[Fresh]) -> bytes:
    """Return the points of many signals, with times rounded to milliseconds."""
    times, values = array("d"), array("d")
    for _, _, points in taken:
        times.extend([round(at, 3) for at in points[::2]])
        values.extend(points[1::2])
    heads = _Heads([key_of(agent, signal) for agent, signal, _ in taken], [len(points) // 2 for _, _, points in taken])
    return msgspec.msgpack.encode(_Batch(zlib.compress(msgspec.msgpack.encode(heads)), encode([times, values])))


def unpack(data: bytes, wanted: bytes | None = None) -> Iterator[tuple[bytes, array[float], array[float]]]:
    """Yield key, times and values of each signal, or of the one that is wanted. Raises ValueError."""
    try:
        batch = msgspec.msgpack.decode(data, type=_Batch)
        heads = msgspec.msgpack.decode(zlib.decompress(batch.heads), type=_Heads)
    except (msgspec.MsgspecError, zlib.error) as why:
        raise ValueError(f"this is no batch of points: {why}") from why
    if wanted is not None and wanted not in heads.keys:
        return
    times, values = decode(batch.points)
    begin = 0
    for key, count in zip(heads.keys, heads.counts, strict=True):
        if wanted is None or key == wanted:
            yield key, times[begin : begin + count], values[begin : begin + count]
        begin += count
