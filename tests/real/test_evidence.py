"""Are the lines that explain an end those of the run that ended?"""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal.compose.evidence import EVIDENCE_BYTES, EVIDENCE_LINES, lines_of_run

EARLIER, RUN, LATER = b"ZeroDivisionError: by zero\n", b"starting\nFATAL: the tax table is empty\n", b"starting\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "billing.log"
    path.write_bytes(EARLIER + RUN + LATER)
    return path


def test_what_other_runs_said_before_and_after_is_left_out(log: Path) -> None:
    end = len(EARLIER + RUN)
    assert lines_of_run(log, len(EARLIER), end) == ("starting", "FATAL: the tax table is empty")
    assert lines_of_run(log, end, 0) == ("starting",)


def test_a_run_that_said_nothing_has_no_lines(log: Path) -> None:
    assert lines_of_run(log, len(EARLIER), len(EARLIER)) == ()
    assert lines_of_run(log, log.stat().st_size, 0) == ()


def test_of_a_long_run_the_last_lines_are_read(log: Path) -> None:
    with log.open("ab") as file:
        file.write(b"x" * EVIDENCE_BYTES + b"\n")
        file.writelines(b"%d\n" % number for number in range(100))
    assert lines_of_run(log, 0, 0) == tuple(str(number) for number in range(100 - EVIDENCE_LINES, 100))


def test_where_the_log_was_cut_since_its_last_lines_are_given_as_they_are(log: Path) -> None:
    begin, end = log.stat().st_size + 1, log.stat().st_size + 50
    assert lines_of_run(log, begin, 0)[-1] == "starting"
    assert lines_of_run(log, 0, end)[-1] == "starting"
    assert lines_of_run(log, begin, end - 50)[-1] == "starting"


def test_no_log_gives_no_lines(tmp_path: Path) -> None:
    assert lines_of_run(tmp_path / "none.log", 0, 0) == ()
