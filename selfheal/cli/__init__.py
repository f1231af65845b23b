"""What can be said on the command line?

`main` finds the verb, reads its arguments, runs it, and turns what went wrong into one sentence and an exit code.
"""

from __future__ import annotations

import os
import re
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from io import TextIOWrapper
from typing import TextIO

from selfheal.cli import (
    anomalies,
    config,
    control,
    data,
    detect,
    foresight,
    gateway,
    incidents,
    inspect,
    kb,
    learners,
    logs,
    rca,
    replay,
    run,
    strategies,
)
from selfheal.cli.output import StdoutUnusable, plain, say, show, to_stdout
from selfheal.cli.verb import INTERRUPTED, WRONG_USE, Group, Verb
from selfheal.errors import SelfhealError

GROUPS: tuple[Group, ...] = (
    run.GROUP,
    config.GROUP,
    inspect.GROUP,
    logs.GROUP,
    incidents.GROUP,
    kb.GROUP,
    replay.GROUP,
    strategies.GROUP,
    anomalies.GROUP,
    foresight.GROUP,
    control.GROUP,
    data.GROUP,
    rca.GROUP,
    detect.GROUP,
    learners.GROUP,
    gateway.GROUP,
)
_CODES = """\
exit codes: 0 done or healthy, 1 failed, 2 wrong use or bad configuration, 3 fleet degraded or critical (status),
4 daemon unreachable, 5 refused, 130 interrupted. 'selfheal VERB --help' shows an example of each verb.
An environment variable that is empty counts as unset."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the verb that `argv` (by default the process's) names; returns the exit code."""
    _have_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _obey(words)
        with to_stdout():
            sys.stdout.flush()
    except BrokenPipeError:
        _close_quietly()
        return 0
    except StdoutUnusable as error:
        say(str(error))
        _close_quietly()
        return error.exit_code
    return code


def _obey(words: Sequence[str]) -> int:
    try:
        return _run(words)
    except KeyboardInterrupt:
        return INTERRUPTED
    except StdoutUnusable:
        raise
    except SelfhealError as error:
        say(plain(str(error)))
        return error.exit_code


def find_verb(words: Sequence[str]) -> tuple[Verb | None, Sequence[str]]:
    """The verb that `words` begin with, the longer name first, and the words that are left."""
    verbs = {verb.name: verb for group in GROUPS for verb in group.verbs}
    for length in (2, 1):
        verb = verbs.get(" ".join(words[:length]))
        if verb is not None:
            return verb, words[length:]
    return None, words


def parser_of(verb: Verb) -> ArgumentParser:
    """The parser of one verb; the others' are not needed to run it."""
    parser = _Parser(
        prog=f"selfheal {verb.name}",
        description=verb.summary,
        epilog="\n".join([f"example:\n  selfheal {verb.example}", *_longer(verb.name)]),
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for add in verb.takes:
        add(parser)
    return parser


class _Parser(ArgumentParser):
    """The standard library's, which would not say that its help went nowhere."""

    def print_help(self, file: object = None) -> None:
        show(self.format_help().rstrip("\n"))


def _run(words: Sequence[str]) -> int:
    verb, rest = find_verb(words)
    if verb is None:
        return _without_verb(words)
    try:
        arguments = parser_of(verb).parse_args(_joined(rest))
    except SystemExit as end:  # --help, or argparse has said what is wrong
        return end.code if isinstance(end.code, int) else WRONG_USE
    return verb.run(arguments)


def _joined(words: Sequence[str]) -> list[str]:
    """Join a value that begins with a minus, as in `--until -10m`, to its option: it would be taken for one itself."""
    joined: list[str] = []
    for word in words:
        if re.fullmatch(r"-\d\S*", word, re.ASCII) and joined and re.fullmatch(r"--[a-z-]+", joined[-1]):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _without_verb(words: Sequence[str]) -> int:
    if words[:1] in (["-h"], ["--help"], ["help"]):
        show(_overview())
        return 0
    if longer := _longer(words[0]) if words[1:2] in (["-h"], ["--help"]) else []:
        show(f"usage: selfheal {words[0]} VERB [OPTIONS]", *longer)
        return 0
    if words[:1] in (["-V"], ["--version"]):
        return _run(["version"])
    if not words:
        say(_overview())
        return WRONG_USE
    say(f"cannot run 'selfheal {plain(words[0])}': {_unknown(words[0])}; 'selfheal --help' lists the verbs")
    return WRONG_USE


def _longer(word: str) -> list[str]:
    """The verbs that begin with this word and go on, as lines of a help text."""
    verbs = [verb for group in GROUPS for verb in group.verbs if verb.name.startswith(f"{word} ")]
    return ["", "verbs:", *(f"  {verb.name:<16} {verb.summary}" for verb in verbs)] if verbs else []


def _unknown(word: str) -> str:
    from difflib import get_close_matches

    names = [verb.name for group in GROUPS for verb in group.verbs]
    longer = [name for name in names if name.startswith(f"{word} ")]
    if longer:
        return "it needs one more word, one of " + ", ".join(repr(name) for name in longer)
    near = get_close_matches(word, names, n=1)
    return f"there is no such verb (did you mean {near[0]!r}?)" if near else "there is no such verb"


def _overview() -> str:
    lines = ["usage: selfheal VERB [OPTIONS]", "", "Keeps a fleet of agents alive: watches, foresees, explains, heals."]
    for group in GROUPS:
        lines += ["", f"{group.title}:"]
        lines += [f"  {verb.name:<16} {verb.summary}" for verb in group.verbs]
    return "\n".join([*lines, "", _CODES])


def _have_streams() -> None:
    """Neither a mark that the terminal's encoding lacks nor a stream that was closed shall end a verb in a traceback.

    What is written to a closed stdout fails like what is written to a full disk; and no file of ours gets its number.
    """
    if sys.stdout is None:
        sys.stdout = _stand_in(1, os.O_RDONLY)
    if sys.stderr is None:
        sys.stderr = _stand_in(2, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _stand_in(number: int, access: int) -> TextIO:
    nowhere = os.open(os.devnull, access)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)
    return open(number, "w", encoding="utf-8", closefd=False)


def _close_quietly() -> None:
    """Nobody reads any more. Give stdout another end, so that the interpreter's last flush finds one too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
