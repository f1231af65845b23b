"""Does every example that we print work as it stands?"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from selfheal.agents import AGENT_KINDS
from selfheal.cli import find_verb, parser_of
from selfheal.config.load import Loaded, Overrides, load
from selfheal.observe import CHECKS
from selfheal.recover import FIXES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"^(selfheal [^#\n]+)", README, re.MULTILINE)))


def loaded(path: Path) -> Loaded:
    return load(
        path,
        {},
        Overrides(),
        {kind.name: kind.model for kind in AGENT_KINDS},
        {kind.name: kind.model for kind in CHECKS},
        known_fixes=frozenset(fix.name for fix in FIXES),
    )


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: path.name)
def test_every_example_file_loads(path: Path) -> None:
    assert loaded(path).config.agents


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", README, re.DOTALL))
def test_every_configuration_in_the_readme_loads(block: str, tmp_path: Path) -> None:
    file = tmp_path / "selfheal.toml"
    file.write_text(block, encoding="utf-8")
    assert loaded(file).config.agents


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_in_the_readme_is_understood(line: str) -> None:
    verb, rest = find_verb(shlex.split(line)[1:])
    assert verb is not None, f"there is no verb in {line!r}"
    parser_of(verb).parse_args(rest)


def test_the_readme_names_the_commands_that_make_knows() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make (\w+)", README):
        if target != "nothing":
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_example_of_the_shop_becomes_what_it_says() -> None:
    shop = loaded(ROOT / "examples" / "shop.toml")
    assert list(shop.config.agents) == ["cache", "api:0", "api:1", "worker", "site"]
    assert shop.config.agents["worker"].depends_on == ("api:0", "api:1")
    assert shop.config.guard.maintenance[0].agents == ("api:0", "api:1")
