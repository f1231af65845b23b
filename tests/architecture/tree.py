"""Which files make up the project? Asked of the folder and not of git, so that an archive can be tested too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "selfheal"

# What tools and daemons leave behind, as .gitignore has it.
LEFT_BEHIND = frozenset({".git", ".venv", "__pycache__", ".hypothesis", "build", "dist", "htmlcov", "state", ".env"})


def files(below: Path = ROOT) -> Iterator[Path]:
    """Every file of the project below a folder, in order."""
    for path in sorted(below.iterdir()):
        if path.name in LEFT_BEHIND or path.name.endswith(("_cache", ".egg-info")):
            continue
        if path.is_dir():
            yield from files(path)
        else:
            yield path


def python_files(below: Path = ROOT) -> list[Path]:
    return [path for path in files(below) if path.suffix == ".py"]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def place(path: Path, node: ast.stmt | ast.expr) -> str:
    """Where a node stands, as an editor opens it."""
    return f"{path.relative_to(ROOT)}:{node.lineno}"
