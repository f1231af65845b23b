"""What does an agent's process find in its environment?

What the daemon has, less what is the daemon's own, then the agent's `environment_file`, then its `environment`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from selfheal.config.models import Section, process_of
from selfheal.errors import ConfigInvalid, Problem, SpawnFailed

_OWN_PREFIXES = ("SELFHEAL_", "TELEGRAM_")
_OWN = frozenset(
    {
        "PORT", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "RENDER_API_KEY",
        # What systemd tells its direct child alone: an agent that spoke to it would speak for the daemon.
        "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
    }
)  # fmt: skip

_LINE = re.compile(r"(?:export\s+)?([^\s=]+)\s*=\s*(.*)")
_QUOTED = re.compile(r"""(?:'([^']*)'|"((?:[^"\\]|\\.)*)")\s*(?:#.*)?""")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


def agent_environment(daemon_environment: Mapping[str, str], agent: Section) -> dict[str, str]:
    """Return the environment of a process of `agent`, whatever its kind. Reads its environment file, as it is now.

    Raises SpawnFailed where that file cannot be used.
    """
    environment = {name: value for name, value in daemon_environment.items() if not _is_own(name)}
    process = process_of(agent)
    if process is None:
        return environment
    if process.environment_file is not None:
        try:
            environment |= read_environment_file(process.environment_file)
        except ConfigInvalid as why:
            raise SpawnFailed(f"cannot use its environment file: {why}", "bad_configuration") from why
    return environment | process.environment


def read_environment_file(path: Path) -> dict[str, str]:
    """Read lines of KEY=VALUE: comments, `export`, single quotes and double quotes with backslashes are understood.

    Raises ConfigInvalid with every line that is none of these; values, which may be secret, are not repeated.
    """
    try:
        text = path.read_text("utf-8-sig") if path.is_file() else None
    except (OSError, ValueError) as why:
        reason = why.strerror if isinstance(why, OSError) else "it is not UTF-8"
        raise ConfigInvalid((_problem(path, None, f"cannot be read: {reason}", "make it readable"),)) from why
    if text is None:
        raise ConfigInvalid((_problem(path, None, "there is no such file", "create it, or name another"),))
    read = list(_read_lines(path, text))
    problems = tuple(line for line in read if isinstance(line, Problem))
    if problems:
        raise ConfigInvalid(problems)
    return dict(line for line in read if not isinstance(line, Problem))


def _is_own(name: str) -> bool:
    return name.startswith(_OWN_PREFIXES) or name in _OWN


def _read_lines(path: Path, text: str) -> Iterator[tuple[str, str] | Problem]:
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        value = _value(match[2]) if match is not None else None
        if match is None or value is None or "\0" in stripped:
            cure = "write KEY=VALUE or KEY='VALUE', or put # before it"
            yield _problem(path, number, "this line is not KEY=VALUE", cure)
        else:
            yield match[1], value


def _value(text: str) -> str | None:
    """Take quotes and a comment off. None where a quote is not closed."""
    if text[:1] not in ("'", '"'):
        return _COMMENT.sub("", text).rstrip()
    match = _QUOTED.fullmatch(text)
    if match is None:
        return None
    if match[1] is not None:
        return match[1]
    return _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[1]), match[2])


def _problem(path: Path, line: int | None, wrong: str, right: str) -> Problem:
    return Problem(str(path), line, "environment_file", wrong, right)
