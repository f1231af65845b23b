"""How is a number written for Prometheus?

One agent's lines in one family are a form with its labels filled in, kept, and its numbers, filled in by one operation
in C when one of them has changed. The lines of samples are the same in the text format 0.0.4 and in OpenMetrics 1.0;
only the heads of families differ, so that what is kept serves both.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite, isnan
from typing import Literal

Key = str | tuple[str, ...]
"""The labels of a sample besides the agent: one as it is, none or several as a tuple."""
Numbers = Mapping[str, float] | Mapping[Key, float]
"""The samples of an agent in a family."""


@dataclass(frozen=True, slots=True)
class Family:
    """A family in which agents have their lines. `name` is without `_total`, `labels` are those after `agent`."""

    name: str
    kind: Literal["counter", "gauge"]
    documentation: str
    labels: tuple[str, ...] = ()

    def head(self, *, openmetrics: bool) -> bytes:
        """What stands before the samples, also where there are none."""
        name = self.name if openmetrics else self.sample
        return f"# HELP {name} {self.documentation}\n# TYPE {name} {self.kind}\n".encode()

    def line(self, agent: str, key: Key, number: str) -> str:
        """One sample of an agent."""
        values = (agent, key) if isinstance(key, str) else (agent, *key)
        labels = ",".join(
            f'{label}="{escaped(value)}"' for label, value in zip(("agent", *self.labels), values, strict=True)
        )
        return f"{self.sample}{{{labels}}} {number}\n"

    @property
    def sample(self) -> str:
        """The name that the samples bear."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


class Lines:
    """The lines of one agent in one family, and the numbers that they were written for."""

    __slots__ = ("_form", "_keys", "_numbers", "_text")

    def __init__(self) -> None:
        self._keys: tuple[Key, ...] = ()
        self._numbers: tuple[float, ...] = ()
        self._form = b""
        self._text = b""

    def of(self, family: Family, agent: str, numbers: Numbers) -> bytes:
        """The lines for these numbers; written anew where one is another than the last time."""
        keys, values = tuple(numbers), tuple(numbers.values())
        if keys != self._keys:
            self._keys, self._form = keys, _form(family, agent, keys)
        elif values == self._numbers:  # what is the same object is equal without a look into it
            return self._text
        self._numbers = values
        self._text = _filled(self._form, values)
        return self._text


def escaped(label: str) -> str:
    """The value of a label as it stands between its quotes."""
    return label.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def encoded(text: str) -> bytes:
    """Text in UTF-8. A peer may name a signal with half a surrogate pair: that costs a letter, not the whole page."""
    return text.encode(errors="replace")


def number(value: float) -> str:
    """A number as Go reads it, which spells the three that are none differently from Python."""
    if isfinite(value):
        return repr(float(value))
    if isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"


def _form(family: Family, agent: str, keys: Iterable[Key]) -> bytes:
    """Lines with a place for each number, which takes what repr() makes of it."""
    lines = "".join(family.line(agent, key, "\0") for key in keys)
    return encoded(lines.replace("%", "%%").replace(" \0\n", " %a\n"))


def _filled(form: bytes, values: tuple[float, ...]) -> bytes:
    """A form with its numbers: those that are finite as they are, since Python and Go write them alike."""
    floats = tuple(map(float, values))  # an int or a bool would show as such
    if isfinite(sum(floats)):  # else one of them is not, or they are huge
        return form % floats
    return form.replace(b" %a\n", b" %b\n") % tuple([number(value).encode() for value in floats])
