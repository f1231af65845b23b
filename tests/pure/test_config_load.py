"""Is what the file, the environment and the options say what comes into force?"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal import agents, observe
from selfheal.agents.process import ProcessAgent
from selfheal.config.load import Loaded, Overrides, load
from selfheal.errors import ConfigInvalid, Problem
from tests.pure.config_fakes import AGENTS, CHECKS, DataAgent, HttpCheck, TcpCheck, load_text

FIRST_OF_API = ("agents", "api:1", "checks", 0)

FLEET = """
[daemon]
state_dir = "state"

[agents.api]
command = ["python", "-m", "shop.api", "--port", "900{index}", "{agent}", "{other}"]
directory = "services"
environment = { PORT = "900{index}" }
depends_on = ["cache"]
ready = { http = "http://127.0.0.1:900{index}/ready" }
log = { file = "logs/{agent}-{index}.log" }
instances = 2

[[agents.api.checks]]
http = "http://127.0.0.1:900{index}/health"
interval = 5
expect = { status = 200, json = { "db.state" = "up" } }

[[agents.api.checks]]
http = "http://127.0.0.1:900{index}/deep"

[[agents.api.signals]]
prometheus = "http://127.0.0.1:900{index}/metrics"

[agents.cache]
command = "redis-server --port 6400"
checks = [
  { tcp = "127.0.0.1:6400" },
  { process = true, name = "alive" },
]

[agents.shop]
kind = "service"
depends_on = ["api"]
fixes = ["purge", "restart"]

[fixes.purge]
command = ["./purge.sh", "{agent}"]

[[guard.maintenance]]
agents = ["api", "cache"]
cron = "0 3 * * sun"
minutes = 30
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "services").mkdir()
    return tmp_path


def process(agent: object) -> ProcessAgent:
    assert isinstance(agent, ProcessAgent)
    return agent


def test_instances_become_agents_in_the_order_of_the_file(folder: Path) -> None:
    loaded = load_text(folder, FLEET)
    assert list(loaded.config.agents) == ["api:0", "api:1", "cache", "shop"]
    assert loaded.groups == {"api": ("api:0", "api:1"), "cache": ("cache",), "shop": ("shop",)}


def test_placeholders_are_filled_in_everywhere_and_other_braces_stay(folder: Path) -> None:
    agent = process(load_text(folder, FLEET).config.agents["api:1"])
    assert agent.command[4:] == ("9001", "api", "{other}")
    assert agent.environment == {"PORT": "9001"}
    assert agent.ready is not None
    assert agent.ready.http == "http://127.0.0.1:9001/ready"
    assert agent.log.file == folder / "logs/api-1.log"
    assert agent.signals[0].prometheus == "http://127.0.0.1:9001/metrics"
    check = agent.checks[0]
    assert isinstance(check, HttpCheck)
    assert check.http == "http://127.0.0.1:9001/health"


def test_a_fix_keeps_its_placeholder_for_the_moment_it_is_applied(folder: Path) -> None:
    assert load_text(folder, FLEET).config.fixes["purge"].command == ("./purge.sh", "{agent}")


def test_checks_are_of_their_kind_and_each_has_a_name(folder: Path) -> None:
    agents = load_text(folder, FLEET).config.agents
    assert [check.name for check in agents["api:0"].checks] == ["http", "http-2"]
    assert [(check.name, type(check).__name__) for check in agents["cache"].checks] == [
        ("tcp", "TcpCheck"),
        ("alive", "ProcessCheck"),
    ]


def test_a_given_name_is_never_taken_by_a_check_without_one(folder: Path) -> None:
    text = '[agents.a]\nkind = "service"\nchecks = [{tcp = "a:1"}, {tcp = "a:2", name = "tcp"}, {tcp = "a:3"}]\n'
    checks = load_text(folder, text).config.agents["a"].checks
    assert [check.name for check in checks] == ["tcp-2", "tcp", "tcp-3"]


def test_an_agent_with_instances_stands_for_all_of_them(folder: Path) -> None:
    config = load_text(folder, FLEET).config
    assert config.agents["shop"].depends_on == ("api:0", "api:1")
    assert config.guard.maintenance[0].agents == ("api:0", "api:1", "cache")


def test_one_instance_may_be_named_by_itself(folder: Path) -> None:
    text = (
        '[agents.a]\ncommand = "a"\ninstances = 2\n[agents.b]\ncommand = "b"\ninstances = 2\ndepends_on = ["a:{index}"]'
    )
    agents = load_text(folder, text).config.agents
    assert (agents["b:0"].depends_on, agents["b:1"].depends_on) == (("a:0",), ("a:1",))


def test_writing_it_out_keeps_what_only_a_kind_has(folder: Path) -> None:
    dumped = load_text(folder, FLEET).config.model_dump(mode="json")
    assert dumped["agents"]["api:0"]["instances"] == 2
    assert dumped["agents"]["api:0"]["checks"][0]["http"] == "http://127.0.0.1:9000/health"


def test_relative_paths_start_at_the_folder_of_the_file(folder: Path) -> None:
    loaded = load_text(folder, FLEET + '[agents.db]\nkind = "data"\npath = "db/x.json"\n')
    assert loaded.base == folder
    assert loaded.config.daemon.state_dir == folder / "state"
    assert process(loaded.config.agents["api:0"]).directory == folder / "services"
    assert process(loaded.config.agents["cache"]).directory == folder
    data = loaded.config.agents["db"]
    assert isinstance(data, DataAgent)
    assert data.path == folder / "db/x.json"


def test_a_path_given_by_hand_starts_where_the_person_stands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "services")
    for loaded in (
        load_text(folder, FLEET, {"SELFHEAL_STATE_DIR": "here"}),
        load_text(folder, FLEET, {"SELFHEAL_STATE_DIR": "there"}, Overrides(state_dir=Path("here"))),
    ):
        assert loaded.config.daemon.state_dir == folder / "services" / "here"


def test_with_no_file_the_defaults_and_the_environment_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = load(None, {"SELFHEAL_LOG_LEVEL": "DEBUG"}, Overrides(), AGENTS, CHECKS)
    assert loaded.config.agents == {}
    assert loaded.config.daemon.state_dir == tmp_path / "state"
    assert loaded.config.daemon.log_level == "debug"


def test_the_stronger_source_wins_and_is_named(folder: Path) -> None:
    text = '[daemon]\nlisten = "127.0.0.1:1"\n'
    steps: list[tuple[dict[str, str], Overrides, str, str]] = [
        ({}, Overrides(), "127.0.0.1:1", f"{folder / 'selfheal.toml'}:2"),
        ({"PORT": "2"}, Overrides(), "0.0.0.0:2", "environment PORT"),
        ({"PORT": "2", "SELFHEAL_LISTEN": "127.0.0.1:3"}, Overrides(), "127.0.0.1:3", "environment SELFHEAL_LISTEN"),
        ({"SELFHEAL_LISTEN": "127.0.0.1:3"}, Overrides(listen="[::1]:4"), "[::1]:4", "option --listen"),
    ]
    for environment, overrides, listen, origin in steps:
        loaded = load_text(folder, text, {"SELFHEAL_TOKEN": "longer-than-7", **environment}, overrides)
        assert (loaded.config.daemon.listen, loaded.origin(("daemon", "listen"))) == (listen, origin)


def test_every_setting_of_the_environment_is_heeded(folder: Path) -> None:
    environment = {
        "SELFHEAL_LOG_FORMAT": "json",
        "SELFHEAL_TOKEN": " secret-1\n",
        "SELFHEAL_SCRAPE_TOKEN": "secret-2",
        "SELF_HEALING_INTERVAL": "30",
        "PREVENTION_INTERVAL": "2m",
        "ML_RETRAIN_INTERVAL": "1h",
        "RENDER_MODE": "true",
        "CHAOS_ENABLED": "1",
        "TELEGRAM_BOT_TOKEN": "t",
        "TELEGRAM_CHAT_ID": "1",
    }
    daemon = load_text(folder, "[daemon]\nrender_mode = false\nprevention_interval = 7\n", environment).config.daemon
    assert (daemon.log_format, daemon.render_mode, daemon.chaos_enabled) == ("json", True, True)
    assert (daemon.self_healing_interval, daemon.prevention_interval, daemon.ml_retrain_interval) == (30, 120, 3600)
    assert daemon.token is not None
    assert daemon.token.get_secret_value() == "secret-1"
    assert "secret" not in repr(daemon) + daemon.model_dump_json()


def test_an_empty_variable_counts_as_unset(folder: Path) -> None:
    names = ("PORT", "SELFHEAL_LISTEN", "SELFHEAL_TOKEN", "RENDER_MODE", "SELF_HEALING_INTERVAL", "SELFHEAL_STATE_DIR")
    loaded = load_text(folder, FLEET, dict.fromkeys(names, ""))
    assert loaded.config == load_text(folder, FLEET).config


def test_the_origin_of_every_value_is_known(folder: Path) -> None:
    loaded = load_text(folder, FLEET)
    file = folder / "selfheal.toml"
    assert loaded.origin(("daemon", "stop_timeout")) == "default"
    assert loaded.origin(("agents", "api:1", "command")) == f"{file}:6"
    assert loaded.origin((*FIRST_OF_API, "interval")) == f"{file}:16"
    assert loaded.origin((*FIRST_OF_API, "expect", "json", "db.state")) == f"{file}:17"
    assert loaded.origin((*FIRST_OF_API, "name")) == "default"
    assert loaded.origin(("agents", "cache", "checks", 1, "name")) == f"{file}:29"


def test_a_mark_of_the_byte_order_and_windows_line_ends_do_no_harm(folder: Path) -> None:
    assert load_text(folder, "\ufeff" + FLEET.replace("\n", "\r\n")).config == load_text(folder, FLEET).config


def test_a_large_fleet_shares_the_names_that_it_waits_for(folder: Path) -> None:
    text = (
        '[agents.a]\ncommand = "a"\ninstances = 200\n[agents.b]\ncommand = "b"\ninstances = 200\ndepends_on = ["a"]\n'
    )
    agents = load_text(folder, text).config.agents
    assert len({id(agent.depends_on) for name, agent in agents.items() if name.startswith("b")}) == 1


def test_the_kinds_that_there_are_can_be_written(folder: Path) -> None:
    file = folder / "selfheal.toml"
    file.write_text(
        FLEET.replace("expect = {", 'headers = { Authorization = "x" }\nexpect = { body = "ok",')
        + '[agents.job]\ncommand = "job"\nchecks = [{ command = "ls" }, { heartbeat = "10s" }, { file = "out" }]\n'
    )
    agent_models = {kind.name: kind.model for kind in agents.AGENT_KINDS}
    check_models = {kind.name: kind.model for kind in observe.CHECKS}
    loaded = load(file, {}, Overrides(), agent_models, check_models, fix_models={"restart": None})
    assert [check.name for check in loaded.config.agents["job"].checks] == ["command", "heartbeat", "file"]
    assert loaded.origin((*FIRST_OF_API, "expect", "json", "db.state")) == f"{file}:18"


KEYS = ["command", "kind", "checks", "http", "tcp", "depends_on", "instances", "agents", "daemon", "guard", "fixes",
        "maintenance", "ready", "log", "file", "environment", "listen", "cron", "timezone", "x", "{index}"]  # fmt: skip
STRINGS = st.sampled_from(
    ["", "process", "a", "b", "{agent}", "a:0", "30s", "http://h/", "h:1", "'", "* * * * *", "UTC", "a\x00", "é" * 300]
)
SCALARS: st.SearchStrategy[object] = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(), st.booleans(), STRINGS, st.just([])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)),
    max_leaves=12,
)


def toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return '"' + "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in value) + '"'
        case dict():
            return "{" + ", ".join(f"{toml(key)} = {toml(part)}" for key, part in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case _:
            return str(value)


def is_sound(loaded: Loaded) -> bool:
    agents = loaded.config.agents
    return all(name.split(":")[0] in loaded.groups for name in agents) and all(
        check.name for agent in agents.values() for check in agent.checks
    )


def is_clear(problem: Problem, text: str) -> bool:
    in_the_text = problem.line is None or 1 <= problem.line <= text.count("\n") + 1
    return bool(problem.file and problem.key and problem.wrong and problem.right) and in_the_text


def loads_or_says_why(folder: Path, text: str, environment: dict[str, str]) -> bool:
    try:
        return is_sound(load_text(folder, text, environment))
    except ConfigInvalid as error:
        return bool(error.problems) and all(is_clear(problem, text) for problem in error.problems)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4), st.dictionaries(st.sampled_from("ab"), VALUES))
def test_any_values_load_or_are_refused_with_a_reason(
    tmp_path_factory: pytest.TempPathFactory, top: dict[str, object], agents: dict[str, object]
) -> None:
    text = "\n".join(f"{toml(key)} = {toml(value)}" for key, value in {**top, "agents": agents}.items())
    assert loads_or_says_why(tmp_path_factory.getbasetemp(), text, {})


@given(st.text(max_size=60), st.dictionaries(st.sampled_from(["PORT", "SELFHEAL_LISTEN", "RENDER_MODE"]), st.text()))
def test_any_text_loads_or_is_refused_with_a_reason(
    tmp_path_factory: pytest.TempPathFactory, text: str, environment: dict[str, str]
) -> None:
    assert loads_or_says_why(tmp_path_factory.getbasetemp(), text.encode(errors="replace").decode(), environment)


def test_the_checks_of_a_service_need_no_command(folder: Path) -> None:
    text = '[agents.site]\nkind = "service"\nchecks = [{ tcp = "site:80", interval = "1m" }]\n'
    check = load_text(folder, text).config.agents["site"].checks[0]
    assert isinstance(check, TcpCheck)
    assert (check.tcp, check.interval) == ("site:80", 60.0)
