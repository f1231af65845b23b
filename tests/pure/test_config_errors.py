"""Does a bad configuration get one clear error for each mistake, all at once?"""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal.config.load import Overrides, load
from selfheal.errors import ConfigInvalid, Problem
from tests.pure.config_fakes import AGENTS, CHECKS, load_text, problems_of

# Two lines that are well, for a mistake to follow.
X = "command='x'\n"
A = f"[agents.a]\n{X}"

# Each: what is written, the key that the error names, its line, what is wrong, what would be right.
MISTAKES = {
    "unknown key": ("[daemon]\nlissten = 'x'", "daemon.lissten", 2, "unknown key", "did you mean 'listen'?"),
    "unknown table": ("[demon]", "demon", 1, "unknown key", "did you mean 'daemon'?"),
    "no table": ("daemon = 3", "daemon", 1, "3 is not a table", "write a table"),
    "agents no table": ("agents = 3", "agents", 1, "not a table", "[agents.NAME]"),
    "agent no table": ("[agents]\na = 3", "agents.a", 2, "not a table", "[agents.a]"),
    "wrong type": ("[guard]\nattempts_per_hour='x'", "guard.attempts_per_hour", 2, "'x' is not a whole", "write"),
    "true for a number": ("[guard]\nattempts_per_hour=true", "guard.attempts_per_hour", 2, "true is not", "write"),
    "number for true": ("[guard]\ndry_run = 1", "guard.dry_run", 2, "1 is not true or false", "true or false"),
    "out of range": ("[guard]\nattempts_per_hour=-1", "guard.attempts_per_hour", 2, "-1 is out of range", "at least 0"),
    "no duration": ("[daemon]\nstop_timeout = 'soon'", "daemon.stop_timeout", 2, "'soon' is not a duration", "'30s'"),
    "endless": ("[daemon]\nstop_timeout = inf", "daemon.stop_timeout", 2, "inf", "number"),
    "no choice": ("[daemon]\non_stop = 'leav'", "daemon.on_stop", 2, "'leav' is not a choice", "did you mean 'leave'?"),
    "no address": ("[daemon]\nlisten = '8787'", "daemon.listen", 2, "not host:port", "127.0.0.1:8787"),
    "public": ("[daemon]\nlisten = '0.0.0.0:80'", "daemon.listen", 2, "there is no token", "SELFHEAL_TOKEN"),
    "gateway by http": (
        "[daemon]\ngateway_url = 'http://example.org'\ngateway_token = 'a secret'", "daemon.gateway_url", 2,
        "could read what is pushed", "https://",
    ),
    "gateway with a query": (
        "[daemon]\ngateway_url = 'https://example.org/?a=b'\ngateway_token = 'a secret'", "daemon.gateway_url", 2,
        "more than the address", "write",
    ),
    "gateway without a token": (
        "[daemon]\ngateway_url = 'http://127.0.0.1:1'", "daemon.gateway_token", 1, "no token", "SELFHEAL_GATEWAY_TOKEN",
    ),
    "render without telegram": (
        "[daemon]\nrender_mode = true", "daemon.render_mode", 2, "TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID", "set",
    ),
    "unknown kind": (
        "[agents.a]\nkind = 'render'", "agents.a.kind", 2,
        "kind 'render' is not known", "known kinds are process, service, data",
    ),
    "kind no text": ("[agents.a]\nkind = 3", "agents.a.kind", 2, "not text", "process, service, data"),
    "no command, no kind": ("[agents.a]", "agents.a", 1, "neither a command nor a kind", "add command"),
    "misspelt command": ("[agents.a]\ncomand = 'x'", "agents.a.comand", 2, "unknown key", "did you mean 'command'?"),
    "missing command": ("[agents.a]\nkind = 'process'", "agents.a.command", 1, "it is missing", "add command = …"),
    "empty command": ("[agents.a]\ncommand = ''", "agents.a.command", 2, "names no program", "program first"),
    "open quote": ("[agents.a]\ncommand = 'x \"y'", "agents.a.command", 2, "cannot be split", "close the quote"),
    "bad name": ("[agents.'a b']\ncommand = 'x'", 'agents."a b"', 1, "cannot be the name", "use letters"),
    "long name": (f"[agents.{'a' * 64}]\ncommand = 'x'", f"agents.{'a' * 64}", 1, "cannot be the name", "at most 63"),
    "standby of another language": (
        A + "standby = 'spare'", "agents.a", 1, "needs a command that runs a Python script or module",
        "['python3', 'script.py']",
    ),
    "standby of a job": (
        "[agents.a]\ncommand = 'python3 x.py'\noneshot = true\nstandby = 'zygote'", "agents.a", 1,
        "what runs to its end has no next run to wait for", "take 'standby' out",
    ),
    "imports of no standby": (A + "standby_imports = ['json']", "agents.a", 1, "of no use", "add standby = 'spare'"),
    "no module": (
        "[agents.a]\ncommand = 'python3 x.py'\nstandby = 'spare'\nstandby_imports = ['x.py,y']",
        "agents.a.standby_imports[0]", 4, "'x.py,y' is not the name of a module", "'package.module'",
    ),
    "list wanted": (A + "depends_on = 'a'", "agents.a.depends_on", 3, "not a list", "between [ and ]"),
    "no such agent": (
        "[agents.cache]\ncommand='x'\n[agents.b]\ncommand='x'\ndepends_on = [\n 'cach']", "agents.b.depends_on[0]", 6,
        "there is no agent 'cach'", "did you mean 'cache'?",
    ),
    "no such fix": (
        A + "fixes = ['restrt']", "agents.a.fixes[0]", 3, "no fix 'restrt'", "did you mean 'restart'?",
    ),
    "fix of a taken name": ("[fixes.restart]\ncommand='x'", "fixes.restart", 1, "built-in fix", "another name"),
    "ring": (
        A + f"depends_on=['b']\n[agents.b]\n{X}depends_on=['c']\n[agents.c]\n{X}instances=2\ndepends_on=['a']",
        "agents.a.depends_on", 3, "it waits for itself: a -> b -> c -> a", "take one of these out",
    ),
    "waits for itself": (A + "depends_on=['a']", "agents.a.depends_on", 3, "a -> a", "take"),
    "no way to ask": (
        A + "checks=[{htpp='x'}]", "agents.a.checks[0]", 3, "does not say what", "did you mean 'http'?",
    ),
    "no way to ask, misspelt key": (
        A + "[[agents.a.checks]]\nintervall=5", "agents.a.checks[0].intervall", 4,
        "unknown key", "did you mean 'interval'?",
    ),
    "no way to ask, wrong value": (
        A + "[[agents.a.checks]]\ninterval='soon'", "agents.a.checks[0].interval", 4, "not a duration", "'30s'",
    ),
    "two ways to ask": (
        A + "checks=[\n{http='http://h/', tcp='h:1'}]", "agents.a.checks[0]", 4,
        "more than one kind of check: http, tcp", "leave one",
    ),
    "check no table": (A + "checks=[3]", "agents.a.checks[0]", 3, "not a table", "http, tcp"),
    "check's key": (
        A + "[[agents.a.checks]]\ntcp='h:1'\nintervall=3", "agents.a.checks[0].intervall", 5,
        "unknown key", "did you mean 'interval'?",
    ),
    "deep in a check": (
        A + "[[agents.a.checks]]\nhttp='http://h/'\n[agents.a.checks.expect]\nstatus='x'",
        "agents.a.checks[0].expect.status", 6, "'x' is not a whole number", "write",
    ),
    "key of an alias": (
        A + "[[agents.a.checks]]\nhttp='http://h/'\nexpect.jsn={}",
        "agents.a.checks[0].expect.jsn", 5, "unknown key", "did you mean 'json'?",
    ),
    "checks of one name": (
        A + "checks=[{tcp='h:1',name='n'},\n{tcp='h:2',name='n'}]", "agents.a.checks[1].name", 4,
        "another check is called 'n'", "its own name",
    ),
    "not wanted": (A + "checks=[{process=false}]", "agents.a.checks[0].process", 3, "false is not", "write true"),
    "ready in no way": (A + "ready={timeout=3}", "agents.a.ready", 3, "it has 0 ways", "exactly one"),
    "ready in two ways": (
        A + "ready={tcp='h:1',command='y'}", "agents.a.ready", 3, "it has 2 ways", "exactly one",
    ),
    "no size": (A + "limits={memory='4x'}", "agents.a.limits.memory", 3, "'4x' is not a size", "MiB"),
    "too many": (A + "instances=1001", "agents.a.instances", 3, "1001 is out of range", "at most 1000"),
    "no directory": (A + "directory='gone'", "agents.a.directory", 3, "there is no folder", "create"),
    "no state directory": ("[daemon]\nstate_dir=''", "daemon.state_dir", 2, "it is empty", "write a path"),
    "no log": (A + "log.file=''", "agents.a.log.file", 3, "it is empty", "write a path"),
    "no environment file": (
        A + "environment_file='gone'", "agents.a.environment_file", 3, "there is no such file", "create",
    ),
    "shared log": (
        A + "instances=2\nlog={file='x.log'}", "agents.a.log.file", 4, "a:0 and a:1", "{index}",
    ),
    "variable": (A + "environment={'A=B'='x'}", "agents.a.environment", 3, "'A=B'", "no '='"),
    "window's agent": (
        "[[guard.maintenance]]\nagents=['apy']\ncron='0 3 * * *'\nminutes=1\n[agents.api]\ncommand='x'",
        "guard.maintenance[0].agents[0]", 2, "there is no agent 'apy'", "did you mean 'api'?",
    ),
    "quiet time's agent": (
        "[[prevention.quiet]]\nagents=['apy']\ncron='0 3 * * *'\nminutes=1\n[agents.api]\ncommand='x'",
        "prevention.quiet[0].agents[0]", 2, "there is no agent 'apy'", "did you mean 'api'?",
    ),
    "too many left alone": ("[prevention]\nleft_alone=0.6", "prevention.left_alone", 2, "0.6", "0.5"),
    "window for nobody": (
        "[[guard.maintenance]]\nagents=[]\ncron='0 3 * * *'\nminutes=1", "guard.maintenance[0].agents", 2, "empty", "",
    ),
    "bad cron": (
        "[[guard.maintenance]]\nagents=['a']\ncron='0 3 * * sn'\nminutes=1\n[agents.a]\ncommand='x'",
        "guard.maintenance[0].cron", 3, "not a cron expression", "'0 3 * * sun'",
    ),
    "bad zone": (
        "[[guard.maintenance]]\nagents=['a']\ncron='0 3 * * *'\nminutes=1\ntimezone='Mars'\n[agents.a]\ncommand='x'",
        "guard.maintenance[0].timezone", 5, "'Mars' is no time zone", "Europe/Berlin",
    ),
    "secret of a wrong type": ("[notify]\nwebhook=77", "notify.webhook", 2, "the value is not text", "quotes"),
    "webhook without a scheme": ("[notify]\nwebhook='foo'", "notify.webhook", 2, "not a URL", "hooks.example"),
    "webhook of a wrong scheme": ("[notify]\nwebhook='htp://x/y'", "notify.webhook", 2, "not a URL", "https://"),
    "webhook without a host": ("[notify]\nwebhook='https:///y'", "notify.webhook", 2, "not a URL", "https://"),
    "signing secret without its prefix": (
        "[notify]\nwebhook_secret='hunter2'", "notify.webhook_secret", 2, "no signing secret", "whsec_",
    ),
    "short signing secret": (
        "[notify]\nwebhook_secret='whsec_aGk='", "notify.webhook_secret", 2, "no signing secret", "24 to 64",
    ),
    "severity of nobody": (
        "[notify.severity]\nwebhok='info'", "notify.severity", 1, "webhok names no notifier", "telegram",
    ),
    "severity that is none": ("[notify.severity]\nwebhook='loud'", "notify.severity.webhook", 2, "", "critical"),
    "escalation to nobody": (
        "[notify.escalate]\nafter=60\nto=[]", "notify.escalate.to", 3, "names no notifier", "apprise",
    ),
    "quiet hours without length": (
        "[notify.quiet]\nbegin=22:00:00\nend=22:00:00", "notify.quiet", 1, "same time", "take [notify.quiet] out",
    ),
    "quiet hours that are none": ("[notify.quiet]\nbegin='late'\nend=07:00:00", "notify.quiet.begin", 2, "", ""),
    "empty webhook": ("[notify]\nwebhook=''", "notify.webhook", 2, "not a URL", "https://"),
    "syntax": ("[daemon]\nlisten = \n", "syntax", 2, "invalid value", "quotes"),
    "end of the text": ("[daemon]\nx = [1\n", "syntax", 3, "unclosed array at the end", "lists end with ]"),
    "key given twice": ("[guard]\ndry_run = true\n[guard]\n", "syntax", 3, "twice", ""),
}  # fmt: skip


@pytest.mark.parametrize(("text", "key", "line", "wrong", "right"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_place_and_its_cure(
    tmp_path: Path, text: str, key: str, line: int, wrong: str, right: str
) -> None:
    found = problems_of(tmp_path, text)
    assert key in found
    assert (found[key].file, found[key].line) == (str(tmp_path / "selfheal.toml"), line)
    assert wrong in found[key].wrong
    assert right in found[key].right


ALONE = {
    name: case
    for name, case in MISTAKES.items()
    if name not in ("misspelt command", "no way to ask, misspelt key", "no way to ask, wrong value")
}


@pytest.mark.parametrize(("text", "key"), [case[:2] for case in ALONE.values()], ids=ALONE)
def test_one_mistake_is_one_error(tmp_path: Path, text: str, key: str) -> None:
    assert list(problems_of(tmp_path, text)) == [key]


def test_all_mistakes_are_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        "[daemon]\nlisten='x'\nstop_timeout=0\n[agents.a]\ncomand='x'\ndepends_on=['nobody']\n"
        "checks=[{tcp=1}, {}]\n[agents.b]\ncommand='x'\nrestart='allways'\ndepends_on=['b']\n"
        "directory='gone'\n[[guard.maintenance]]\nagents=['zz']\ncron='x'\nminutes=0\n"
    )
    with pytest.raises(ConfigInvalid) as caught:
        load_text(tmp_path, text)
    assert [(problem.line, problem.key) for problem in caught.value.problems] == [
        (2, "daemon.listen"),
        (3, "daemon.stop_timeout"),
        (4, "agents.a"),
        (5, "agents.a.comand"),
        (6, "agents.a.depends_on[0]"),
        (7, "agents.a.checks[0].tcp"),
        (7, "agents.a.checks[1]"),
        (10, "agents.b.restart"),
        (11, "agents.b.depends_on"),
        (12, "agents.b.directory"),
        (14, "guard.maintenance[0].agents[0]"),
        (15, "guard.maintenance[0].cron"),
        (16, "guard.maintenance[0].minutes"),
    ]
    assert caught.value.exit_code == 2


def test_an_error_reads_file_line_key_wrong_right(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        load_text(tmp_path, "[guard]\nattempts_per_hour = -1\n")
    assert str(caught.value) == (
        f"{tmp_path / 'selfheal.toml'}:2: guard.attempts_per_hour: -1 is out of range; write a number of at least 0"
    )


def test_a_mistake_in_an_agent_with_instances_is_said_once(tmp_path: Path) -> None:
    text = "[agents.a]\ncommand='x'\ninstances=5\nfixes=['{index}']\ndirectory='{index}'\nready={tcp='{index}'}\n"
    assert sorted(problems_of(tmp_path, text)) == ["agents.a.directory", "agents.a.fixes[0]", "agents.a.ready.tcp"]


def test_two_rings_are_two_errors(tmp_path: Path) -> None:
    text = "".join(f"[agents.{a}]\ncommand='x'\ndepends_on=['{b}']\n" for a, b in ("ab", "ba", "cd", "dc"))
    found = problems_of(tmp_path, text)
    assert [problem.wrong for problem in found.values()] == [
        "it waits for itself: a -> b -> a",
        "it waits for itself: c -> d -> c",
    ]


@pytest.mark.parametrize(
    ("environment", "place", "key", "wrong"),
    [
        ({"PORT": "abc"}, "environment PORT", "daemon.listen", "'abc' is not a port"),
        ({"PORT": "70000"}, "environment PORT", "daemon.listen", "'70000' is not a port"),
        ({"PORT": "8080"}, "environment PORT", "daemon.listen", "there is no token"),
        ({"SELFHEAL_LISTEN": "x"}, "environment SELFHEAL_LISTEN", "daemon.listen", "'x' is not host:port"),
        ({"SELFHEAL_LOG_LEVEL": "loud"}, "environment SELFHEAL_LOG_LEVEL", "daemon.log_level", "'loud'"),
        ({"SELF_HEALING_INTERVAL": "0"}, "environment SELF_HEALING_INTERVAL", "daemon.self_healing_interval", "range"),
        ({"CHAOS_ENABLED": "maybe"}, "environment CHAOS_ENABLED", "daemon.chaos_enabled", "not true or false"),
        (
            {"RENDER_MODE": "true", "TELEGRAM_BOT_TOKEN": "t"},
            "environment RENDER_MODE",
            "daemon.render_mode",
            "need TELEGRAM_CHAT_ID, which is not set",
        ),
    ],
)
def test_a_bad_variable_is_named_as_the_place(
    tmp_path: Path, environment: dict[str, str], place: str, key: str, wrong: str
) -> None:
    problem = problems_of(tmp_path, "", environment)[key]
    assert (problem.file, problem.line) == (place, None)
    assert wrong in problem.wrong


def test_a_bad_option_is_named_as_the_place(tmp_path: Path) -> None:
    problem = problems_of(tmp_path, "", {"PORT": "abc"}, Overrides(listen="nowhere"))["daemon.listen"]
    assert problem.file == "option --listen"


@pytest.mark.parametrize("listen", ["0.0.0.0:80", "[::]:80", "example.org:80"])
def test_a_public_address_needs_a_token_or_open_reads(tmp_path: Path, listen: str) -> None:
    text = f"[daemon]\nlisten = '{listen}'\n"
    assert list(problems_of(tmp_path, text)) == ["daemon.listen"]
    assert problems_of(tmp_path, text, {"SELFHEAL_TOKEN": "longer-than-7"}) == {}
    assert problems_of(tmp_path, text + "token = 'longer-than-7'\n") == {}
    assert problems_of(tmp_path, text + "public_reads = true\n") == {}


@pytest.mark.parametrize("name", ["TOKEN", "SCRAPE_TOKEN"])
def test_a_token_that_a_stranger_may_guess_is_refused_where_strangers_come(tmp_path: Path, name: str) -> None:
    environment = {"SELFHEAL_TOKEN": "longer-than-7", f"SELFHEAL_{name}": " short \n"}
    assert problems_of(tmp_path, "", environment) == {}
    (problem,) = problems_of(tmp_path, "[daemon]\nlisten = '0.0.0.0:80'\n", environment).values()
    assert (problem.file, problem.key) == (f"environment SELFHEAL_{name}", f"daemon.{name.lower()}")
    assert "shorter than 8" in problem.wrong


@pytest.mark.parametrize("name", ["TOKEN", "SCRAPE_TOKEN"])
@pytest.mark.parametrize(
    ("token", "wrong"), [(" ", "blank"), ("\t\n", "blank"), ("schlüssel", "header"), ("hunter2\nhunter3", "header")]
)
def test_a_token_that_no_header_carries_is_refused(tmp_path: Path, name: str, token: str, wrong: str) -> None:
    (problem,) = problems_of(tmp_path, "", {f"SELFHEAL_{name}": token}).values()
    assert (problem.file, problem.key) == (f"environment SELFHEAL_{name}", f"daemon.{name.lower()}")
    assert wrong in problem.wrong
    assert "hunter" not in str(problem)


@pytest.mark.parametrize("listen", ["127.0.0.1:80", "127.1.2.3:80", "[::1]:80", "localhost:80"])
def test_a_loopback_address_needs_no_token(tmp_path: Path, listen: str) -> None:
    assert problems_of(tmp_path, f"[daemon]\nlisten = '{listen}'\n") == {}


def test_a_bad_line_of_an_environment_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("A=1\nhunter2\n")
    found = problems_of(tmp_path, "[agents.a]\ncommand='x'\nenvironment_file='env'\n")
    assert f"line 2 of {tmp_path / 'env'}" in found["agents.a.environment_file"].wrong
    assert "hunter2" not in str(found)


def test_no_secret_stands_in_a_message(tmp_path: Path) -> None:
    text = "[daemon]\ntoken=['hunter2']\n[agents.a]\ncommand='x'\nenvironment={A=['hunter2'], B=31337}\n"
    found = problems_of(tmp_path, text + "[notify]\nwebhook='htp://hunter2/'\n")
    assert sorted(found) == ["agents.a.environment.A", "agents.a.environment.B", "daemon.token", "notify.webhook"]
    assert "hunter2" not in str(found)
    assert "31337" not in str(found)


def unreadable(path: Path) -> Problem:
    with pytest.raises(ConfigInvalid) as caught:
        load(path, {}, Overrides(), AGENTS, CHECKS)
    (problem,) = caught.value.problems
    return problem


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    assert "No such file" in unreadable(tmp_path / "gone.toml").wrong
    assert "Is a directory" in unreadable(tmp_path).wrong
    (tmp_path / "bytes").write_bytes(b"a = 1\nb = '\xff'\n")
    assert (unreadable(tmp_path / "bytes").line, unreadable(tmp_path / "bytes").wrong) == (2, "this line is not UTF-8")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a = '''" + "x" * 9_000_000 + "'''", "too large"),
        ("a = " + "[" * 40 + "]" * 40, "nested too deep"),
        ("a = " + "[" * 9000 + "]" * 9000, "nested too deep"),
        ("a = 1" + "0" * 9000, "too many digits"),
        ('a = ["\\u0000"]', "NUL"),
    ],
    ids=["large", "deep", "deeper than the parser", "digits", "NUL"],
)
def test_what_no_configuration_holds_is_refused_before_it_does_harm(tmp_path: Path, text: str, wrong: str) -> None:
    (problem,) = problems_of(tmp_path, text).values()
    assert wrong in problem.wrong
