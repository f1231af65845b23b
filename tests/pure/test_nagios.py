"""Which numbers are read from the performance data of a plugin?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.observe.nagios import numbers, parted


@pytest.mark.parametrize(
    ("output", "text", "found"),
    [
        ("OK", "OK", {}),
        ("", "", {}),
        ("|a=1", "", {"a": 1.0}),
        (
            "DISK OK - free: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968\n/boot 68 MB |\n/boot=68MB;88;93;0;98\nb=1",
            "DISK OK - free: / 3326 MB (56%);",
            {"value": 2.643e9, "boot": 68e6, "b": 1.0},
        ),
        ("OK\nlong text\nmore | a=1\nb=2", "OK", {"a": 1.0, "b": 2.0}),
        ("OK | time=0.5s took=20ms very=7us", "OK", {"time": 0.5, "took": 0.02, "very": 7e-6}),
        (
            "OK|a=1B b=1KB c=2MB d=3TB e=1KiB f=2GiB",
            "OK",
            {"a": 1.0, "b": 1e3, "c": 2e6, "d": 3e12, "e": 1024.0, "f": 2.0**31},
        ),
        ("OK|used=81%;80:90;@10:20 requests=42c odd=3zz", "OK", {"used": 0.81, "requests": 42.0, "odd": 3.0}),
        ("OK|'C: used (it''s \"x\")'=5 'a=b'=6", "OK", {"c_used_it_s_x": 5.0, "a_b": 6.0}),
        ("OK|a=U b=1.2.3 c= d=-1e3 e=+.5 =7 f", "OK", {"d": -1000.0, "e": 0.5}),
        ("OK|A/b=1 a.b=2", "OK", {"a_b": 1.0}),
        ("OK|a=1e999", "OK", {}),
    ],
)
def test_text_and_numbers_are_told_apart(output: str, text: str, found: dict[str, float]) -> None:
    said, data = parted(output)
    assert said == text
    assert numbers(data) == pytest.approx(found)


def test_at_most_32_numbers_are_kept() -> None:
    assert list(numbers(" ".join(f"n{number}=1" for number in range(99)))) == [f"n{number}" for number in range(32)]


@given(st.text() | st.text(alphabet="|'=;% 1ae\n.-"))
def test_no_output_whatever_breaks_it(output: str) -> None:
    for name in numbers(parted(output)[1]):
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
