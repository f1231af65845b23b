"""Do the modules keep to the rules that no linter knows?"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import PACKAGE, ROOT, parsed, place, python_files

MUTABLE_CALLS = frozenset({"bytearray", "Counter", "defaultdict", "deque", "dict", "list", "OrderedDict", "set"})

# The name that a distribution is imported by, where it is not its own.
IMPORTED_AS = {
    "dnspython": "dns",
    "prometheus-client": "prometheus_client",
    "python-telegram-bot": "telegram",
    "scikit-learn": "sklearn",
    "xgboost-cpu": "xgboost",
}
# FastAPI is Starlette with types, and pydantic's own documentation sends one to pydantic_core for errors and URLs.
# What is not for those who use it.
FOR_US = ("dev", "bench", "judges")
COMES_WITH = {"starlette": "fastapi", "pydantic_core": "pydantic"}


def test_no_module_is_longer_than_one_can_hold_in_mind() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_bytes().splitlines()) for path in python_files()}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_every_module_is_named_for_what_it_does() -> None:
    vague = re.compile(r"(utils?|helpers?|managers?|common|misc)\.py|_(utils?|helpers?|managers?)\.py")
    named = [path for path in python_files() if vague.fullmatch(path.name) or vague.search(path.name)]
    assert named == []


def test_no_module_holds_state() -> None:
    """What changes at module level is shared by the whole process, tests included. Upper case says: a constant."""
    holding = [
        f"{place(path, statement)} {name}"
        for path in python_files(PACKAGE)
        for statement in parsed(path).body
        for name in _mutable_names(statement)
    ]
    rebinding = [
        f"{place(path, node)} global {', '.join(node.names)}"
        for path in python_files(PACKAGE)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Global)
    ]
    assert holding + rebinding == []


def test_no_test_sleeps() -> None:
    """A test waits for a condition with a deadline, or in virtual time. `sleep(0)` only lets others run."""
    sleeping = [
        place(path, node)
        for path in python_files(ROOT / "tests")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and _sleeps(node)
    ]
    assert sleeping == []


def test_every_dependency_is_declared_and_used() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = (
        name for extra, wanted in project["optional-dependencies"].items() if extra not in FOR_US for name in wanted
    )
    names = (re.split(r"[^\w-]", wanted, maxsplit=1)[0] for wanted in (*project["dependencies"], *extras))
    declared = {IMPORTED_AS.get(name, name) for name in names}
    imported = {COMES_WITH.get(name, name) for path in python_files(PACKAGE) for name in _imports(path)}
    assert imported - sys.stdlib_module_names - {"selfheal"} == declared


def _mutable_names(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.Assign(targets=targets, value=value) if _is_mutable(value):
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if _is_mutable(value):
            names = [name]
        case _:
            names = []
    return (name for name in names if name != "__all__" and not name.isupper())


def _is_mutable(value: ast.expr) -> bool:
    match value:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in MUTABLE_CALLS
        case _:
            return False


def _sleeps(call: ast.Call) -> bool:
    match call:
        case ast.Call(args=[ast.Constant(value=0)]):
            return False
        case ast.Call(func=ast.Name(id="sleep")):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr="sleep")):
            return module in {"anyio", "asyncio", "time"}
        case _:
            return False


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(parsed(path)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
            case _:
                pass
