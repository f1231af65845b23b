"""Does `selfheal rca` read folders of recorded incidents, in every form, and say what it cannot read?"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from selfheal.cli import main
from selfheal.diagnose.case import Series
from tests.pure.cases import AT, GRAPH, slow_db
from tests.pure.cases import series as made

Shown = pytest.CaptureFixture[str]


def write(folder: Path, **told: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "case.json").write_text(json.dumps({"incident_time": AT, **told}))
    return folder


def table(file: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    with file.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(header)
        writer.writerows(rows)


def long(folder: Path, series: Iterable[Series]) -> None:
    rows = [
        (at, one.service, one.metric, value) for one in series for at, value in zip(one.at, one.values, strict=True)
    ]
    table(folder / "metrics.csv", ("time", "service", "metric", "value"), rows)


def slow(folder: Path) -> Path:
    write(folder, alerting={"service": "web", "metric": "latency"}, graph=GRAPH)
    long(folder, made(slow_db))
    return folder


def analysed(capsys: Shown, *folders: Path, code: int = 0) -> list[dict[str, object]]:
    assert main(["rca", *map(str, folders), "--json"]) == code
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def first(case: dict[str, object]) -> object:
    services = case["services"]
    assert isinstance(services, list)
    return services[0]["service"]


def test_a_case_is_analysed_and_told_as_promised(tmp_path: Path, capsys: Shown) -> None:
    (case,) = analysed(capsys, slow(tmp_path / "slow-db"))
    assert (case["case"], first(case), case["verdict"]) == ("slow-db", "db", "act")
    assert set(case) == {
        "case", "services", "metrics", "changes", "verdict", "confidence", "channels", "seconds",
    }  # fmt: skip
    assert case["channels"] == {
        "used": ["shift", "budget"],
        "missing": {"sequence": "no logs", "edge_gap": "no spans", "slow_all": "no spans"},
    }


def test_a_column_for_each_metric_is_read_too(tmp_path: Path, capsys: Shown) -> None:
    folder, series = write(tmp_path / "wide"), made(slow_db)
    header = ["time", *(f"{one.service}_{one.metric}" for one in series)]
    rows = [[series[0].at[row], *(one.values[row] for one in series)] for row in range(len(series[0].at))]
    table(folder / "metrics.csv", header, rows)
    assert first(analysed(capsys, folder)[0]) == "db"


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S+00:00"])
def test_times_are_read_in_every_form(tmp_path: Path, capsys: Shown, form: str) -> None:
    folder = write(tmp_path / "case", incident_time=datetime.fromtimestamp(AT, UTC).strftime(form))
    rows = [
        (datetime.fromtimestamp(at, UTC).strftime(form), one.service, one.metric, value)
        for one in made(slow_db)
        for at, value in zip(one.at, one.values, strict=True)
    ]
    table(folder / "metrics.csv", ("time", "service", "metric", "value"), rows)
    assert first(analysed(capsys, folder)[0]) == "db"


def test_changes_are_ranked_with_none_in_its_place(tmp_path: Path, capsys: Shown) -> None:
    folder = slow(tmp_path / "changed")
    diff = "-pool_size = 50\n+pool_size = 2\n"
    table(
        folder / "changes.csv",
        ("time", "service", "kind", "title", "diff", "id"),
        [
            (AT - 600, "db", "commit", "tune the pool", diff, "c1"),
            (AT - 60, "web", "commit", "docs: README.md", "+x", "c2"),
        ],
    )
    (case,) = analysed(capsys, folder)
    changes = case["changes"]
    assert isinstance(changes, list)
    assert changes[0]["id"] == "c1"
    assert "none" in [one["title"] for one in changes]


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("case.json", "{", "case.json: it cannot be read as JSON"),
        ("case.json", "[]", "case.json: it is no object"),
        ("case.json", "{}", "incident_time is missing"),
        ("case.json", '{"incident_time": "soon"}', "'soon' is no time"),
        ("case.json", '{"incident_time": 1, "alerting": 5}', "alerting names no service"),
        ("case.json", '{"incident_time": 1, "graph": {"a": "b"}}', "graph is no object of lists"),
        ("metrics.csv", "time,service,metric,value\nnever,web,cpu,1\n", "metrics.csv:2: 'never' is no time"),
        ("spans.csv", "time,trace\n1,2\n", "spans.csv:1: there is no column span, service"),
    ],
)
def test_what_cannot_be_read_is_told_and_the_others_are_done(
    tmp_path: Path, capsys: Shown, file: str, text: str, words: str
) -> None:
    bad = slow(tmp_path / "bad")
    (bad / file).write_text(text)
    assert main(["rca", str(bad), str(slow(tmp_path / "good")), str(tmp_path / "none"), "--json"]) == 1
    said = capsys.readouterr()
    assert words in said.err
    assert "there is no case.json in it" in said.err
    assert [one["case"] for one in json.loads(said.out)] == ["good"]


def test_a_person_reads_what_was_found_and_what_was_not_looked_at(tmp_path: Path, capsys: Shown) -> None:
    (tmp_path / "notes.txt").write_text("not asked for")
    assert main(["rca", str(slow(tmp_path))]) == 0
    said = capsys.readouterr()
    assert "cpu_usage rose from" in said.out
    assert "not looked at: sequence: no logs" in said.err
