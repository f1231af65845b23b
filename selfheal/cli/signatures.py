"""What is known of signs and of incidents of the past, and how is it taught, taken along and brought in?"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from selfheal.cli.client import Document, daemon_of, path
from selfheal.cli.incidents import seen_before
from selfheal.cli.output import Cell, counted, plain, say, share, show, show_json, show_table
from selfheal.cli.verb import Verb, WrongUse, an_incident, as_json, named, the_daemon
from selfheal.errors import SelfhealError

# Of a file; and of what the daemon takes in one request, where the breaks between the lines are not sent.
LARGEST, LARGEST_SENT = 4_000_000, 1_000_000
STANDARD = "-"
_SIGNATURES = ("ID", "CAUSE", "BELIEVED", "LEARNED", "RIGHT", "WRONG", "")


def _list(arguments: Namespace) -> int:
    answer = daemon_of(arguments).get(
        "/observability/kb/signatures", source=arguments.source, cause=arguments.cause, limit=1000
    )
    if arguments.json:
        show_json(answer.body.raw)
        return 0
    rows = [_row(one) for one in answer.body.parts("items")]
    show_table(_SIGNATURES, rows, "No signature is like that.")
    return 0


def _row(one: Document) -> tuple[Cell | str, ...]:
    return (
        Cell(one.text("id"), "strong"),
        one.text("cause").replace("_", " "),
        share(one.number("believed") or 0.0),
        share(one.number("precision") or 0.0),
        f"{one.number('right') or 0.0:.1f}",
        f"{one.number('wrong') or 0.0:.1f}",
        "off" if one.flag("off") else "",
    )


def _show(arguments: Namespace) -> int:
    one = daemon_of(arguments).get(path("observability", "kb", "signatures", arguments.id)).body
    if arguments.json:
        show_json(one.raw)
        return 0
    show(*(f"{label:<9} {value}" for label, value in _facts(one)))
    return 0


def _facts(one: Document) -> list[tuple[str, str]]:
    seen = f"right {one.number('right') or 0.0:.1f} times, wrong {one.number('wrong') or 0.0:.1f} times"
    precision = (
        f"{share(one.number('precision') or 0.0)} by now, believed {share(one.number('believed') or 0.0)}; {seen}"
    )
    texts = [("says", one.text("says")), ("look", one.text("look")), ("off", "yes" if one.flag("off") else "")]
    return [
        ("id", one.text("id")),
        ("cause", one.text("cause")),
        ("precision", precision),
        *(one for one in texts if one[1]),
        *(("pattern", pattern) for pattern in one.texts("patterns")),
        *(("example", line) for line in one.texts("examples")),
    ]


def _add(arguments: Namespace) -> int:
    given = {
        "id": arguments.id,
        "cause": arguments.cause,
        "patterns": arguments.pattern,
        "precision": arguments.precision,
        "says": arguments.says,
        "look": arguments.look,
        "examples": arguments.example,
    }
    return _order(arguments, given, "signatures")


def _remove(arguments: Namespace) -> int:
    return _order(arguments, None, "signatures", arguments.id, "remove")


def _restore(arguments: Namespace) -> int:
    return _order(arguments, None, "signatures", arguments.id, "restore")


def _order(arguments: Namespace, body: object, *where: str) -> int:
    answer = daemon_of(arguments).post(path("control", "kb", *where), body)
    if arguments.json:
        show_json(answer.body.raw)
    else:
        say(answer.body.text("message"))
    return 0


def _similar(arguments: Namespace) -> int:
    answer = daemon_of(arguments).get(path("observability", "incidents", arguments.incident, "similar"))
    if arguments.json:
        show_json(answer.body.raw)
        return 0
    for one in answer.body.parts("items"):
        show(f"{seen_before(one)}, at {one.text('agent')}", *(f"  {plain(text)}" for text in one.texts("common")))
    if not answer.body.parts("items"):
        say(f"Nothing that is known looks like {arguments.incident}.")
    return 0


def _export(arguments: Namespace) -> int:
    known = daemon_of(arguments).get("/observability/kb/export").body
    text = json.dumps(known.raw, indent=1, ensure_ascii=False)
    told = (
        f"{counted(len(known.parts('signatures')), 'signature')}, {counted(len(known.parts('incidents')), 'incident')}"
    )
    if arguments.file == STANDARD:
        show(text)
    else:
        try:
            Path(arguments.file).write_text(text + "\n", encoding="utf-8")
        except OSError as why:
            raise SelfhealError(f"cannot write {arguments.file!r}: {why.strerror or why}") from why
    left = f"; {known.count('left_out')} older ones had no room" if known.count("left_out") else ""
    say(f"exported {told}{left}")
    return 0


def _import(arguments: Namespace) -> int:
    return _order(arguments, _read(arguments.file), "import")


def _read(name: str) -> object:
    """What a file holds. Raises WrongUse where it cannot be what another daemon has exported."""
    try:
        with sys.stdin.buffer if name == STANDARD else Path(name).open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as why:
        raise SelfhealError(f"cannot read {name!r}: {why.strerror or why}") from why
    try:
        content: object = json.loads(data) if len(data) <= LARGEST else None
    except (ValueError, RecursionError) as why:
        raise WrongUse(
            f"cannot import {name!r}: it is no JSON ({why}); give it what 'selfheal kb export' wrote"
        ) from why
    if len(data) > LARGEST or len(json.dumps(content)) > LARGEST_SENT:
        raise WrongUse(f"cannot import {name!r}: it is larger than anything that 'selfheal kb export' writes")
    return content


def _which(parser: ArgumentParser) -> None:
    parser.add_argument("--source", metavar="S", help="only those of this source; own for those that were added here")
    parser.add_argument("--cause", metavar="C", help="only those of this cause")


def _given(parser: ArgumentParser) -> None:
    parser.add_argument("--id", required=True, metavar="ID", help="own. and a name, such as own.no_room")
    parser.add_argument("--cause", required=True, metavar="C", help="a cause; 'selfheal kb causes' lists them")
    parser.add_argument(
        "--pattern", required=True, action="append", metavar="R", help="a regular expression; again for another one"
    )
    parser.add_argument("--says", default="", metavar="TEXT", help="what it means, in a sentence")
    parser.add_argument("--look", default="", metavar="TEXT", help="where to look first")
    parser.add_argument(
        "--precision", type=_precision, default=0.9, metavar="P", help="how often that is the cause, 0.05 to 0.99 (0.9)"
    )
    parser.add_argument(
        "--example", default=[], action="append", metavar="LINE", help="a line that it has to match; again for another"
    )


def _precision(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.05 <= value <= 0.99:
        raise ArgumentTypeError(f"{text!r} is no share from 0.05 to 0.99")
    return value


_ID = named("ID", "its id; 'selfheal kb list' lists them")
_FILE = named("FILE", "a file, or - for standard output or input")
VERBS = (
    Verb(
        "kb list",
        "What in a log points at which cause, and how often that was right.",
        "kb list --cause disk_full",
        _list,
        (_which, the_daemon, as_json),
    ),
    Verb("kb show", "One signature.", "kb show own.no_room", _show, (_ID, the_daemon, as_json)),
    Verb(
        "kb add",
        "Add a signature of one's own, or replace it.",
        "kb add --id own.no_room --cause disk_full --pattern no.room.left --precision 0.8",
        _add,
        (_given, the_daemon, as_json),
    ),
    Verb(
        "kb remove",
        "Remove a signature of one's own, or switch a shipped one off.",
        "kb remove own.no_room",
        _remove,
        (_ID, the_daemon, as_json),
    ),
    Verb(
        "kb restore",
        "Switch a shipped signature on again.",
        "kb restore system.no_space",
        _restore,
        (_ID, the_daemon, as_json),
    ),
    Verb(
        "kb similar",
        "Incidents of the past that look like this one, and what helped then.",
        "kb similar inc-7",
        _similar,
        (an_incident, the_daemon, as_json),
    ),
    Verb(
        "kb export",
        "Write what another daemon can use: own signatures, counts, incidents.",
        "kb export known.json",
        _export,
        (_FILE, the_daemon),
    ),
    Verb(
        "kb import",
        "Learn what another daemon has exported; twice the same is once.",
        "kb import known.json",
        _import,
        (_FILE, the_daemon, as_json),
    ),
)
