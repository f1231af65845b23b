"""How is a PostgreSQL server spoken to? With its own programs, which have to be there for backups anyway.

A password travels in their environment, never on a command line, where everybody can read it. What they say of an
error is cut down to what holds no data.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from selfheal.data.postgres_place import Place
from selfheal.errors import DataFailed

# Where the packages of Debian and of Red Hat keep the programs of each version.
_FOLDERS = ((Path("/usr/lib/postgresql"), "*/bin"), (Path("/usr"), "pgsql-*/bin"))
# Of the user's own settings only those which say whom to trust and where a password lies.
_KEPT = frozenset({"PGPASSFILE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGSSLCRL", "PGSSLCRLDIR"})
_GOODBYE_S = 5
_MAINTENANCE = ("postgres", "template1")  # every server has them, unless somebody took them away

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_DAMAGE = ("XX", "58", "22021")  # internal errors, the disk's errors, bytes that are no text
_HOLDS_DATA = ("22", "23")  # the messages of these classes repeat a value
_DAMAGE_WORDS = re.compile(
    r"invalid page in block|could not read block|(?:missing|unexpected) chunk|is corrupt|invalid memory alloc"
    r"|could not access status of transaction|could not open file"
)
_SETTINGS = {
    "client_min_messages": "error",
    "synchronous_commit": "on",
    "row_security": "off",  # a count of what one may see would be taken for a count of what there is
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}


class StatementFailed(DataFailed):
    """The server refused a statement; `code` is its SQLSTATE, `words` are what it says."""

    def __init__(self, words: str, code: str) -> None:
        super().__init__(
            f"cannot carry out a statement on PostgreSQL: {words}", "corrupted" if code.startswith(_DAMAGE) else ""
        )
        self.words = words
        self.code = code

    @property
    def damage(self) -> bool:
        """Whether it could not be carried out since data are damaged."""
        return self.cause == "corrupted"


class Talk:
    """A session of psql. Statements are answered one at a time; one that fails does not end it."""

    def __init__(self, program: subprocess.Popen[bytes], complaints: IO[bytes]) -> None:
        self._program = program
        self._complaints = complaints
        self._mark = f"selfheal-{secrets.token_hex(16)}".encode()

    def run(self, *statements: str) -> None:
        """Carry out statements, one after the other."""
        for statement in statements:
            self.lines(statement)

    def row(self, query: str) -> Mapping[str, Any]:
        """The one row of a query, by its columns."""
        (found,) = self.rows(query)
        return found

    def rows(self, query: str) -> list[Mapping[str, Any]]:
        """The rows of a query, by its columns."""
        return [json.loads(line) for line in self.lines(f"SELECT row_to_json(x) FROM (\n{query}\n) x")]

    def number(self, query: str) -> float:
        """The one value of somebody else's query. The server reads it, not psql: it cannot break out of its place."""
        wrapped = f"SELECT json_build_object('value', (\n{query.strip().rstrip(';')}\n)::float8)"
        found = [json.loads(line)["value"] for line in self.lines(f"SELECT {literal(wrapped)}", end="\\gexec")]
        if len(found) != 1 or found[0] is None:
            raise StatementFailed("it gives no number", "")
        return float(found[0])

    def lines(self, statement: str, end: str = ";") -> list[bytes]:
        """The answer to a statement, as psql writes it. Raises StatementFailed; DataFailed where the session ended."""
        mark = self._mark.decode()
        told = f"{statement}\n{end}\n\\echo {mark}\n\\echo :ERROR :SQLSTATE :LAST_ERROR_MESSAGE\n\\echo {mark}\n"
        assert self._program.stdin is not None
        try:
            self._program.stdin.write(told.encode())
            self._program.stdin.flush()
        except BrokenPipeError:
            with suppress(BrokenPipeError):  # what was not sent would be tried again at the end, and hide why
                self._program.stdin.close()
            raise self._lost() from None
        answer = list(self._until_mark())
        failed, code, message = b" ".join(self._until_mark()).decode(errors="replace").split(" ", 2)
        if failed == "true":
            raise StatementFailed(_said(code, message), code)
        return answer

    def leave(self) -> None:
        """Say goodbye, and wait until the session has ended: what it had open holds up nobody then."""
        with suppress(subprocess.TimeoutExpired, BrokenPipeError):
            self._program.communicate(timeout=_GOODBYE_S)

    def _until_mark(self) -> Iterator[bytes]:
        assert self._program.stdout is not None
        for line in self._program.stdout:
            if line.rstrip(b"\n") == self._mark:
                return
            yield line.rstrip(b"\n")
        raise self._lost()

    def _lost(self) -> DataFailed:
        self._program.wait()
        self._complaints.seek(0)
        return refusal(self._complaints.read().decode(errors="replace"))


@contextmanager
def talking(place: Place, *, timeout_s: float = 0, lock_timeout_s: float = 10) -> Iterator[Talk]:
    """A session, ended with the block. A statement that takes longer than `timeout_s` fails; 0: no limit."""
    words = [program("psql"), "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=0"]
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, env=environment(place)
        ) as psql,
    ):
        try:
            talk = Talk(psql, complaints)
            limits = {"statement_timeout": timeout_s, "lock_timeout": lock_timeout_s}
            settings = {**_SETTINGS, **{name: f"{limit * 1000:.0f}" for name, limit in limits.items()}}
            each = (f"set_config('{name}', '{value}', false)" for name, value in settings.items())
            talk.run(f"SELECT {', '.join(each)}")
            yield talk
            talk.leave()
        finally:
            psql.kill()  # it holds nothing but its session, which the server ends then


@contextmanager
def presiding(place: Place) -> Iterator[Talk]:
    """A session in a database of the same server that is not the one in question."""
    with ExitStack() as stack:
        for name in _MAINTENANCE:
            if name == place.database:
                continue
            try:
                talk = stack.enter_context(talking(replace(place, database=name)))
            except DataFailed:
                continue
            yield talk
            return
    raise DataFailed(
        f"cannot reach a maintenance database of the server at {where(place)}; let the role {place.user!r} connect to "
        "'postgres'",
        "bad_configuration",
    )


def run_tool(doing: str, words: Sequence[str], place: Place, timeout_s: float | None = None) -> str:
    """Run a program to its end. Raises DataFailed with what it says, and TimeoutExpired."""
    done = subprocess.run(
        words, env=environment(place), stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace")
        cause = "corrupted" if _DAMAGE_WORDS.search(said) else refusal(said).cause
        raise DataFailed(
            f"cannot {doing}: {brief(said) or f'{Path(words[0]).name} ended with {done.returncode}'}", cause
        )
    return done.stdout.decode(errors="replace")


def environment(place: Place) -> dict[str, str]:
    """What a program is given to find the server."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PG") or name in _KEPT}
    told = {
        "PGHOST": place.host, "PGPORT": str(place.port), "PGUSER": place.user, "PGDATABASE": place.database,
        "PGSSLMODE": place.sslmode, "PGAPPNAME": "selfheal", "PGCONNECT_TIMEOUT": "10", "PGCLIENTENCODING": "UTF8",
        "LC_ALL": "C",
    }  # fmt: skip
    return {**own, **told, **({"PGPASSWORD": place.password} if place.password is not None else {})}


def program(name: str, major: int = 0) -> str:
    """The path of a program that fits a server of this major version: the same, else the next newer one."""
    there = {_major(path): path for folder, below in _FOLDERS for path in folder.glob(f"{below}/{name}")}
    fitting = sorted(version for version in there if version >= major)
    if fitting:
        return str(there[fitting[0] if major else fitting[-1]])
    found = shutil.which(name)
    if found is not None and (not major or _asked(found) >= major):
        return found
    wanted = f" of PostgreSQL {major} or newer" if major else ""
    package = f"postgresql-client-{major}" if major else "postgresql-client"
    raise DataFailed(
        f"cannot find {name}{wanted}: data of PostgreSQL are looked at and backed up with its own programs; "
        f"'apt-get install {package}' brings it",
        "missing_program",
    )


def _major(path: Path) -> int:
    found = re.search(r"(\d+)/bin/", str(path))
    return int(found[1]) if found else 0


def _asked(path: str) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else 0


def refusal(said: str) -> DataFailed:
    """What becomes of the words of a program that could not get in, or was thrown out."""
    words = brief(said)
    misconfigured = re.search(r"authentication failed|no password supplied|pg_hba|role .* does not exist", words)
    return DataFailed(
        f"cannot talk to PostgreSQL: {words or 'the session ended'}",
        "bad_configuration" if misconfigured else "unreachable",
    )


def brief(said: str) -> str:
    """What a program says of its errors, without the data that it repeats."""
    lines = [line.strip() for line in said.splitlines() if re.search(r"error:|ERROR:|FATAL:", line)]
    plain = [re.sub(r"^\w+: (?:error|detail): |Error message from server: ", "", line) for line in lines[:2]]
    return "; ".join(_masked(re.sub(r"\s+", " ", line)) for line in plain)


def _masked(line: str) -> str:
    """Take a value away from the end of a message. Names stand before a verb, values behind a colon."""
    return re.sub(r'(invalid \S+ (?:syntax|value)[^:]*|out of range[^:]*|too long[^:]*): ?".*', r"\1", line)


def _said(code: str, message: str) -> str:
    shown = "a value is not as it should be" if code.startswith(_HOLDS_DATA) else message.strip()
    return f"{shown} ({code})"


def literal(text: str) -> str:
    """Write a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """Write a name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def as_target(name: str) -> str:
    """Write the name of a database for the option `-d`, which would take one with a sign in it for something else."""
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"


def where(place: Place) -> str:
    """Name a server."""
    return f"{place.host}:{place.port}"
