"""Does 'selfheal detect' read what people have, answer row by row, and say where it cannot?"""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from selfheal.cli import main

AT = 1_767_312_000  # 2026-01-02 in UTC
SPIKE = 300


def said(at: int, form: str) -> str:
    when = datetime.fromtimestamp(at, UTC)
    return {"epoch": str(at), "rfc": f"{when:%Y-%m-%dT%H:%M:%SZ}", "plain": f"{when:%Y-%m-%d %H:%M:%S}"}[form]


def rows(count: int = 400) -> list[tuple[int, float]]:
    """A calm hourly series with a spike in it."""
    dice = Random(1)
    return [
        (AT + 3600 * place, 150.0 if place == SPIKE else round(dice.uniform(98.0, 102.0), 2)) for place in range(count)
    ]


def written(file: Path, lines: list[str], header: str = "timestamp,value") -> Path:
    file.write_text("\n".join([header, *lines]) + "\n")
    return file


def a_series(file: Path) -> Path:
    return written(file, [f"{at},{value}" for at, value in rows()])


def answered(file: Path) -> list[list[str]]:
    with file.open(newline="") as lines:
        return list(csv.reader(lines))


def alarms(table: list[list[str]]) -> list[int]:
    return [place for place, row in enumerate(table[1:]) if row[-1] == "1"]


def test_one_file_goes_to_stdout_with_its_rows_as_they_were(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = a_series(tmp_path / "cpu.csv")
    assert main(["detect", str(file)]) == 0
    shown = capsys.readouterr()
    table = list(csv.reader(shown.out.splitlines()))
    assert table[0] == ["timestamp", "value", "anomaly_score", "is_anomaly"]
    assert [row[:2] for row in table] == answered(file)
    assert alarms(table) == [SPIKE]
    assert all(0.0 <= float(row[2]) <= 1.0 for row in table[1:])
    assert shown.err == ""


def test_several_go_to_a_folder_and_a_bad_one_is_named_while_the_others_are_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [a_series(tmp_path / f"{name}.csv") for name in ("a", "b")]
    bad = written(tmp_path / "bad.csv", ["2026-01-02T00:00:00Z,1", "2026-01-02T01:00:00Z,much"])
    out = tmp_path / "new" / "found"
    assert main(["detect", str(good[0]), str(bad), str(tmp_path / "none.csv"), str(good[1]), "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert "bad.csv', line 3: value is 'much', which is no number" in said
    assert "none.csv': No such file" in said
    assert sorted(path.name for path in out.iterdir()) == ["a.csv", "b.csv"]
    assert alarms(answered(out / "b.csv")) == [SPIKE]


@pytest.mark.parametrize("form", ["epoch", "rfc", "plain"])
def test_times_are_read_in_three_forms(tmp_path: Path, form: str) -> None:
    written(tmp_path / "x.csv", [f"{said(at, form)},{value}" for at, value in rows()])
    assert main(["detect", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out")]) == 0
    assert alarms(answered(tmp_path / "out" / "x.csv")) == [SPIKE]


def test_rows_in_any_order_are_taken_by_their_times_and_come_back_as_they_stood(tmp_path: Path) -> None:
    mixed = rows()
    Random(2).shuffle(mixed)
    ordered, file = (
        a_series(tmp_path / "ordered.csv"),
        written(tmp_path / "mixed.csv", [f"{at},{value}" for at, value in mixed]),
    )
    assert main(["detect", str(ordered), str(file), "--out", str(tmp_path / "out")]) == 0
    answers = answered(tmp_path / "out" / "mixed.csv")
    assert [row[:2] for row in answers] == answered(file)
    assert sorted(answers) == sorted(answered(tmp_path / "out" / "ordered.csv"))


def test_what_was_not_measured_scores_nothing(tmp_path: Path) -> None:
    lines = [f"{at},{value}" for at, value in rows()]
    for place, cell in ((50, ""), (60, "NaN"), (70, "null"), (80, "inf")):
        lines[place] = f"{lines[place].split(',')[0]},{cell}"
    lines[90] = lines[90].split(",")[0]
    written(tmp_path / "x.csv", lines)
    assert main(["detect", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out")]) == 0
    table = answered(tmp_path / "out" / "x.csv")
    assert [table[1 + place][2:] for place in (50, 60, 70, 80, 90)] == [["0", "0"]] * 5
    assert alarms(table) == [SPIKE]


def test_several_columns_of_values_give_one_answer_a_row(tmp_path: Path) -> None:
    lines = [f"{value},{at},7" for at, value in rows()]
    written(tmp_path / "x.csv", lines, "cpu,timestamp,steady")
    assert main(["detect", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out")]) == 0
    assert alarms(answered(tmp_path / "out" / "x.csv")) == [SPIKE]


@pytest.mark.parametrize(
    ("text", "rows_there"),
    [("timestamp,value\n", 0), ("timestamp,value\n5,1\n", 1), ("timestamp,value\n5,1\n\n5,2\n", 2)],
)
def test_a_header_alone_one_row_and_equal_times_are_fine(tmp_path: Path, text: str, rows_there: int) -> None:
    (tmp_path / "x.csv").write_text(text)
    assert main(["detect", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out")]) == 0
    assert [row[2:] for row in answered(tmp_path / "out" / "x.csv")[1:]] == [["0", "0"]] * rows_there


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("timestamp\n5\n", "it has no column of values"),
        ("5,1\n6,2\n", "its first row is no header"),
        ("timestamp,value\nsoon,1\n", "line 2: 'soon' is no time"),
        ("timestamp,value\n5,1,2\n", "line 2: it has 3 cells"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    assert main(["detect", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out")]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out" / "x.csv").exists()


def test_what_cannot_be_meant_is_told_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        a_series(tmp_path / folder / "x.csv")
    one, two = str(tmp_path / "one" / "x.csv"), str(tmp_path / "two" / "x.csv")
    out = tmp_path / "out"
    for words, said in (
        ([one, two], "say where with --out DIR"),
        ([one, two, "--out", str(out)], "to one name"),
        ([one, "--out", str(tmp_path / "one")], "cannot write over"),
    ):
        assert main(["detect", *words]) == 2
        assert said in capsys.readouterr().err
    assert not out.exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("a file")
    assert main(["detect", str(a_series(tmp_path / "x.csv")), "--out", str(tmp_path / "out")]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_the_document_tells_the_one_configuration_and_the_time_of_a_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = a_series(tmp_path / "x.csv")
    assert main(["detect", str(file), "--json", "--out", str(tmp_path / "out")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["configuration"]["far"] == 3.5
    assert document["seconds_per_sample"] > 0.0
    (told,) = document["files"]
    assert (told["rows"], told["columns"], told["alarms"]) == (400, 1, 1)
    assert alarms(answered(tmp_path / "out" / "x.csv")) == [SPIKE]
