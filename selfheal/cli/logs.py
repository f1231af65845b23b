"""What did an agent, or the daemon itself, print?"""

from __future__ import annotations

import json
import select
from argparse import ArgumentParser, Namespace

from selfheal.cli.client import Answer, daemon_of
from selfheal.cli.output import plain, say, show, show_json, to_stdout
from selfheal.cli.verb import Group, Verb, WrongUse, as_json, count, named, the_daemon

# Short enough that a person sees lines come, long enough that ten who look on cost the daemon nothing.
POLL_S = 0.5
# As much as the daemon says at once; where it says so much there may be more already.
MOST_LINES = 1000


def _logs(arguments: Namespace) -> int:
    client, agent = daemon_of(arguments), arguments.agent
    if arguments.timestamps and not arguments.follow:
        raise WrongUse("cannot tell when old lines were written: agents write their logs themselves; add --follow")
    answer = client.get("/observability/logs", agent=agent, lines=arguments.lines)
    if arguments.json and not arguments.follow:
        show_json(answer.body.raw)
        return 0
    if not _lines(answer) and not arguments.follow:
        say(f"{agent or 'The daemon'} has printed nothing yet.")
    seen_at = ""  # when the lines that were there already were written nobody knows
    while True:
        _print(answer, arguments.json, seen_at)
        if not arguments.follow:
            return 0
        if len(_lines(answer)) < MOST_LINES:
            select.select((), (), (), POLL_S)
        answer = client.get("/observability/logs", agent=agent, lines=MOST_LINES, cursor=_cursor(answer))
        if arguments.timestamps:
            seen_at = answer.now.astimezone().isoformat(timespec="milliseconds")


def _cursor(answer: Answer) -> str:
    """Where the answer ends, in the daemon's words: what it sends next begins there, also after a rotation."""
    cursor = answer.body.text("cursor")
    if not cursor:
        raise WrongUse("cannot follow: this daemon does not say where its answer ends; ask again without --follow")
    return cursor


def _print(answer: Answer, as_json_lines: bool, seen_at: str) -> None:
    for line in _lines(answer):
        if as_json_lines:
            show(json.dumps({"line": line, **({"seen_at": seen_at} if seen_at else {})}, ensure_ascii=False))
        else:
            show(f"{seen_at} {plain(line)}" if seen_at else plain(line))
    with to_stdout():
        print(end="", flush=True)


def _lines(answer: Answer) -> list[str]:
    return answer.body.texts("items")


def _how_much(parser: ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what is printed from now on")
    parser.add_argument(
        "-t",
        "--timestamps",
        action="store_true",
        help="with --follow: put before each new line when it was seen; of older ones that is not known",
    )
    parser.add_argument(
        "-n", "--lines", type=count, default=50, metavar="N", help="begin with the last N lines, of 1000 at most (50)"
    )


GROUP = Group(
    "What they print",
    (
        Verb(
            "logs",
            "What an agent printed; -f follows it, one JSON object a line with --json.",
            "logs api -f -n 20",
            _logs,
            (
                named("AGENT", "whose output; by default the daemon's own", optional=True),
                _how_much,
                the_daemon,
                as_json,
            ),
        ),
    ),
)
