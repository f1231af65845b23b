"""Does an agent get the environment that it should, and nothing of the daemon's own?"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.agents.process import ProcessAgent
from selfheal.agents.service import ServiceAgent
from selfheal.config.environment import agent_environment, read_environment_file
from selfheal.errors import ConfigInvalid, SpawnFailed


def test_the_daemons_own_variables_stay_with_the_daemon() -> None:
    daemon = {
        "PATH": "/bin",
        "LANG": "C",
        "OTEL_SERVICE_NAME": "x",
        "PORT": "8080",
        "SELFHEAL_TOKEN": "t",
        "SELFHEAL_STATE_DIR": "s",
        "TELEGRAM_BOT_TOKEN": "t",
        "TELEGRAM_CHAT_ID": "1",
        "ANTHROPIC_API_KEY": "k",
        "OPENAI_API_KEY": "k",
        "RENDER_API_KEY": "k",
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "WATCHDOG_USEC": "1",
        "LISTEN_FDS": "1",
    }
    kept = {"PATH": "/bin", "LANG": "C", "OTEL_SERVICE_NAME": "x"}
    assert agent_environment(daemon, ProcessAgent(command=("x",))) == kept
    assert agent_environment(daemon, ServiceAgent()) == kept


def test_the_file_is_stronger_than_the_daemon_and_the_table_stronger_than_the_file(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("A=file\nB=file\nPORT=7\n")
    agent = ProcessAgent(command=("x",), environment_file=file, environment={"B": "table"})
    seen = agent_environment({"A": "daemon", "B": "daemon", "C": "daemon", "PORT": "1"}, agent)
    assert seen == {"A": "file", "B": "table", "C": "daemon", "PORT": "7"}


def test_an_environment_file_may_be_written_in_the_usual_ways(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text(
        "\ufeff# comment\n\nPLAIN=a b  # said aside\nexport SHELL_LIKE=x\nEMPTY=\nSPACED = y \r\n"
        'SINGLE=\'a # \\n $b\'\nDOUBLE="a \\"q\\" \\n \\\\" # aside\nURL=http://h/#part?x=1\n',
        encoding="utf-8",
    )
    assert read_environment_file(file) == {
        "PLAIN": "a b",
        "SHELL_LIKE": "x",
        "EMPTY": "",
        "SPACED": "y",
        "SINGLE": "a # \\n $b",
        "DOUBLE": 'a "q" \n \\',
        "URL": "http://h/#part?x=1",
    }


def test_every_bad_line_is_named_and_no_value_repeated(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("A=1\nno equals hunter2\nB='hunter2\n")
    with pytest.raises(ConfigInvalid) as caught:
        read_environment_file(file)
    assert [problem.line for problem in caught.value.problems] == [2, 3]
    assert "hunter2" not in str(caught.value)


def test_a_file_that_went_away_fails_the_start_with_a_cause(tmp_path: Path) -> None:
    with pytest.raises(SpawnFailed, match="there is no such file") as caught:
        agent_environment({}, ProcessAgent(command=("x",), environment_file=tmp_path / "gone"))
    assert caught.value.cause == "bad_configuration"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any_bytes"
    file.write_bytes(data)
    try:
        read = read_environment_file(file)
    except ConfigInvalid:
        return
    assert all(name and "\0" not in name + value for name, value in read.items())
