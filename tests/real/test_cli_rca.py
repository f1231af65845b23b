"""Does 'selfheal rca' read what people have, and say where it cannot?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from selfheal.cli import main

AT = 1_767_322_800.0  # 2026-01-02 03:00:00 in UTC


def long_form(place: Path, say: str) -> Path:
    """A case in which the processor of `stock` burns; times as `say` has them."""
    place.mkdir()
    lines = ["time,service,metric,value"]
    for minute in range(-30, 6):
        at = AT + 60 * minute
        told = {"epoch": f"{at:.0f}", "rfc": f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"}.get(
            say, f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"
        )
        burning = 0.9 if minute >= 0 else 0.2
        wobble = 0.001 * (minute % 3)
        lines += [f"{told},web,cpu,{0.3 + wobble}", f"{told},stock,cpu,{burning + wobble}", f"{told},stock,rss,"]
    (place / "metrics.csv").write_text("\n".join(lines) + "\n")
    (place / "case.json").write_text(json.dumps({"incident_time": AT}))
    return place


def wide_form(place: Path) -> Path:
    place.mkdir()
    rows = [f"{AT + 60 * minute:.0f},0.3,{0.9 if minute >= 0 else 0.2},NaN" for minute in range(-30, 6)]
    (place / "metrics.csv").write_text("\n".join(["time,web_cpu,stock_cpu_usage,stock_mem", *rows]) + "\n")
    (place / "case.json").write_text('{"incident_time": "2026-01-02T03:00:00Z", "graph": {"web": ["stock"]}}')
    (place / "notes.txt").write_text("what nobody reads")
    return place


def ranked(capsys: pytest.CaptureFixture[str], *folders: Path) -> list[dict[str, object]]:
    assert main(["rca", "--json", *map(str, folders)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, list)
    return found


def first(document: dict[str, object]) -> object:
    services = document["services"]
    assert isinstance(services, list)
    return services[0]["service"]


@pytest.mark.parametrize("say", ["epoch", "rfc", "plain"])
def test_times_are_read_in_three_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str], say: str) -> None:
    assert first(ranked(capsys, long_form(tmp_path / "case", say))[0]) == "stock"


def test_the_document_has_what_was_promised_in_the_order_of_the_folders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ranked(capsys, wide_form(tmp_path / "b"), long_form(tmp_path / "a", "rfc"))
    assert [one["case"] for one in found] == ["b", "a"]
    promised = {"case", "services", "metrics", "changes", "verdict", "confidence", "channels", "seconds"}
    assert all(set(one) == promised for one in found)
    assert [first(one) for one in found] == ["stock", "stock"]


def test_changes_are_ranked_beside_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = long_form(tmp_path / "case", "rfc")
    (place / "changes.csv").write_text('time,service,kind,title,diff,id\n2026-01-02 02:55:00,stock,deploy,"a, b",,d1\n')
    changes = ranked(capsys, place)[0]["changes"]
    assert isinstance(changes, list)
    assert {one["title"] for one in changes} == {"a, b", "none"}
    assert next(one for one in changes if one["title"] == "a, b")["time"] == "2026-01-02T02:55:00.000Z"


def test_a_person_gets_a_table_with_what_was_not_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rca", str(long_form(tmp_path / "case", "rfc"))]) == 0
    shown = capsys.readouterr().out
    assert "case: " in shown
    assert "stock" in shown
    assert "not used: edge_gap, no spans" in shown


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "metrics.csv",
            "time,service,metric,value\n2026-01-02T03:00:00Z,web,cpu,much\n",
            "metrics.csv', line 2: value",
        ),
        ("metrics.csv", "time,service,metric,value\nyesterday,web,cpu,1\n", "line 2: 'yesterday' is no time"),
        ("metrics.csv", "when,service,metric,value\n1,web,cpu,1\n", "it has no column time"),
        ("logs.csv", "time,service\n1,web\n", "it has no column message"),
        ("spans.csv", "time,trace,span,service,operation,duration_ms\n1,t,s,web,get,long\n", "duration_ms is 'long'"),
        ("case.json", "{", "line 1: it is no JSON"),
        ("case.json", "{}", "it has no incident_time"),
        ("case.json", '{"incident_time": true}', "'True' is no time"),
        ("case.json", '{"incident_time": 1, "graph": {"web": "stock"}}', "graph is no"),
    ],
)
def test_what_cannot_be_read_is_named_with_file_and_line_and_the_others_are_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, text: str, said: str
) -> None:
    good, bad = long_form(tmp_path / "good", "rfc"), long_form(tmp_path / "bad", "rfc")
    (bad / file).write_text(text)
    assert main(["rca", "--json", str(bad), str(tmp_path / "absent"), str(good)]) == 1
    shown = capsys.readouterr()
    assert said in shown.err
    assert "there is no such folder" in shown.err
    assert [one["case"] for one in json.loads(shown.out)] == ["good"]
