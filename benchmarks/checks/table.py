"""What do the latest results about checking say, in the words of the README?"""

from __future__ import annotations

from benchmarks.checks.engines import ENGINES
from benchmarks.checks.peers import CHECKING_PEERS
from benchmarks.kept import Figures, Row, goals, grid, number, read, taken

_PARTS = ("engine", "pipeline", "thousands", "dead")
_ROWS = {
    "keep": "kept connection",
    "new": "new connection for each",
    "tls_keep": "kept TLS connection",
    "tls_new": "new TLS connection for each",
}


def checking_table() -> str:
    """The lines between the marks: what was measured, then each goal that was missed."""
    found = {part: read(f"checks_{part}") for part in _PARTS}
    probes = found["engine"].figures
    rows = [Row(what, probes, (f"{mode}_per_cpu_s",)) for mode, what in _ROWS.items()]
    rows.append(Row("memory, MB", probes, ("rss_mb",)))
    shown = [name for name in (*ENGINES, *(peer.name for peer in CHECKING_PEERS)) if name in probes]
    told = (_pipeline(found["pipeline"].figures), _thousands(found["thousands"].figures), _dead(found["dead"].figures))
    said = " ".join([*told, goals(found.values())])
    return "\n".join([*grid(rows, shown), "", taken(found.values()), "", said, ""])


def _pipeline(figures: Figures) -> str:
    kept, new = (number(figures[mode]["per_cpu_s"]) for mode in ("keep", "new"))
    return f"A whole check, four conditions and all that follows: {kept} over kept connections, {new} over new ones."


def _thousands(figures: Figures) -> str:
    found = {key: number(value) for key, value in figures["selfheal"].items()}
    return (
        f"10,000 checks each ten seconds take {found['cpu_percent']} % of a processor and {found['pss_mb']} MB, begin "
        f"{found['late_p50_ms']} / {found['late_p99_ms']} / {found['late_max_ms']} ms late (p50 / p99 / max), and were "
        f"all asked once after {found['first_round_s']} s."
    )


def _dead(figures: Figures) -> str:
    alone, among = (
        {key: number(value) for key, value in figures[name].items()} for name in ("alone", "among the dead")
    )
    return (
        f"1,000 good targets, alone and then among 1,000 dead ones: all asked once after {alone['first_round_s']} and "
        f"{among['first_round_s']} s, answered in {alone['took_p99_ms']} and {among['took_p99_ms']} ms (p99), and "
        f"{alone['later_p99_ms']} and {among['later_p99_ms']} ms late (p99, once it is known who is dead)."
    )
