"""Which lines of a log are telling: without the stacks, and with the error that ended it?"""

from __future__ import annotations

import re
from collections.abc import Sequence

# What stands between an error and the end of the log, however deep the program was: the frames of its stack.
_FRAME = re.compile(r"\s+(at |File \"|from |\.\.\. \d+ more|\^+\s*$)|goroutine \d+ |\t|Node\.js v\d|\s*[{}]?\s*$")
# How the runtimes that agents are written for print what ended them: a type that is an error, and what it says.
_RAISED = re.compile(
    r"((Caused by: |Exception in thread \"[^\"]*\" |Uncaught )?[A-Za-z_][\w.$]*(Error|Exception|Exit|Interrupt)"
    r"( \[\w+\])?(:.*)?|panic: .*|fatal error: .*|thread '.*' panicked at .*)$"
    # Or the level at which a program says that it gives up, after the time and the place where its log has them.
    r"|.{0,80}?(\b(FATAL|CRITICAL)\b|\blevel\W{1,3}(fatal|critical)\b)"
)


def telling(lines: Sequence[str]) -> tuple[str, ...]:
    """The lines without the frames of stacks, so that the last few reach back to the error itself."""
    return tuple(line for line in lines if not _FRAME.match(line))


def raised(lines: Sequence[str]) -> str | None:
    """The last line that prints an exception, as a traceback ends with, or gives up; None where there is none."""
    return next((line.strip() for line in reversed(lines) if _RAISED.match(line)), None)
