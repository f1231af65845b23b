"""How do log lines get out, whole, redacted and without ever holding up the daemon?

Everything that is logged, by structlog or by a library through the standard one, takes the same way: rendered and
redacted where it is logged, put on a bounded queue, written by a thread. When nobody reads, lines are dropped and
counted; the event loop never waits. The last lines are kept for who asks the API.
"""

from __future__ import annotations

import logging
import os
import queue
import select
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Literal, Protocol

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from selfheal.telemetry.recent import RecentLines
from selfheal.telemetry.redact import Redactor

_LINES_MAX = 10_000  # some 5 MB; a burst of a storm fits, an unread pipe does not eat the memory
# They log every request at info, with its URL, hpack every header at debug, with a token that it may hold; uvicorn
# greets and says goodbye once for each listener.
_QUIET = ("hpack", "httpx", "httpcore", "uvicorn", "uvicorn.error", "uvicorn.access")
_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access")  # they come with handlers of their own

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]


class LogStream(Protocol):
    """The part of a text stream that is used here. One without a `fileno` is written to as it is."""

    def write(self, text: str, /) -> int: ...
    def flush(self) -> None: ...
    def fileno(self) -> int: ...
    def isatty(self) -> bool: ...


class RollingFile:
    """A log file that begins anew when it is full. The piece before it is kept as NAME.1, and no more than that."""

    def __init__(self, path: Path, max_size: int) -> None:
        self._path = path
        self._max_size = max_size
        self._size = 0
        self._file = self._begin()

    def write(self, text: str, /) -> int:
        content = text.encode("utf-8", "backslashreplace")
        if self._size and self._size + len(content) > self._max_size:
            self._path.rename(self._path.with_name(f"{self._path.name}.1"))
            full, self._file = self._file, self._begin()
            full.close()
        self._size += len(content)
        self._file.write(content)
        return len(text)

    def flush(self) -> None:
        self._file.flush()

    def fileno(self) -> int:
        raise OSError("the file behind it changes")

    def isatty(self) -> bool:
        return False

    def close(self) -> None:
        self._file.close()

    def _begin(self) -> FileIO:
        self._size = 0
        self._path.touch(mode=0o600)
        return self._path.open("wb", buffering=0)


class Logs:
    """The way out of the process. `dropped` counts the lines that nobody will read, `recent` keeps the last ones."""

    def __init__(self, outlet: _Outlet, writer: _Writer) -> None:
        self.recent = outlet.recent
        self._outlet = outlet
        self._writer = writer

    @property
    def dropped(self) -> int:
        return self._outlet.dropped + self._writer.dropped

    def stop(self, limit_s: float = 2.0) -> None:
        """Write what is queued, but wait no longer than `limit_s`. What is logged afterwards goes nowhere."""
        logging.getLogger().handlers = [logging.NullHandler()]  # with no handler at all, warnings go out unredacted
        self._writer.stop(limit_s)


def configure(level: Level, format: Format, redactor: Redactor, stream: LogStream) -> Logs:  # noqa: A002 - as in the configuration
    """Send every log line of the process to `stream`: JSON, or for people where it is a terminal.

    Replaces all handlers there are. Values bound by `structlog.contextvars`, the incident's id above all, are added.
    """
    writer = _Writer(_write_to(stream))
    outlet = _Outlet(writer)
    outlet.setFormatter(_formatter(_is_console(format, stream), _in_colour(stream), redactor))
    root = logging.getLogger()
    root.handlers = [outlet]
    for name in _UVICORN:
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    structlog.configure(
        processors=[*_facts(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a cached logger would keep the level after a reload
    )
    set_level(level)
    return Logs(outlet, writer)


def set_level(level: Level) -> None:
    """Log nothing less than this from now on."""
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.getLogger().setLevel(number)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(number))


class _Outlet(logging.Handler):
    """Renders a record and queues it. Unlike the standard QueueHandler it counts what it must drop."""

    def __init__(self, writer: _Writer) -> None:
        super().__init__()
        self.dropped = 0
        self.recent = RecentLines()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as why:  # noqa: BLE001 - a value that cannot be shown must not end who logs it
            line = f'{{"event": "log.unprintable", "logger": "{record.name}", "error": "{type(why).__name__}"}}'
        self.recent.add(record.created, line)
        if not self._writer.put(line):
            self.dropped += 1


class _Writer:
    """A thread that writes queued lines. It may hang for ever in a write; nobody waits for it."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.dropped = 0
        self._write = write
        self._lines: queue.Queue[str | None] = queue.Queue(_LINES_MAX)
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
        self._thread.start()

    def put(self, line: str) -> bool:
        """Queue a line; False where there is no room."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            return False
        return True

    def stop(self, limit_s: float) -> None:
        try:
            self._lines.put(None, timeout=limit_s)
        except queue.Full:  # nobody reads, so it is no use to wait
            limit_s = 0
        self._thread.join(limit_s)
        if self._thread.is_alive():
            self.dropped += self._lines.qsize()

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._write(f"{line}\n")
            except (OSError, ValueError):  # the reader is gone, or the stream is closed
                self.dropped += 1


def _write_to(stream: LogStream) -> Callable[[str], None]:
    """Return what writes to `stream`, past its buffer where it is a file of the system.

    A thread that hangs in a buffered stream holds its lock, and then the interpreter cannot end.
    """
    try:
        fd = stream.fileno()
    except (OSError, ValueError):  # held in memory

        def write_text(text: str) -> None:
            stream.write(text)
            stream.flush()

        return write_text

    def write_bytes(text: str) -> None:
        rest = memoryview(text.encode("utf-8", "backslashreplace"))
        while rest:
            try:
                rest = rest[os.write(fd, rest) :]
            except BlockingIOError:  # whoever shares the pipe with us may have made it non-blocking
                select.select([], [fd], [])

    return write_bytes


def _is_console(layout: Format, stream: LogStream) -> bool:
    return layout == "console" or (layout == "auto" and stream.isatty())


def _in_colour(stream: LogStream) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR")


def _facts() -> list[Processor]:
    """What every line says besides what it was given."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        _when,
    ]


_now = structlog.processors.TimeStamper(fmt="iso", utc=True)


def _when(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """An event says itself when it happened, which may be a moment before it is written down."""
    at = event.pop("at", None)
    if at is None:
        return _now(logger, method, event)
    event["timestamp"] = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return event


def _formatter(console: bool, colours: bool, redactor: Redactor) -> logging.Formatter:
    def redacted(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        masked = redactor.redact(event)
        assert isinstance(masked, dict)
        return masked

    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=colours, repr_native_str=True)
        if console
        else structlog.processors.JSONRenderer()
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_facts(), structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _without_color_message,
            structlog.processors.format_exc_info,  # as text and without local variables, before it is redacted
            redacted,
            renderer,
        ],
    )


def _without_color_message(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Drop uvicorn's second copy of its message, with escape codes in it."""
    event.pop("color_message", None)
    return event
