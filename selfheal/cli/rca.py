"""What was the root cause of a recorded incident? No daemon is asked, and nothing is done."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from selfheal.cli.output import Cell, Tone, coloured, paint, plain, say, share, show, show_json, table
from selfheal.cli.verb import FAILED, Group, Verb, a_path, as_json, count
from selfheal.errors import SelfhealError

if TYPE_CHECKING:
    from selfheal.diagnose.changes import RankedChange
    from selfheal.diagnose.rank import Ranking, Suspect

SHOWN = 5
_VERDICTS: dict[str, Tone] = {"act": "bad", "investigate": "uneasy", "none": "good"}


def _rca(arguments: Namespace) -> int:
    """Do every folder; one that cannot be read is told, and the others are done."""
    documents, code = [], 0
    for place, folder in enumerate(arguments.dir):
        try:
            ranking, seconds = _ranked(folder)
        except SelfhealError as why:
            say(plain(str(why)))
            code = FAILED
            continue
        name = folder.resolve().name
        if arguments.json:
            documents.append(_document(name, ranking, seconds))
        else:
            show(*([""] if place else []), *_told(name, ranking, arguments.top))
    if arguments.json:
        show_json(documents)
    return code


def _ranked(folder: Path) -> tuple[Ranking, float]:
    """The ranking, and the seconds that it took without reading the files."""
    from selfheal.clock import RealClock
    from selfheal.diagnose.rank import rank
    from selfheal.recorded.case_files import read_case

    case, clock = read_case(folder), RealClock()
    began = clock.monotonic()
    return rank(case), clock.monotonic() - began


def _document(name: str, ranking: Ranking, seconds: float) -> dict[str, object]:
    return {
        "case": name,
        "services": [
            {
                "service": one.service,
                "probability": one.probability,
                "score": one.score,
                "evidence": dict(one.evidence),
            }
            for one in ranking.services
        ],
        "metrics": [{"service": one.service, "metric": one.metric, "score": one.score} for one in ranking.metrics],
        "changes": [_change(one) for one in ranking.changes],
        "verdict": ranking.verdict,
        "confidence": ranking.confidence,
        "channels": {"used": list(ranking.used), "missing": dict(ranking.missing)},
        "seconds": seconds,
    }


def _change(one: RankedChange) -> dict[str, object]:
    from selfheal.serve.times import rfc3339

    return {
        "id": one.id,
        "title": one.title,
        "service": one.service,
        "time": rfc3339(one.at) if one.title != "none" else None,
        "probability": one.probability,
        "evidence": list(one.evidence),
    }


def _told(name: str, ranking: Ranking, top: int) -> Iterator[str]:
    colour = coloured(sys.stdout)
    verdict = Cell(ranking.verdict, _VERDICTS[ranking.verdict])
    head = paint(Cell(name, "strong"), colour)
    yield f"{head}: {paint(verdict, colour)}, {share(ranking.confidence)} sure"
    if ranking.services:
        rows = [row for one in ranking.services[:top] for row in _rows(one)]
        yield from table(("SERVICE", "LIKELY", "WHY"), rows, colour)
    if ranking.changes:
        rows = [(_title(one), share(one.probability), "; ".join(one.evidence)[:160]) for one in ranking.changes[:top]]
        yield from table(("CHANGE", "LIKELY", "WHY"), rows, colour)
    for channel, needs in ranking.missing.items():
        yield paint(Cell(f"not used: {channel}, {needs}", "quiet"), colour)


def _rows(one: Suspect) -> Iterator[tuple[str, str, str]]:
    """A row for each piece of evidence; the service stands in the first."""
    first = one.service, share(one.probability)
    pieces = [f"{channel}: {words}" for channel, words in one.evidence.items()] or [""]
    for place, piece in enumerate(pieces):
        yield (*(first if not place else ("", "")), piece[:160])


def _title(one: RankedChange) -> str:
    return " ".join(filter(None, (one.id[:12], one.title)))[:80]


def _folders(parser: ArgumentParser) -> None:
    parser.add_argument("dir", type=a_path, nargs="+", metavar="DIR", help="a folder with case.json, metrics.csv, …")


def _top(parser: ArgumentParser) -> None:
    parser.add_argument("--top", type=count, default=SHOWN, metavar="N", help=f"show so many services ({SHOWN})")


GROUP = Group(
    "Recorded data",
    (
        Verb(
            "rca",
            "Which service, metric and change was the root cause of a recorded incident?",
            "rca incident-1 incident-2 --json",
            _rca,
            (_folders, _top, as_json),
        ),
    ),
)
