"""Who starts the daemon again when it dies, and buries what nobody else waits for?

`selfheal run --keeper`: a parent so small that nothing in it can fail, and fit to be process 1 of a container. The
verb replaces itself by this file, run as a program without site-packages and with the standard library alone: 9 MB of
memory where the verb had 15, and nothing of the daemon's loaded that could break. So it reads the clock itself.

All its signals are blocked, and it lives in one wait for them: no wake-up while nothing happens, and none is lost from
before its first line on, not even as process 1, whose signals the kernel drops where it has no handler.
"""

from __future__ import annotations

import os
import signal
import sys
import time

# What the daemon is told as well. CHLD is for us.
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_STOP = (signal.SIGTERM, signal.SIGINT)
# Blocked in a daemon that begins, and let in once it can answer: a stop that comes too early is kept, and does not
# kill it with the agents of the one before still running.
HELD_BACK = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

# Tells the daemon that it has a keeper: its pid.
VARIABLE = "SELFHEAL_KEEPER"
# What the daemon then ends with instead of 1 where it cannot even begin: somebody else holds its directory or its
# address. At the very first start that is for a person to mend; later on it may pass. (sysexits.h: EX_TEMPFAIL)
CANNOT_START = 75
_FAILED, _WRONG_USE = 1, 2

_FIRST_S, _LAST_S = 0.5, 30.0
# Who has lived so long was well: the next death is a first one.
_CALM_S = 60.0


class Pauses:
    """How long to wait before the next start: not at all at first, then longer with each death in a row, for ever."""

    def __init__(self, first_s: float = _FIRST_S, last_s: float = _LAST_S) -> None:
        self._first_s = first_s
        self._last_s = last_s
        self._next_s = 0.0

    def after(self, lived_s: float) -> float:
        """Seconds to wait now that a daemon has died which lived for `lived_s`."""
        pause_s = 0.0 if lived_s >= _CALM_S else self._next_s
        self._next_s = min(max(2 * pause_s, self._first_s), self._last_s)
        return pause_s


class Keeper:
    """Keeps one daemon alive, and is the parent of every process that has lost its own."""

    def __init__(self, command: list[str], pauses: Pauses) -> None:
        self._command = command
        self._pauses = pauses
        self._daemon = 0
        """The daemon's pid; 0 while none lives."""
        self._told_to_stop = False
        self._owed = 0
        """A stop that no daemon has been told of yet: there was none."""

    def keep(self) -> int:
        """Start the daemon again until it ends by order or cannot be used; returns the exit code to end with."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, as some callers leave it, no child could be waited for
        signal.pthread_sigmask(signal.SIG_BLOCK, (*FORWARDED, signal.SIGCHLD))
        first = True
        while True:
            began = time.monotonic()
            code = self._one_life()
            lived_s = time.monotonic() - began
            if code in {0, _WRONG_USE} or self._told_to_stop or (first and code == CANNOT_START):
                return _as_a_shell_has_it(code)
            first = False
            self._rest(f"the daemon {_how(code)} after {lived_s:.1f} s", self._pauses.after(lived_s))

    def _one_life(self) -> int:
        """Start a daemon and see it to its end; returns its exit code, negative where a signal ended it."""
        try:
            self._start()
        except OSError as why:
            _say(f"cannot start {self._command[0]!r}: {why.strerror}; see to it that it is there and can be run")
            self._told_to_stop = bool(self._owed)
            return CANNOT_START
        code = self._bury()
        while code is None:
            number = signal.sigwaitinfo((*FORWARDED, signal.SIGCHLD)).si_signo
            code = self._bury()
            self._forward(number)
        return code

    def _start(self) -> None:
        """Start it in a session of its own: what is typed at the terminal comes from us alone, and once."""
        self._daemon = os.posix_spawn(
            self._command[0],
            self._command,
            os.environ | {VARIABLE: str(os.getpid())},
            setsid=True,
            setsigmask=HELD_BACK,
        )
        if self._owed:
            self._forward(self._owed)

    def _bury(self) -> int | None:
        """Wait for every child that has ended, whoever started it; returns the daemon's exit code if it is one."""
        code = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return code
            if pid == 0:
                return code
            if pid == self._daemon:
                self._daemon = 0
                code = os.waitstatus_to_exitcode(status)

    def _forward(self, number: int) -> None:
        """Pass a signal on, once. A stop is kept for the next daemon where none lives: the agents do."""
        if number == signal.SIGCHLD:
            return
        if not self._daemon:
            self._owed = number if number in _STOP else self._owed
            return
        os.kill(self._daemon, number)  # not waited for yet, so that the pid is its own
        if number in _STOP:
            self._told_to_stop = True

    def _rest(self, what: str, pause_s: float) -> None:
        """Say what happened, and wait. A stop ends the pause: one more daemon ends in order what is still running."""
        until = time.monotonic() + pause_s
        if self._owed:
            _say(f"{what}; started once more, to stop its agents")
        else:
            _say(f"{what}; started again" + (f" in {pause_s:g} s" if pause_s else ""))
        while not self._owed and (left_s := until - time.monotonic()) > 0:
            seen = signal.sigtimedwait((*FORWARDED, signal.SIGCHLD), left_s)
            self._bury()
            if seen is not None:
                self._forward(seen.si_signo)


def _how(code: int) -> str:
    if code == CANNOT_START:
        return "could not start"
    return f"ended with {code}" if code >= 0 else f"was killed by {_name(-code)}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # one of the real-time signals, which have none
        return f"signal {number}"


def _as_a_shell_has_it(code: int) -> int:
    if code == CANNOT_START:
        return _FAILED
    return code if code >= 0 else 128 - code


def _say(text: str) -> None:
    try:
        os.write(2, f"selfheal: {text}\n".encode(errors="backslashreplace"))
    except OSError:  # nobody reads it any more; the daemon is kept all the same
        pass


if __name__ == "__main__":
    sys.exit(Keeper(sys.argv[1:], Pauses()).keep())
