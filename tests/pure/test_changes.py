"""Is what differs between two configurations found, and nothing else?"""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal.agents import AGENT_KINDS
from selfheal.compose.changes import Changes, bounded, compare
from selfheal.compose.fleet import Fleet, waves
from selfheal.config.load import Loaded, Overrides, load
from selfheal.observe import CHECKS
from selfheal.recover import FIXES

API = """
[agents.db]
command = "db"
[agents.api]
command = "api {index}"
depends_on = ["db"]
checks = [{ tcp = "127.0.0.1:1", interval = 5 }]
limits = { memory = "100MB", fds = 100 }
"""


def loaded(folder: Path, text: str) -> Loaded:
    file = folder / "selfheal.toml"
    file.write_text(text)
    agents = {kind.name: kind.model for kind in AGENT_KINDS}
    checks = {kind.name: kind.model for kind in CHECKS}
    return load(file, {}, Overrides(), agents, checks, fix_models={fix.name: fix.settings for fix in FIXES})


def changes(folder: Path, before: str, after: str) -> Changes:
    old = loaded(folder, before)
    fleet = Fleet(old, AGENT_KINDS, CHECKS, FIXES, {}, lambda agent: {})
    new = loaded(folder, after)
    return compare(old.config, new.config, fleet.plans, fleet.draft(bounded(old, new)))


def test_the_same_file_is_no_change(tmp_path: Path) -> None:
    text = API + '[fixes.mine]\ncommand = "mend"\n[agents.site]\nkind = "service"\nfixes = ["mine"]'
    assert changes(tmp_path, text, f"# a comment\n{text}") == Changes(unchanged=("db", "api", "site"))


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('"api {index}"', '"api --fast"'),
        ('depends_on = ["db"]', 'depends_on = ["db"]\nenvironment = { A = "1" }'),
        ('depends_on = ["db"]', 'depends_on = ["db"]\ndirectory = "/"'),
        ('depends_on = ["db"]', 'depends_on = ["db"]\nuser = "nobody"'),
        ('depends_on = ["db"]', 'depends_on = ["db"]\nlog = { file = "mine.log" }'),
        ("fds = 100", "fds = 200"),
        ('depends_on = ["db"]', 'depends_on = ["db"]\nnice = 5'),
        ('depends_on = ["db"]', 'depends_on = ["db"]\numask = "027"'),
    ],
)
def test_what_starts_a_process_in_another_way_restarts_it_alone(tmp_path: Path, was: str, becomes: str) -> None:
    found = changes(tmp_path, API, API.replace(was, becomes))
    assert found == Changes(restarted=("api",), unchanged=("db",))


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("interval = 5", "interval = 6"),
        ("127.0.0.1:1", "127.0.0.1:2"),
        ('depends_on = ["db"]\n', ""),
        ("100MB", "200MB"),
        ("fds = 100", "fds = 100, cpu = 0.5"),
        ('depends_on = ["db"]', 'depends_on = ["db"]\nrestart = "never"'),
        ('depends_on = ["db"]', 'depends_on = ["db"]\nready = { tcp = "127.0.0.1:1" }'),
        ('depends_on = ["db"]', 'depends_on = ["db"]\nstop = { timeout = 3 }'),
        ('depends_on = ["db"]', 'depends_on = ["db"]\nlog = { keep = 3 }'),
        ('depends_on = ["db"]', 'depends_on = ["db"]\nsignals = [{ prometheus = "http://127.0.0.1:1/" }]'),
    ],
)
def test_everything_else_about_an_agent_is_taken_as_it_runs(tmp_path: Path, was: str, becomes: str) -> None:
    assert changes(tmp_path, API, API.replace(was, becomes)) == Changes(changed=("api",), unchanged=("db",))


def test_a_fix_that_is_written_in_another_way_changes_those_who_have_it(tmp_path: Path) -> None:
    text = API + '[fixes.mine]\ncommand = "mend"\n[agents.site]\nkind = "service"\nfixes = ["mine"]'
    found = changes(tmp_path, text, text.replace('"mend"', '"mend well"'))
    assert found == Changes(changed=("site",), unchanged=("db", "api"))


def test_agents_go_before_those_they_depend_on_and_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = changes(tmp_path, API, '[agents.other]\ncommand = "other"\n[agents.more]\ncommand = "more"')
    assert found == Changes(added=("other", "more"), removed=("api", "db"))


def test_more_instances_touch_none_that_are_there(tmp_path: Path) -> None:
    two = API.replace("limits", "instances = 2\nlimits")
    found = changes(tmp_path, two, two.replace("instances = 2", "instances = 3"))
    assert found == Changes(added=("api:2",), unchanged=("db", "api:0", "api:1"))


def test_an_agent_that_becomes_another_kind_is_another_agent(tmp_path: Path) -> None:
    after = API.replace('command = "api {index}"', 'kind = "service"').replace("limits = {", "#")
    found = changes(tmp_path, API, after)
    assert (found.removed, found.added, found.unchanged) == (("api",), ("api",), ("db",))


def test_settings_are_told_by_whether_this_daemon_can_take_them(tmp_path: Path) -> None:
    old = '[daemon]\nlisten = "127.0.0.1:1"\nlog_level = "info"\n' + API
    new = '[daemon]\nlisten = "127.0.0.1:2"\nlog_level = "debug"\non_daemon_death = "kill"\n[guard]\ndry_run = true\n'
    found = changes(tmp_path, old, new + API)
    assert (found.settings, found.pending) == (
        ("daemon.log_level", "guard.dry_run"),
        ("daemon.listen", "daemon.on_daemon_death"),
    )
    assert found.restarted == (), "what the daemon does not take is not given to its agents either"
    before, after = loaded(tmp_path, old), loaded(tmp_path, new + API)
    in_force = bounded(before, after).config.daemon
    assert (in_force.listen, in_force.log_level) == ("127.0.0.1:1", "debug")


def test_waves_know_those_between(tmp_path: Path) -> None:
    text = (
        '[agents.c]\ncommand="c"\ndepends_on=["b"]\n[agents.b]\ncommand="b"\ndepends_on=["a"]\n[agents.a]\ncommand="a"'
    )
    plans = Fleet(loaded(tmp_path, text), AGENT_KINDS, CHECKS, FIXES, {}, lambda agent: {}).plans
    assert waves(plans, {"a", "c"}) == [["a"], ["c"]]
    assert waves(plans, {"nobody"}) == []


def test_a_person_has_the_last_word_on_how_many_and_names_stay(tmp_path: Path) -> None:
    one = loaded(tmp_path, API)
    assert one.again({"api": 3}, fresh=False).groups["api"] == ("api", "api:1", "api:2")
    assert one.again({"api": 3, "gone": 2}, fresh=False).config.agents["api:1"].model_dump()["command"] == ("api", "1")
    (tmp_path / "selfheal.toml").write_text(API.replace("limits", "instances = 4\nlimits"))
    assert one.again({}, fresh=False).groups["api"] == ("api",), "the file as it was"
    four = one.again({}, fresh=True)
    assert four.declared == {"db": 1, "api": 4}
    assert four.again({"api": 1}, fresh=False).groups["api"] == ("api:0",)
