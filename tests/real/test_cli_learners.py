"""Do backtest, train and predict read what people have, and say what they found?"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from selfheal import recorded
from selfheal.cli import main
from selfheal.predict.simulated import fleet
from selfheal.recorded.fleet_files import read_fleet

AT = 1_767_312_000  # 2026-01-02 in UTC
HOUR = 3600
FIGURES = {
    "event_recall", "precision", "false_alarms_per_agent_day", "false_positive_rate", "median_lead_seconds", "accuracy",
    "brier", "ece", "counts", "intervals",
}  # fmt: skip
SAID = {"agent", "timestamp", "mode", "probability", "eta_seconds", "eta_low", "eta_high"}


def moment(at: float, form: str) -> str:
    when = datetime.fromtimestamp(at, UTC)
    return {"epoch": f"{at:.0f}", "rfc": f"{when:%Y-%m-%dT%H:%M:%SZ}", "plain": f"{when:%Y-%m-%d %H:%M:%S}"}[form]


def memory(agent: int, since: float, dice: Random) -> float:
    """Every other agent leaks for eight hours, fails, and begins anew; the others warm up and stay."""
    noise = dice.gauss(0.0, 2.0)
    if agent % 2:
        return 100.0 + 400.0 * ((since + agent * HOUR) % (8 * HOUR)) / (8 * HOUR) + noise
    return 100.0 + min(250.0, 250.0 * since / HOUR) + noise


def a_fleet(folder: Path, form: str = "epoch", agents: int = 6, hours: int = 48, failing: bool = True) -> Path:
    signals, failures = ["agent,timestamp,rss"], ["agent,timestamp,mode"]
    for agent in range(agents):
        dice = Random(agent)
        for minute in range(0, hours * 60, 5):
            value = memory(agent, minute * 60.0, dice)
            signals.append(f"a{agent},{moment(AT + minute * 60, form)},{value:.2f}")
        ends = [at for at in range(1, hours) if agent % 2 and (at + agent) % 8 == 0]
        failures += [f"a{agent},{moment(AT + at * HOUR, form)},out_of_memory" for at in ends if failing]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "signals.csv").write_text("\n".join(signals) + "\n")
    (folder / "failures.csv").write_text("\n".join(failures) + "\n")
    (folder / "limits.csv").write_text("agent,signal,limit\n*,rss,500\n")
    return folder


def document(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert isinstance(told, dict)
    return told


def outcome(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> dict[str, object]:
    return document(capsys, "backtest", str(folder), *words)


def figures(told: dict[str, object], name: str) -> dict[str, object]:
    models = told["models"]
    assert isinstance(models, dict)
    found = models[name]
    assert isinstance(found, dict)
    return found


def test_a_backtest_tells_what_was_promised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = outcome(capsys, a_fleet(tmp_path / "fleet"))
    assert told["winner"] in {"boost", "trend"}
    for name in ("boost", "trend"):
        assert figures(told, name).keys() >= FIGURES
    alarms = told["alarms"]
    assert isinstance(alarms, list)
    assert alarms
    assert all(set(alarm) >= SAID for alarm in alarms)
    predictions = told["predictions"]
    assert isinstance(predictions, list)
    begun = told["test_from"]
    assert isinstance(begun, float)
    assert all(said["timestamp"] >= begun for said in predictions)
    assert [said["timestamp"] for said in predictions] == sorted(said["timestamp"] for said in predictions)
    assert {(said["agent"], said["timestamp"]) for said in alarms} <= {
        (said["agent"], said["timestamp"]) for said in predictions
    }


def test_leaks_are_foreseen_in_time_and_what_warms_up_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = outcome(capsys, a_fleet(tmp_path / "fleet"), "--model", "trend")
    found = figures(told, "trend")
    assert found["event_recall"] == 1.0
    assert found["false_positive_rate"] == 0.0
    alarms = told["alarms"]
    assert isinstance(alarms, list)
    assert {alarm["agent"] for alarm in alarms} <= {"a1", "a3", "a5"}
    assert {alarm["mode"] for alarm in alarms} == {"out_of_memory"}
    for alarm in alarms:
        assert alarm["eta_low"] <= alarm["eta_seconds"] <= alarm["eta_high"]


def test_where_nothing_failed_models_that_need_no_training_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = outcome(capsys, a_fleet(tmp_path / "fleet", failing=False))
    found = figures(told, "boost")
    assert found["event_recall"] is None
    assert "simulated" in str(found["learned_from"])
    (tmp_path / "fleet" / "failures.csv").unlink()
    assert set(figures(outcome(capsys, tmp_path / "fleet"), "trend")) >= FIGURES


@pytest.mark.parametrize("form", ["epoch", "rfc", "plain"])
def test_times_are_read_in_three_forms_and_told_as_they_came(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    until = moment(AT + 30 * HOUR, form)
    told = outcome(capsys, a_fleet(tmp_path / form, form, agents=2), "--model", "trend", "--train-until", until)
    begun = told["test_from"]
    assert begun == (float(AT + 30 * HOUR) if form == "epoch" else moment(AT + 30 * HOUR, "rfc"))
    assert figures(told, "trend")["event_recall"] == 1.0


def test_what_comes_later_changes_no_alarm_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    until = str(AT + 20 * HOUR)
    long = outcome(capsys, a_fleet(tmp_path / "long", agents=2, hours=48), "--model", "boost", "--train-until", until)
    short = outcome(capsys, a_fleet(tmp_path / "short", agents=2, hours=36), "--model", "boost", "--train-until", until)
    ends = AT + 36 * HOUR - 300

    def early(told: dict[str, object]) -> list[object]:
        said = told["predictions"]
        assert isinstance(said, list)
        return [one for one in said if one["timestamp"] < ends]

    assert early(long) == early(short)
    assert early(long)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("signals.csv", "agent,timestamp\na,5\n", "signals.csv', line 1: it has no column of values"),
        ("signals.csv", "timestamp,rss\n5,1\n", "signals.csv', line 1: it has no column agent"),
        ("signals.csv", "agent,timestamp,rss\na,soon,1\n", "signals.csv', line 2: 'soon' is no time"),
        ("signals.csv", "agent,timestamp,rss\na,1767312000000,1\n", "line 2: '1767312000000' is no time: it is beyond"),
        ("failures.csv", "agent,timestamp,mode\na,1e18,x\n", "failures.csv', line 2: '1e18' is no time"),
        ("signals.csv", "agent,timestamp,rss\na,5,much\n", "signals.csv', line 2: rss is 'much', which is no number"),
        ("signals.csv", "agent,timestamp,rss\n,5,1\n", "signals.csv', line 2: it names no agent"),
        ("signals.csv", "agent,timestamp,rss,rss\na,5,1,1\n", "it names 'rss' twice"),
        ("failures.csv", "agent,timestamp,mode\na,never,x\n", "failures.csv', line 2: 'never' is no time"),
        ("limits.csv", "agent,signal,limit\na,rss,-5\n", "limits.csv', line 2: limit is '-5'; a limit is above 0"),
        ("limits.csv", "agent,limit\na,5\n", "limits.csv', line 1: it has no column signal"),
    ],
)
def test_what_cannot_be_read_is_told_with_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, text: str, said: str
) -> None:
    folder = a_fleet(tmp_path / "fleet", agents=1, hours=2)
    (folder / file).write_text(text)
    assert main(["backtest", str(folder)]) == 1
    assert said in capsys.readouterr().err


def test_an_empty_recording_and_a_missing_folder_are_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backtest", str(tmp_path / "none")]) == 1
    assert "there is no such folder" in capsys.readouterr().err
    (tmp_path / "signals.csv").write_text("agent,timestamp,rss\n")
    told = outcome(capsys, tmp_path)
    assert told["alarms"] == []


@pytest.mark.parametrize("verb", [("backtest",), ("predict",), ("train", "--save", "fleet.model")])
def test_a_time_far_from_all_others_is_named_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = a_fleet(tmp_path / "fleet", agents=2, hours=2)
    with (folder / "signals.csv").open("a") as file:
        file.write("a1,250000000000,1\n")
    assert main([verb[0], str(folder), *verb[1:]]) == 1
    assert "cannot look at agent 'a1'" in capsys.readouterr().err


def test_a_lead_as_long_as_the_horizon_cannot_be_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", str(tmp_path), "--horizon", "1h", "--lead", "1h"]) == 2
    assert "the lead has to be shorter than the horizon" in capsys.readouterr().err


def test_a_person_gets_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", str(a_fleet(tmp_path / "fleet")), "--model", "trend"]) == 0
    shown = capsys.readouterr().out
    assert "FORESEEN" in shown
    assert "never alarming would be" in shown


def test_a_person_is_told_where_nothing_could_be_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = a_fleet(tmp_path / "fleet", agents=2, hours=14, failing=False)
    assert main(["backtest", str(folder), "--model", "trend"]) == 0
    assert "nothing failed in the part that is judged, from " in capsys.readouterr().out
    (tmp_path / "signals.csv").write_text("agent,timestamp,rss\n")
    assert main(["backtest", str(tmp_path), "--model", "trend"]) == 0
    shown = capsys.readouterr().out
    assert "nothing was judged: too little was measured" in shown
    assert "wins" not in shown


def test_failures_that_nothing_announces_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = a_fleet(tmp_path / "fleet")
    with (folder / "failures.csv").open("a") as failures:
        failures.write(f"a0,{AT + 46 * HOUR},killed\n")
    assert main(["backtest", str(folder), "--model", "trend"]) == 0
    assert "killed: 0 of 1 foreseen; nothing announces it, and it does not count" in capsys.readouterr().out


def test_a_person_is_told_since_when_it_is_foreseen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = a_fleet(tmp_path / "fleet", form="plain", agents=2, hours=14)
    assert main(["predict", str(folder)]) == 0
    header, worst, other, *_ = capsys.readouterr().out.splitlines()
    assert header.split()[:5] == ["AGENT", "LIKELY", "SINCE", "MODE", "LEFT"]
    assert worst.startswith("a1")
    assert "2026-01-02T1" in worst
    assert other.split()[3] == "-"
    (tmp_path / "signals.csv").write_text("agent,timestamp,rss\n")
    assert main(["predict", str(tmp_path)]) == 0
    assert "Nothing is foreseen of any agent: too little was measured." in capsys.readouterr().err


def test_what_comes_with_selfheal_says_of_each_agent_what_why_and_since_when(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = a_fleet(tmp_path / "fleet", agents=2, hours=14)
    told = document(capsys, "predict", str(folder))
    agents = told["agents"]
    assert isinstance(agents, list)
    worst = max(agents, key=lambda one: one["probability"])
    assert worst["agent"] == "a1"
    assert worst["alarm"]
    assert worst["since"] is not None
    assert worst["mode"] == "out_of_memory"
    assert worst["nearest_case"]["mode"] == "out_of_memory"
    assert worst["reasons"][0]["contribution"] > 0.0
    assert all(reason["feature"] for reason in worst["reasons"])
    assert main(["predict", str(folder)]) == 0
    assert "a1" in capsys.readouterr().out


def test_a_reason_that_is_not_there_is_null(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(a_fleet(tmp_path / "young", agents=2, hours=1)), "--json"]) == 0
    written = capsys.readouterr().out
    assert '"value": null' in written
    assert "NaN" not in written


def test_a_model_is_trained_kept_and_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("xgboost", reason="XGBoost is not installed (the extra ml)")
    folder, model = a_fleet(tmp_path / "fleet", agents=8, hours=96), tmp_path / "fleet.model"
    told = document(capsys, "train", str(folder), "--save", str(model))
    assert told["scope"] == "this fleet"
    asked = document(capsys, "predict", str(folder), "--model", str(model))
    alarms = asked["alarms"]
    assert isinstance(alarms, list)
    assert {alarm["agent"] for alarm in alarms} <= {"a1", "a3", "a5", "a7"}
    assert alarms
    again = tmp_path / "again.model"
    document(capsys, "train", str(folder), "--save", str(again))
    assert again.read_bytes() == model.read_bytes()


def test_a_simulated_fleet_is_written_as_it_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("xgboost", reason="XGBoost is not installed (the extra ml)")
    folder, model = tmp_path / "simulated", tmp_path / "every.model"
    told = document(capsys, "train", str(folder), "--simulate", "12", "--hours", "36", "--save", str(model))
    assert told["scope"] == "every fleet"
    assert main(["train", str(folder), "--simulate", "12", "--save", str(model)]) == 2
    assert "it holds a signals.csv" in capsys.readouterr().err
    made, _ = fleet(Random(0), 12, hours=36.0)
    read = read_fleet(folder)
    assert read.signals == made.signals
    assert read.limits == made.limits
    assert [(one.agent, round(one.at), one.mode) for one in read.failures] == [
        (one.agent, round(one.at), one.mode) for one in made.failures
    ]


@pytest.mark.parametrize("save", ["nowhere/x.model", "fleet", "fleet/signals.csv/x.model"])
def test_a_place_where_no_model_can_be_written_is_told_before_it_is_learned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], save: str
) -> None:
    folder = a_fleet(tmp_path / "fleet", agents=2, hours=14)
    assert main(["train", str(folder), "--save", str(tmp_path / save)]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_too_few_failures_teach_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = a_fleet(tmp_path / "fleet", agents=2, hours=14)
    assert main(["train", str(folder), "--save", str(tmp_path / "x.model")]) == 1
    assert "cannot learn: fewer than 5 failures" in capsys.readouterr().err
    assert not (tmp_path / "x.model").exists()


@pytest.mark.parametrize("damage", ["empty", "foreign", "cut"])
def test_a_file_that_is_no_model_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str) -> None:
    whole = (Path(recorded.__file__).parent / "every_fleet.model").read_bytes()
    model = tmp_path / "x.model"
    model.write_bytes({"empty": b"", "foreign": b"PK\x03\x04", "cut": whole[:-20]}[damage])
    assert main(["predict", str(a_fleet(tmp_path / "fleet", agents=1, hours=2)), "--model", str(model)]) == 1
    said = capsys.readouterr().err
    assert "cannot use" in said
    assert ("its checksum does not hold" if damage == "cut" else "it is no model of selfheal") in said


def test_a_model_whose_library_is_missing_says_how_to_have_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "xgboost", None)
    folder = a_fleet(tmp_path / "fleet", agents=4, hours=72)
    assert main(["backtest", str(folder), "--model", "lstm"]) == 1
    assert "pip install 'selfheal[lstm]'" in capsys.readouterr().err
    told = outcome(capsys, folder)
    left_out = told["left_out"]
    assert isinstance(left_out, dict)
    assert "pip install 'selfheal[ml]'" in left_out["boost of this fleet"]
    assert "pip install 'selfheal[lstm]'" in left_out["lstm"]
    assert main(["train", str(folder), "--save", str(tmp_path / "x.model")]) == 1
    assert "pip install 'selfheal[ml]'" in capsys.readouterr().err


def test_odd_recordings_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One look at an agent, times twice, offsets, nothing measured, limits and failures of what is not there."""
    (tmp_path / "signals.csv").write_text(
        "agent,timestamp,rss,empty\na,2026-01-01 00:00:00,1,\na,2026-01-01 00:00:00,2,nan\n"
        "b b,2026-01-01T05:00:00+02:00,5,inf\na,2026-01-01T00:05:00Z,3,-\n"
    )
    (tmp_path / "failures.csv").write_text("agent,timestamp,mode\nzz,2026-01-01 01:00:00,x\na,2026-01-01 00:07:00,\n")
    (tmp_path / "limits.csv").write_text("agent,signal,limit\na,nosuch,5\nnobody,rss,5\n*,rss,10\n")
    assert outcome(capsys, tmp_path)["alarms"] == []
    assert main(["backtest", str(tmp_path), "--horizon", "10m", "--lead", "1m"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "failures.csv names agents that signals.csv does not have, and they are passed over: 'zz'",
        "limits.csv names agents that signals.csv does not have, and they are passed over: 'nobody'",
        "limits.csv names signals that signals.csv does not have, and they are passed over: 'nosuch'",
    ]
    assert main(["predict", str(tmp_path)]) == 0
