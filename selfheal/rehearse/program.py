"""How does a program behave that runs on a simulated machine?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Program:
    """How the program of an agent behaves.

    `starts_in_s` is until it answers, `needs` are agents it is no use without. `leak_bytes_per_s` grows its memory
    from `rss_bytes`. `missing` keeps it from being started at all. `remote` runs elsewhere: it has no process here.
    `handlers` are for the signals that it catches, by number: each is called with none. `most_files` is how many the
    machine lets it open, as it runs and when it is started anew.
    """

    starts_in_s: float = 0.1
    needs: tuple[str, ...] = ()
    rss_bytes: float = 20e6
    leak_bytes_per_s: float = 0.0
    ignores_term: bool = False
    missing: bool = False
    remote: bool = False
    dies_after_s: float | None = None
    exit_code: int = 1
    most_files: tuple[int, int] = (2**20, 2**20)
    handlers: Mapping[int, Callable[[], object]] = field(default_factory=dict)
