"""How does a test start a server that is a program, and know that it is ready?"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def started(argv: Sequence[str], ready: str, end: signal.Signals = signal.SIGKILL) -> Iterator[str]:
    """A program that says in a line of its output that it is ready; given is that line. Sent `end` in the end."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as program:
        try:
            assert program.stdout is not None
            said = []
            for line in program.stdout:
                said.append(line)
                if ready in line:
                    break
            else:
                raise AssertionError(f"{argv[0]} ended before it was ready: {''.join(said)}")
            yield line
        finally:
            program.send_signal(end)
            program.communicate()
