"""What caused a recorded incident?"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from selfheal.cli.output import Cell, say, share, show, show_json, show_table
from selfheal.cli.verb import FAILED, Group, Verb, a_path, as_json

if TYPE_CHECKING:
    from selfheal.diagnose.rank import Ranking

# In a table; --json has all of them.
_SHOWN, _METRICS_KEPT = 5, 100


def _rca(arguments: Namespace) -> int:
    from selfheal.clock import RealClock
    from selfheal.diagnose.rank import rank
    from selfheal.recorded.cases import CaseUnreadable, read_case

    clock, found, failed = RealClock(), [], False
    for folder in arguments.case:
        try:
            case = read_case(folder)
        except CaseUnreadable as why:
            say(f"cannot analyse {why}")
            failed = True
            continue
        began = clock.monotonic()
        ranking = rank(case)
        found.append((folder.resolve().name, ranking, clock.monotonic() - began))
    if arguments.json:
        show_json([_document(name, ranking, took) for name, ranking, took in found])
    else:
        for name, ranking, took in found:
            _show(name, ranking, took)
    return FAILED if failed else 0


def _document(name: str, ranking: Ranking, took_s: float) -> dict[str, object]:
    from selfheal.serve.times import rfc3339

    return {
        "case": name,
        "services": [
            {
                "service": one.service,
                "probability": round(one.probability, 6),
                "score": round(one.score, 6),
                "evidence": dict(one.evidence),
            }
            for one in ranking.services
        ],
        "metrics": [
            {"service": service, "metric": metric, "score": round(score, 6)}
            for service, metric, score in ranking.metrics[:_METRICS_KEPT]
        ],
        "changes": [
            {
                "id": one.id or None,
                "title": one.title,
                "service": one.service or None,
                "time": rfc3339(one.at),
                "probability": round(one.probability, 6),
                "evidence": list(one.evidence),
            }
            for one in ranking.changes
        ],
        "verdict": ranking.verdict,
        "confidence": round(ranking.confidence, 6),
        "channels": {"used": list(ranking.used), "missing": dict(ranking.missing)},
        "seconds": round(took_s, 6),
    }


def _show(name: str, ranking: Ranking, took_s: float) -> None:
    show(f"{name}: {ranking.verdict} ({share(ranking.confidence)}), {1000 * took_s:.0f} ms")
    show_table(("SERVICE", "PROBABILITY", "WHY"), list(_rows(ranking)), "There is no service in it.")
    if ranking.changes:
        rows = [
            (Cell(one.title[:60], "strong"), one.service, share(one.probability), "; ".join(one.evidence))
            for one in ranking.changes[:_SHOWN]
        ]
        show("")
        show_table(("CHANGE", "SERVICE", "PROBABILITY", "WHY"), rows, "")
    for channel, needed in ranking.missing.items():
        say(f"  not looked at: {channel}: {needed}")
    show("")


def _rows(ranking: Ranking) -> Iterator[tuple[Cell | str, ...]]:
    for one in ranking.services[:_SHOWN]:
        why = "; ".join(f"{channel}: {words}" for channel, words in one.evidence.items())
        yield Cell(one.service, "strong"), share(one.probability), why


def _cases(parser: ArgumentParser) -> None:
    parser.add_argument(
        "case", metavar="DIR", type=a_path, nargs="+", help="a folder with case.json, metrics.csv, logs.csv, …"
    )


GROUP = Group(
    "On recorded data",
    (
        Verb(
            "rca",
            "Which service, metric and change caused a recorded incident, by what evidence.",
            "rca incidents/2026-11-26",
            _rca,
            (_cases, as_json),
        ),
    ),
)
