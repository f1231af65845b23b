"""How many probes does a second of processor give, beside clients and programs that check?

Engines and programs take turns within each round, and what is compared is what was measured in the same round.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import partial

from benchmarks.bench import attempt
from benchmarks.checks.alone import alone
from benchmarks.checks.bench import CheckBench
from benchmarks.checks.engines import ENGINES, LOOPS, WARM_UP_S, Asking
from benchmarks.checks.nginx import MODES, NEEDLE
from benchmarks.checks.peers import checking_peers
from benchmarks.report import Figures, Findings, Goal, quantile

IN_FLIGHT = 64
Found = dict[str, float]
Rounds = dict[str, dict[str, list[Found | None]]]
"""What was found by name and mode, one a round; None where it failed."""

# What is promised: ours over whom, in which mode, and at least how many times.
_PROMISES = (
    ("keep", "httpx", 100.0),
    ("keep", "aiohttp", 6.0),
    ("new", "blackbox_exporter", 6.0),
    ("new", "monit", 1.0),
    ("tls_new", "blackbox_exporter", 1.0),
)
_WORDS = {"keep": "kept connection", "new": "new connection", "tls_keep": "kept TLS", "tls_new": "new TLS"}


def engine(bench: CheckBench) -> Findings:
    rounds: Rounds = {}
    for turn in range(bench.rounds):
        for mode in MODES:
            for name, found in _round(bench, mode, f"{turn + 1} of {bench.rounds}").items():
                rounds.setdefault(name, {}).setdefault(mode, []).append(found)
    figures = {name: _figures(modes) for name, modes in rounds.items()}
    columns = {f"{mode}_per_cpu_s": f"{_WORDS[mode]}, a CPU-s" for mode in MODES}
    settings = {
        "in_flight": IN_FLIGHT, "seconds": bench.seconds, "warm_up_s": WARM_UP_S, "rounds": bench.rounds,
    }  # fmt: skip
    return Findings("Probes", {**columns, "rss_mb": "RSS MB"}, figures, settings, _goals(rounds))


def _round(bench: CheckBench, mode: str, turn: str) -> dict[str, Found | None]:
    """One measurement of each."""
    found: dict[str, Found | None] = {}
    for loop in LOOPS:
        if importlib.util.find_spec(loop) is None:
            print(f"{loop} is left out: 'pip install {loop}' brings it.", flush=True)
            continue
        for name in ENGINES:
            whole = name if loop == LOOPS[0] else f"{name} ({loop})"
            found[whole] = attempt(f"{mode}, {turn}: {whole}", partial(_ask, bench, mode, name, loop))
    for name, peer in checking_peers().items():
        if mode in peer.modes:
            found[name] = attempt(f"{mode}, {turn}: {name}", partial(peer.measure, bench.server, mode, bench.seconds))
    return found


def _ask(bench: CheckBench, mode: str, name: str, loop: str) -> Found:
    asking = Asking(name, loop, bench.server.urls(mode, IN_FLIGHT), NEEDLE, bench.seconds)
    return dict(alone("benchmarks.checks.engines", asking, bench.seconds + 20))


def _figures(modes: Mapping[str, list[Found | None]]) -> Figures:
    found: dict[str, float | None] = {}
    for mode, ones in modes.items():
        measured = [one for one in ones if one is not None]
        for key in ("per_cpu_s", "per_s"):
            found[f"{mode}_{key}"] = quantile([one[key] for one in measured], 0.5) if measured else None
    heaviest = [one["rss_mb"] for ones in modes.values() for one in ones if one is not None]
    return found | {"rss_mb": max(heaviest, default=None)}


def _goals(rounds: Rounds) -> list[Goal]:
    goals = []
    for mode, other, least in _PROMISES:
        ours, theirs = (rounds.get(name, {}).get(mode, []) for name in ("selfheal", other))
        ratios = [one["per_cpu_s"] / two["per_cpu_s"] for one, two in zip(ours, theirs, strict=False) if one and two]
        if ratios:
            goals.append(
                Goal(f"probes a CPU-second, {_WORDS[mode]}, over {other}", quantile(ratios, 0.5), least, "times", True)
            )
    return goals
