"""What were the causes truly, and what is known of causes at all?"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from datetime import datetime

from selfheal.causes import CLASSES, CauseClass
from selfheal.cli.client import Document, daemon_of, path
from selfheal.cli.output import Cell, clock_time, say, share, show_json, show_table
from selfheal.cli.ranking import weights
from selfheal.cli.signatures import VERBS
from selfheal.cli.verb import Group, Verb, an_incident, as_json, named, the_daemon

_LABELS = ("INCIDENT", "AGENT", "IT SAID", "SURE", "IT WAS", "SAYS", "AT")
_CAUSES = ("CAUSE", "LAYER", "WHAT IT SAYS", "WHERE TO LOOK", "WHAT HELPS")
# All that the daemon keeps.
_MOST = 1000


def _confirm(arguments: Namespace) -> int:
    return _say(arguments, {"right": True})


def _correct(arguments: Namespace) -> int:
    truth = {"cause": arguments.cause, "agent": arguments.agent} if arguments.cause else {"right": False}
    return _say(arguments, truth)


def _say(arguments: Namespace, truth: Mapping[str, object]) -> int:
    answer = daemon_of(arguments).post(path("control", "incidents", arguments.incident, "cause"), truth)
    if arguments.json:
        show_json(answer.body.raw)
    else:
        say(answer.body.text("message"))
    return 0


def _labels(arguments: Namespace) -> int:
    answer = daemon_of(arguments).get("/observability/incidents", limit=_MOST)
    told = [one for one in answer.body.parts("items") if one.part("label").text("by")]
    if arguments.json:
        show_json([{"incident": one.text("id"), **one.part("label").raw} for one in told])
        return 0
    show_table(_LABELS, [_row(one, answer.now) for one in told], "Nobody has said of any cause whether it was right.")
    return 0


def _row(incident: Document, now: datetime) -> tuple[Cell | str, ...]:
    label = incident.part("label")
    at, right = label.moment("at"), label.flag("right")
    truth = "right" if right else label.text("cause").replace("_", " ") or "something else"
    return (
        incident.text("id"),
        Cell(incident.text("agent"), "strong"),
        label.text("said").replace("_", " "),
        share(label.number("probability") or 0.0),
        Cell(truth, "good" if right else "bad"),
        label.text("by"),
        clock_time(at, now) if at else "-",
    )


def _causes(arguments: Namespace) -> int:
    from selfheal.recover import FIXES, helping

    helps = helping(FIXES)
    if arguments.json:
        show_json([_cause(slug, one, helps.get(slug, ())) for slug, one in CLASSES.items()])
        return 0
    rows = [
        (Cell(slug, "strong"), one.layer, one.says, one.look, ", ".join(helps.get(slug, ("-",))))
        for slug, one in CLASSES.items()
    ]
    show_table(_CAUSES, rows, "")
    return 0


def _cause(slug: str, one: CauseClass, fixes: Sequence[str]) -> dict[str, object]:
    return {
        "cause": slug, "layer": one.layer, "sentence": one.says, "look": one.look,
        "cured_by_restart": one.restart_cures, "fixes": list(fixes),
    }  # fmt: skip


def _where(parser: ArgumentParser) -> None:
    parser.add_argument("--agent", default="", metavar="AGENT", help="where it was, if not at the incident's own agent")


GROUP = Group(
    "What is known of causes",
    (
        Verb(
            "kb confirm",
            "Say that the cause of an incident was found rightly.",
            "kb confirm inc-7",
            _confirm,
            (an_incident, the_daemon, as_json),
        ),
        Verb(
            "kb correct",
            "Say what the cause of an incident truly was, or only that it was not what was said.",
            "kb correct inc-7 disk_full",
            _correct,
            (
                an_incident,
                named("CAUSE", "what it was; 'selfheal kb causes' lists them", optional=True),
                _where,
                the_daemon,
                as_json,
            ),
        ),
        Verb(
            "kb labels",
            "What people have said of causes, and whether the diagnosis was right.",
            "kb labels",
            _labels,
            (the_daemon, as_json),
        ),
        Verb(
            "kb weights",
            "How much each way to look for a cause counts, where that was learned from labels.",
            "kb weights",
            weights,
            (the_daemon, as_json),
        ),
        Verb(
            "kb causes",
            "Every cause that can be named, and which fixes help.",
            "kb causes",
            _causes,
            (as_json,),
        ),
        *VERBS,
    ),
)
