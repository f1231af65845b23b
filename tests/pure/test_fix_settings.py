"""Is what a fix is told about an agent refused where it makes no sense, and filled in where it belongs?"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from selfheal.agents import AGENT_KINDS
from selfheal.compose.fleet import Fleet
from selfheal.compose.secrets import secrets_of
from selfheal.config.healing import FixConfig
from selfheal.config.load import Loaded, Overrides, load
from selfheal.errors import ConfigInvalid, FixFailed
from selfheal.kinds import Act, HttpCall, Target
from selfheal.observe import CHECKS
from selfheal.recover import FIXES
from selfheal.recover.limits import RAISE_LIMIT, RaiseLimitSettings
from selfheal.recover.own import own_fix
from selfheal.recover.reload import RELOAD, ReloadSettings
from selfheal.world import EMPTY, Agent

API = '[agents.api]\ncommand = ["python3", "api.py"]\n'


def loaded(folder: Path, text: str) -> Loaded:
    file = folder / "selfheal.toml"
    file.write_text(text)
    agents = {kind.name: kind.model for kind in AGENT_KINDS}
    checks = {kind.name: kind.model for kind in CHECKS}
    return load(file, {}, Overrides(), agents, checks, fix_models={fix.name: fix.settings for fix in FIXES})


def fixes_of(folder: Path, text: str, agent: str = "api") -> list[str]:
    fleet = Fleet(loaded(folder, text), AGENT_KINDS, CHECKS, FIXES, {}, lambda name: {})
    return [fix.name for fix in fleet.plans[agent].fixes]


class Recorded:
    """Hands that only write down what they are told; the other methods are never asked for here."""

    def __init__(self) -> None:
        self.ran: list[tuple[tuple[str, ...], str, float]] = []
        self.called: list[HttpCall] = []

    async def run_command(self, argv: tuple[str, ...], agent: str, timeout_s: float) -> str:
        self.ran.append((argv, agent, timeout_s))
        return "ran"

    async def call_http(self, call: HttpCall) -> str:
        self.called.append(call)
        return "called"


def applied(config: FixConfig, target: Target, *, undo: bool = False) -> Recorded:
    hands = Recorded()
    fix = own_fix("mine", config)
    act = fix.undo if undo else fix.acts[0]
    assert act is not None
    do(act, hands, target)
    return hands


def do(act: Act, hands: Recorded, target: Target) -> None:
    async def done() -> None:
        await act.apply(hands, target)  # type: ignore[arg-type]  # two methods of it are all that such a fix uses

    asyncio.run(done())


# --- who they fit ---


def test_a_fix_that_has_to_be_told_something_fits_those_who_tell_it(tmp_path: Path) -> None:
    assert fixes_of(tmp_path, API) == ["restart", "restart_with_dependents", "quarantine"]
    told = API + "limits = { fds = 100 }\n[agents.api.healing]\nreload = {}\nraise_limit = { fds = 200 }\n"
    assert fixes_of(tmp_path, told) == ["restart", "restart_with_dependents", "quarantine", "reload", "raise_limit"]


def test_only_an_agent_for_which_something_stands_by_is_replaced_by_that(tmp_path: Path) -> None:
    assert "replace_by_spare" not in fixes_of(tmp_path, API)
    assert "replace_by_spare" in fixes_of(tmp_path, API + 'standby = "spare"')
    assert "replace_by_spare" in fixes_of(tmp_path, API + 'standby = "zygote"')


def test_what_does_not_run_is_neither_told_to_reload_nor_replaced() -> None:
    for fix in FIXES:
        if fix.name in ("reload", "replace_by_spare"):
            assert fix.unfit(EMPTY, Agent("api")).startswith("nothing of it runs")


# --- what is refused ---


@pytest.mark.parametrize(
    ("agent", "told", "wrong"),
    [
        (API, "reload = { signal = 'TERM' }", "not a choice"),
        ('[agents.api]\nkind = "service"\n', "reload = {}", "reaches a process of this daemon alone"),
        ('[agents.api]\nkind = "service"\n', "raise_limit = { fds = 10 }", "only a process of this daemon has limits"),
        (API, "raise_limit = {}", "it says of no limit how far"),
        (API, "raise_limit = { memory = '1GB' }", "there is no limits.memory that could be raised"),
        (API + "limits = { fds = 100 }\n", "raise_limit = { fds = 100 }", "fds is not above limits.fds"),
        (API + "limits = { memory = '1GB' }\n", "raise_limit = { memory = '400MB' }", "memory is not above"),
        (API, "replace_by_spare = {}", "this fix has nothing to be told"),
        (API, "shed_load = { agents = ['nobody'] }", "there is no agent 'nobody'"),
        (API, "shed_load = { agents = ['api'] }", "it names the agent itself"),
        (API, "failover = { to = 'nobody' }", "there is no agent 'nobody'"),
        (API + "instances = 3\n", "scale_up = { most = 3 }", "most is not above instances"),
        ('[agents.api]\nkind = "service"\n', "scale_up = { most = 3 }", "only a process of this daemon has instances"),
        (API, "free_disk = { paths = ['/'] }", "is a folder of the system itself"),
        (API, "clean_restart = { caches = [] }", "it is empty"),
        (API, "roll_back = { files = [] }", "it is empty"),
    ],
)
def test_settings_that_do_not_go_with_the_agent_are_refused_with_their_place(
    tmp_path: Path, agent: str, told: str, wrong: str
) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        loaded(tmp_path, f"{agent}[agents.api.healing]\n{told}\n")
    (problem,) = caught.value.problems
    assert problem.key.startswith("agents.api.healing.")
    assert wrong in problem.wrong
    assert problem.right


@pytest.mark.parametrize(
    "headers", [{"X Bad": "x"}, {"X-Two": "lines\r\nX-More: 1"}, {"X-Heart": "\N{BLACK HEART SUIT}"}]
)
def test_headers_that_cannot_be_sent_are_refused_without_their_values(headers: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="is not a header that can be sent") as caught:
        FixConfig.model_validate({"http": "http://127.0.0.1/", "headers": headers})
    assert all(value not in str(caught.value) for value in headers.values() if len(value) > 1)


def test_an_act_whose_settings_are_gone_meanwhile_says_so() -> None:
    for fix, cause in ((RELOAD, "stale"), (RAISE_LIMIT, "out_of_fds")):
        with pytest.raises(FixFailed, match=f"healing.{fix.name}"):
            do(fix.acts[0], Recorded(), Target("api", cause))
    memory_alone = Target("api", "out_of_fds", settings=RaiseLimitSettings(memory=10**9))
    with pytest.raises(FixFailed, match="cannot raise fds of api"):
        do(RAISE_LIMIT.acts[0], Recorded(), memory_alone)
    assert ReloadSettings().signal == "HUP"


# --- the user's own ---


TARGET = Target("api:0", 'say "no"/{incident}', incident="inc 1")


def test_places_in_a_command_are_filled_in_word_by_word_and_never_twice() -> None:
    config = FixConfig(command=("mend", "--of={agent}", "{cause}", "{incident}", "{other}"), timeout=7)
    assert applied(config, TARGET).ran == [
        (("mend", "--of=api:0", 'say "no"/{incident}', "inc 1", "{other}"), "api:0", 7.0)
    ]


def test_places_in_a_url_are_percent_encoded_and_in_what_is_sent_as_json_writes_them() -> None:
    body = '{"agent": "{agent}", "why": "{cause}", "n": 1}'
    config = FixConfig(http="https://example.org/{agent}?why={cause}&in={incident}", body=body, method="PUT", timeout=3)
    (call,) = applied(config, TARGET).called
    assert call.url == "https://example.org/api%3A0?why=say%20%22no%22%2F%7Bincident%7D&in=inc%201"
    assert json.loads(call.body) == {"agent": "api:0", "why": 'say "no"/{incident}', "n": 1}
    assert (call.method, call.timeout_s) == ("PUT", 3.0)
    assert call.headers["Content-Type"].get_secret_value() == "application/json"


def test_a_kind_of_content_is_said_where_the_user_does_not_say_one() -> None:
    plain = applied(FixConfig(http="http://a/", body="mend {agent}"), TARGET).called[0]
    assert plain.headers["Content-Type"].get_secret_value() == "text/plain; charset=utf-8"
    own = FixConfig(http="http://a/", body="{}", headers={"content-type": SecretStr("application/x-mine")})
    assert list(applied(own, TARGET).called[0].headers) == ["content-type"]
    assert applied(FixConfig(http="http://a/", method="GET"), TARGET).called[0].headers == {}


def test_the_command_that_takes_a_fix_back_is_its_undo() -> None:
    config = FixConfig(http="http://a/", undo=("put-back", "{agent}"), timeout=5)
    assert applied(config, TARGET, undo=True).ran == [(("put-back", "api:0"), "api:0", 5.0)]
    assert own_fix("mine", FixConfig(command=("mend",))).undo is None


def test_nobody_knows_what_a_call_does_when_it_is_made_twice() -> None:
    assert not own_fix("mine", FixConfig(http="http://a/")).repeats("")


def test_every_header_of_a_fix_is_a_secret_but_those_that_say_what_is_sent(tmp_path: Path) -> None:
    text = (
        API + '[fixes.mine]\nhttp = "http://a/"\nheaders = { X-Hook = "hunter22", Content-Type = "application/json" }'
    )
    known = set(secrets_of(loaded(tmp_path, text)))
    assert "hunter22" in known
    assert "application/json" not in known


# --- what is written about them ---

HEADINGS = ("reload", "replace_by_spare", "raise_limit", "Fixes of your own")


@pytest.mark.parametrize("heading", HEADINGS)
def test_the_example_of_each_fix_is_a_configuration_that_can_be_run(tmp_path: Path, heading: str) -> None:
    text = (Path(__file__).parents[2] / "docs/healing.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    example = section.partition("```toml\n")[2].partition("```")[0]
    (agent,) = loaded(tmp_path, example).config.agents
    wanted = ["purge", "shift"] if heading == HEADINGS[-1] else [heading]
    assert set(wanted) <= set(fixes_of(tmp_path, example, agent))
