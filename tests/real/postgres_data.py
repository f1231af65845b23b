"""How does a test have a PostgreSQL database to look at, to back up and to damage?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from selfheal.data.postgres import PostgresAsset
from selfheal.data.postgres_options import Options
from selfheal.data.postgres_place import Place, read_place
from selfheal.data.postgres_tools import talking

PAGE = 8192


def url(port: int, database: str, who: str = "boss") -> str:
    return f"postgresql://{who}@127.0.0.1:{port}/{database}"


def asset(port: int, database: str, who: str = "boss", options: Options | None = None) -> PostgresAsset:
    return PostgresAsset(agent="ledger", url=url(port, database, who), options=options or Options())


def place(port: int, database: str = "postgres", who: str = "boss") -> Place:
    return read_place(url(port, database, who))


def told(port: int, database: str, *statements: str) -> list[str]:
    """Carry out statements as the superuser; the answer of the last."""
    lines: list[bytes] = []
    with talking(place(port, database)) as talk:
        for statement in statements:
            lines = talk.lines(statement)
    return [line.decode() for line in lines]


def file_of(port: int, database: str, relation: str, data: Path) -> Path:
    (path,) = told(port, database, f"SELECT pg_relation_filepath('{relation}')")
    return data / path


def overwrite(file: Path, at: int, data: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(data)


def flip(file: Path, needle: bytes) -> None:
    """Flip one bit in the first place of a file where these bytes stand."""
    at = file.read_bytes().index(needle)
    overwrite(file, at, bytes([needle[0] ^ 1]))


def zero(file: Path, page: int = 1) -> None:
    overwrite(file, page * PAGE, bytes(PAGE))


def smash(file: Path, page: int = 1) -> None:
    """Let the header of a page be nonsense."""
    overwrite(file, page * PAGE + 8, b"\xff" * 12)


def rows(names: Sequence[str], count: int = 1000) -> list[str]:
    """Statements that make tables of a few pages each, alike but for their names."""
    return [
        statement
        for name in names
        for statement in (
            f"CREATE TABLE {name} (id int PRIMARY KEY, note text)",
            f"INSERT INTO {name} SELECT n, 'note ' || lpad(n::text, 30, '-') FROM generate_series(1, {count}) n",
        )
    ]
