"""Is a command of the Python interpreter taken apart as the interpreter does it?"""

from __future__ import annotations

import pytest

from selfheal.config.python import PythonCommand, python_command


@pytest.mark.parametrize(
    ("words", "interpreter", "way", "target", "arguments"),
    [
        ("python app.py", "python", "script", "app.py", ""),
        ("/usr/bin/python3.12 app.py -m x", "/usr/bin/python3.12", "script", "app.py", "-m x"),
        ("venv/bin/python3 -m shop.api --port 1", "venv/bin/python3", "module", "shop.api", "--port 1"),
        ("python3.13t -u -OO app", "python3.13t -u -OO", "script", "app", ""),
        (
            "pypy3 -W ignore -Wdefault -X dev -Xutf8 app.py",
            "pypy3 -W ignore -Wdefault -X dev -Xutf8",
            "script",
            "app.py",
            "",
        ),
        (
            "python --check-hash-based-pycs never -Iu -m app",
            "python --check-hash-based-pycs never -Iu",
            "module",
            "app",
            "",
        ),
        ("python -uW ignore app.py", "python -uW ignore", "script", "app.py", ""),
    ],
)
def test_a_script_or_a_module_is_told_from_options(
    words: str, interpreter: str, way: str, target: str, arguments: str
) -> None:
    found = python_command(words.split())
    assert isinstance(found, PythonCommand)
    assert (found.interpreter, found.way) == (tuple(interpreter.split()), way)
    assert (found.target, found.arguments) == (target, tuple(arguments.split()))


@pytest.mark.parametrize(
    "words",
    ["", "python", "python -m", "python -c pass", "python -uc pass", "python -i app.py", "python - x", "python -W",
     "python --version", "node app.js", "pythonic app.py", "python-build app.py", "uvicorn shop:app"],
)  # fmt: skip
def test_anything_else_is_no_program_that_could_stand_by(words: str) -> None:
    assert python_command(words.split()) is None
