"""Do the verbs about the configuration say what is in it, and what is wrong with it?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfheal.cli import main

Shown = pytest.CaptureFixture[str]

GOOD = """
[agents.api]
command = "python api.py"
environment = { DB_PASSWORD = "hunter2" }
checks = [{ tcp = "127.0.0.1:9000" }, { process = true }]

[agents.site]
kind = "service"
checks = [{ http = "https://example.org/" }]
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_check_counts_what_holds(here: Path, capsys: Shown) -> None:
    (here / "selfheal.toml").write_text(GOOD)
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out == "OK: 2 agents, 3 checks\n"
    assert main(["config", "check", "selfheal.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "agents": 2, "checks": 3}


def test_check_names_every_problem_and_the_daemon_does_not_start_with_one(here: Path, capsys: Shown) -> None:
    (here / "bad.toml").write_text('[agents.api]\ncommand = "x"\nrestrat = "always"\ndepends_on = ["nobody"]\n')
    for words in (["config", "check", "bad.toml"], ["run", "--config", "bad.toml"], ["config", "show", "bad.toml"]):
        assert main(words) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "bad.toml:3" in shown.err
        assert "did you mean 'restart'?" in shown.err
        assert "nobody" in shown.err


def test_check_gives_every_problem_as_a_fact_too(here: Path, capsys: Shown) -> None:
    (here / "bad.toml").write_text('[agents.api]\ncommand = "x"\nrestrat = "always"\n')
    assert main(["config", "check", "bad.toml", "--json"]) == 2
    shown = capsys.readouterr()
    assert shown.err == ""
    told = json.loads(shown.out)
    (problem,) = told["problems"]
    assert told["ok"] is False
    assert (problem["file"], problem["line"], problem["key"], problem["wrong"]) == (
        *("bad.toml", 3, "agents.api.restrat", "unknown key"),
    )
    assert "did you mean 'restart'?" in problem["right"]


def test_show_gives_each_value_its_origin_and_no_secret(
    here: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "other.toml").write_text(GOOD)
    monkeypatch.setenv("SELFHEAL_CONFIG", "other.toml")
    monkeypatch.setenv("SELFHEAL_LISTEN", "127.0.0.1:9999")
    assert main(["config", "show"]) == 0
    shown = capsys.readouterr().out
    assert 'daemon.listen = "127.0.0.1:9999"  # environment SELFHEAL_LISTEN' in shown
    assert "guard.verify = 30.0  # default" in shown
    assert "other.toml:" in shown
    assert "hunter2" not in shown
    assert main(["config", "show", "--json"]) == 0
    values = {one["key"]: one for one in json.loads(capsys.readouterr().out)}
    assert values["daemon.listen"]["value"] == "127.0.0.1:9999"


def test_the_schema_is_one_json_document(capsys: Shown) -> None:
    assert main(["config", "schema"]) == 0
    plain = capsys.readouterr().out
    assert main(["config", "schema", "--json"]) == 0
    assert capsys.readouterr().out == plain
    assert json.loads(plain)["title"] == "selfheal.toml"


def test_without_a_configuration_nothing_runs_and_the_demo_is_offered(capsys: Shown) -> None:
    assert main(["run"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "selfheal demo" in shown.err
    assert main(["config", "check"]) == 2
    assert "selfheal.toml" in capsys.readouterr().err


def test_the_first_configuration_that_is_offered_holds(here: Path, capsys: Shown) -> None:
    main(["run"])
    offered = [line[4:] for line in capsys.readouterr().err.splitlines() if line.startswith("    ")]
    (here / "selfheal.toml").write_text("\n".join(offered[1:]))
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out == "OK: 1 agent, 1 check\n"


def test_a_file_that_is_not_there_is_said(capsys: Shown) -> None:
    assert main(["run", "--config", "missing.toml"]) == 2
    assert "missing.toml" in capsys.readouterr().err


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:99999"])
def test_an_option_that_makes_no_sense_is_2(listen: str, here: Path, capsys: Shown) -> None:
    (here / "selfheal.toml").write_text(GOOD)
    assert main(["run", "--listen", listen]) == 2
    assert "option --listen" in capsys.readouterr().err
