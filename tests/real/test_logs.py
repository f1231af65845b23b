"""Do log lines come out whole, in one form, without secrets, and without holding anybody up?"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog

from selfheal.telemetry.logs import Format, Level, Logs, LogStream, RollingFile, configure
from selfheal.telemetry.recent import LONGEST_LINE, RECENT_LINES, RecentLines
from selfheal.telemetry.redact import Redactor

SECRET = "hunter2-known"
PATTERN = "sk-ant-abcdefghijklmnop"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave the process's logging as it was found."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def start(stream: LogStream, form: Format = "json", level: Level = "info") -> Logs:
    return configure(level, form, Redactor([SECRET]), stream)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_its_event_and_its_facts() -> None:
    stream = io.StringIO()
    logs = start(stream)
    structlog.get_logger("selfheal.recover").info("fix.applied", agent="web", took_s=1.5)
    logs.stop()
    [line] = lines(stream)
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {
        "event": "fix.applied", "agent": "web", "took_s": 1.5, "level": "info", "logger": "selfheal.recover",
    }  # fmt: skip
    assert logs.dropped == 0


def test_the_last_lines_are_kept_as_they_went_out_for_who_asks() -> None:
    stream = io.StringIO()
    logs = start(stream)
    log = structlog.get_logger()
    log.info("first", password="swordfish")
    log.info("second", value=SECRET)
    page, cursor = logs.recent.page(10, "")
    log.info("third")
    after, end = logs.recent.page(10, cursor)
    logs.stop()
    assert [*page, *after] == stream.getvalue().splitlines()
    assert not any(secret in line for secret in ("swordfish", SECRET) for line in page)
    assert [json.loads(line)["event"] for line in after] == ["third"]
    assert logs.recent.page(10, end) == ((), end)
    assert logs.recent.page(1, "")[0] == after
    assert logs.recent.page(1, "of another life-1")[0] == after


def test_the_kept_lines_are_bounded_and_know_their_times() -> None:
    recent = RecentLines()
    for number in range(RECENT_LINES + 10):
        recent.add(float(number), f"\x1b[32mline {number}\x1b[0m")
    recent.add(9999.0, "x" * 100_000)
    lines, cursor = recent.page(RECENT_LINES, "")
    assert (len(lines), lines[0]) == (RECENT_LINES, "line 11")
    assert len(lines[-1]) == LONGEST_LINE
    assert recent.page(10, "", since=1009.0)[0] == lines[-2:]
    life = cursor.partition("-")[0]
    first, on = recent.page(2, f"{life}-5")
    assert first == ("line 11", "line 12"), "what was dropped is passed over"
    assert recent.page(1, on)[0] == ("line 13",)


def test_the_incident_in_the_context_is_on_every_line() -> None:
    stream = io.StringIO()
    logs = start(stream)
    with structlog.contextvars.bound_contextvars(incident_id="inc-7"):
        structlog.get_logger().info("own")
        logging.getLogger("library").warning("of %s", "somebody else")
    logs.stop()
    assert [(line["event"], line["incident_id"]) for line in lines(stream)] == [
        ("own", "inc-7"),
        ("of somebody else", "inc-7"),
    ]


def test_a_servers_records_take_the_same_way_and_lose_their_colours() -> None:
    stream = io.StringIO()
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler(stream))
    logs = start(stream)
    logging.getLogger("uvicorn.error").warning("started on %d", 8787, extra={"color_message": "\x1b[1m", "port": 8787})
    logs.stop()
    [line] = lines(stream)
    assert (line["event"], line["logger"], line["port"]) == ("started on 8787", "uvicorn.error", 8787)
    assert "color_message" not in line


def test_the_level_holds_for_all_and_noisy_libraries_have_their_own() -> None:
    stream = io.StringIO()
    logs = start(stream)
    structlog.get_logger().debug("no")
    logging.getLogger("library").debug("no")
    logging.getLogger("httpx").info("GET http://example.org/?token=abc")
    logging.getLogger("httpx").warning("yes")
    logs.stop()
    assert [line["event"] for line in lines(stream)] == ["yes"]


def log_secrets_everywhere() -> None:
    log = structlog.get_logger("selfheal.test")
    local = SECRET
    try:
        raise ValueError(f"refused {local} at postgres://app:hunter2-url@db/x")
    except ValueError:
        log.exception("call.failed", api_key="hunter2-key", headers={"Authorization": "Basic hunter2-basic"})
        logging.getLogger("library").exception("with %s", PATTERN, extra={"password": "hunter2-extra"})
    log.warning(f"in the event {SECRET}", steps=[{"output": f"key is {PATTERN}"}], error=OSError(f"got {SECRET}"))
    with structlog.contextvars.bound_contextvars(session_cookie="hunter2-cookie"):
        log.info("bound")


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_secret_comes_out_in_no_form(form: Format) -> None:
    stream = io.StringIO()
    logs = start(stream, form)
    log_secrets_everywhere()
    logs.stop()
    text = stream.getvalue()
    assert "hunter2" not in text
    assert "abcdefghijklmnop" not in text
    assert text.count("ValueError: refused ***") == 2
    assert "call.failed" in text


def test_a_value_that_cannot_be_shown_does_not_end_who_logs_it() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError(SECRET)

    stream = io.StringIO()
    logs = start(stream)
    structlog.get_logger("selfheal.test").info("odd", value=Broken())
    logs.stop()
    assert [line["event"] for line in lines(stream)] == ["log.unprintable"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_words_and_colours_unless_they_are_unwanted(
    no_color: str, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    stream = Terminal()
    logs = start(stream, "auto")
    structlog.get_logger().info("fix.applied", agent="web\x1b[2J")
    logs.stop()
    text = stream.getvalue()
    assert "fix.applied" in text
    assert ("\x1b[" in text) is coloured
    assert "\x1b[2J" not in text


def test_a_pipe_that_nobody_reads_holds_nobody_up_and_what_is_lost_is_counted() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        logs = start(stream)
        log = structlog.get_logger()
        logged = 12_000
        for _ in range(logged):
            log.info("storm", text="x" * 50)
        dropped = logs.dropped
        assert dropped > 0
        logs.stop(limit_s=0.05)
        unread = logs.dropped
        assert unread > dropped
        read = drain(reading, stop_after=logged - dropped)
        assert {line["event"] for line in read} == {"storm"}
    os.close(reading)


def drain(fd: int, stop_after: int) -> list[dict[str, object]]:
    with os.fdopen(os.dup(fd), "r") as pipe:
        return [json.loads(pipe.readline()) for _ in range(stop_after)]


def test_a_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        logs = start(stream)
        structlog.get_logger().info("nobody hears")
        logs.stop()
        assert logs.dropped == 1


def test_a_pipe_that_was_made_non_blocking_gets_every_line() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(writing, "w") as stream:
        logs = start(stream)
        got: list[dict[str, object]] = []
        reader = threading.Thread(target=lambda: got.extend(drain(reading, 500)))
        for number in range(500):
            structlog.get_logger().info("n", number=number, text="x" * 500)
        reader.start()
        reader.join(20)
        logs.stop()
    os.close(reading)
    assert [line["number"] for line in got] == list(range(500))
    assert logs.dropped == 0


def test_after_the_end_nothing_comes_out_past_the_redaction(capfd: pytest.CaptureFixture[str]) -> None:
    logs = start(sys.stdout)
    logs.stop()
    structlog.get_logger().error("late", token=SECRET)
    logging.getLogger("library").error(SECRET)
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_full_begins_anew_and_the_piece_before_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "demo.log"
    with closing(RollingFile(path, 1000)) as file:
        logs = start(file)
        for number in range(100):
            structlog.get_logger().info("tick", number=number)
        logs.stop()
    assert logs.dropped == 0
    pieces = [path.with_name("demo.log.1"), path]
    kept = [json.loads(line)["number"] for piece in pieces for line in piece.read_text().splitlines()]
    assert kept == list(range(kept[0], 100))
    assert sorted(tmp_path.iterdir()) == sorted(pieces)
    assert all(500 < piece.stat().st_size <= 1000 or piece == path for piece in pieces)
    assert {piece.stat().st_mode & 0o777 for piece in pieces} == {0o600}
