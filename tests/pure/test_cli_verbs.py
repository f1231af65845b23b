"""Does every verb say what it does, and does wrong use say what is wrong?"""

from __future__ import annotations

import re
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from selfheal.cli import GROUPS, find_verb, main, parser_of
from selfheal.cli.verb import Verb

VERBS = [verb for group in GROUPS for verb in group.verbs]
HEAVY = ("asyncio", "fastapi", "httpx", "msgspec", "pydantic", "structlog", "uvicorn")


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_helps_with_an_example_that_it_understands(verb: Verb, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*verb.name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert verb.summary in shown
    assert f"selfheal {verb.example}" in shown
    words = verb.example.split("&&")[0].split(">")[0].split()
    found, rest = find_verb(words)
    assert found == verb
    assert isinstance(parser_of(verb).parse_args(rest), Namespace)


def test_the_overview_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert [verb.name for verb in VERBS if f"  {verb.name} " not in shown] == []


def test_no_verb_at_all_shows_the_overview_as_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "selfheal VERB" in shown.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["incident"], "did you mean 'incidents'?"),
        (["config"], "'config check'"),
        (["zzz"], "there is no such verb"),
        (["stop"], "AGENT"),
        (["status", "--nonsense"], "--nonsense"),
        (["demo", "--seconds", "soon"], "not a duration"),
        (["logs", "api", "-n", "0"], "not a whole number above 0"),
        (["status", "--state-dir", ""], "it is empty; write a path, or leave the option out"),
        (["run", "--state-dir", ""], "argument --state-dir: it is empty"),
        (["run", "--config", ""], "argument --config: it is empty"),
        (["demo", "--state-dir", ""], "argument --state-dir: it is empty"),
        (["config", "show", ""], "argument FILE: it is empty"),
        (["status", "--url", "ftp://host"], "write --url http"),
        (["status", "--url", "http://[bad"], "write --url http"),
    ],
)
def test_wrong_use_is_2_and_says_what_would_be_right(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err


@pytest.mark.parametrize("word", ["config", "incidents"])
def test_help_for_the_first_of_two_words_lists_what_may_follow(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    for help_word in ("--help", "-h"):
        assert main([word, help_word]) == 0
        shown = capsys.readouterr()
        assert shown.err == ""
        longer = [verb for verb in VERBS if verb.name.startswith(f"{word} ")]
        assert [verb.name for verb in longer if f"  {verb.name:<16} {verb.summary}\n" not in shown.out] == []


def test_the_version_is_a_fact(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith("selfheal ")
    assert main(["--version"]) == 0


def test_no_verb_is_paid_for_before_it_is_used() -> None:
    code = f"import selfheal.cli, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert result.stdout.strip() == "[]"


def test_nobody_is_told_to_use_a_verb_that_is_not_there() -> None:
    root = Path(__file__).parents[2]
    files = [root / "README.md", *root.glob("docs/*.md"), *root.glob("selfheal/**/*.py"), *root.glob("examples/*.toml")]
    told = [
        (file.name, words)
        for file in files
        for words in re.findall(r"['`]selfheal ((?!import )[a-z]+(?: [a-z]+)?)", file.read_text("utf-8"))
    ]
    assert len(told) > 20
    assert [(name, words) for name, words in told if find_verb(words.split())[0] is None] == []


@pytest.mark.parametrize("verb", ["version", "version --json", "status --help", "--help"])
@pytest.mark.parametrize(("stdout", "why"), [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")])
def test_facts_that_cannot_be_printed_are_one_clear_line_and_1(verb: str, stdout: str, why: str) -> None:
    command = f'exec "{sys.executable}" -m selfheal {verb} {stdout}'
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"cannot write to stdout: {why}; send it to a file with room, or to a terminal\n"


def test_where_nobody_can_be_told_the_exit_code_tells_all_the_same() -> None:
    command = f'exec "{sys.executable}" -m selfheal zzz 2>&-'
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=False)
    assert (result.returncode, result.stdout) == (2, "")
