"""How is the value of a signal told to a person?"""

from __future__ import annotations

from collections.abc import Callable, Mapping


def _bytes(value: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f} B"


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if abs(value) >= 1.0 else f"{value * 1000:.3g} ms"


def _share(value: float) -> str:
    return f"{value * 100:.3g} %"


_UNITS: Mapping[str, Callable[[float], str]] = {
    "latency": _seconds,
    "rss": _bytes,
    "io_read": lambda value: f"{_bytes(value)}/s",
    "io_write": lambda value: f"{_bytes(value)}/s",
    "error_rate": _share,
    "disk": _share,
    "cpu": lambda value: f"{value:.3g} cores",
}


def amount(signal: str, value: float) -> str:
    """Return a value with its unit, where the signal is one whose unit is known; the name of its check may stand before
    its own.
    """
    told = _UNITS.get(signal.rpartition(".")[2])
    return told(value) if told is not None else f"{value:.4g}"
