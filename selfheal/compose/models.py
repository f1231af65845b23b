"""Where are the models of the agents kept? One file for each under `models/`, all or nothing and durable.

What is refused is put aside under another name, one for each agent, so that a person may look at it and it is not read
again.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote

from selfheal.durable import make_private, replace_file, sweep
from selfheal.ml.model import MOST_BYTES, Model, ModelRefused, decode
from selfheal.recorded.foreteller import MOST_BYTES as MOST_TOLD

# Half a megabyte in memory each: with these 32 MB, which is what a fleet of that size has to spare.
MOST_MODELS = 64
_ENDING, _ASIDE = ".forest", ".refused"


class ModelFiles:
    """The files of one state directory. Its methods block: they are for a thread."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load(self) -> tuple[dict[str, Model], dict[str, ModelRefused]]:
        """The models by agent, and why those that are no good were put aside."""
        found, refused = dict[str, Model](), dict[str, ModelRefused]()
        if not self._directory.is_dir():
            return found, refused
        sweep(self._directory)
        for path in sorted(self._directory.glob(f"*{_ENDING}")):
            agent = unquote(path.name.removesuffix(_ENDING))
            try:
                model = decode(_read(path), agent)
            except ModelRefused as why:
                refused[agent] = why
                self._put_aside(path)
            else:
                if len(found) < MOST_MODELS:
                    found[agent] = model
        return found, refused

    def save(self, agent: str, data: bytes) -> None:
        """Keep the model of an agent instead of the one before. Raises OSError."""
        make_private(self._directory)
        replace_file(self._path(agent), data)

    def forget(self, agent: str) -> None:
        """Remove what is kept of an agent that is no longer there."""
        path = self._path(agent)
        for one in (path, path.with_suffix(_ASIDE)):
            with suppress(OSError):
                one.unlink(missing_ok=True)

    def _path(self, agent: str) -> Path:
        return self._directory / f"{quote(agent, safe='')}{_ENDING}"

    def _put_aside(self, path: Path) -> None:
        with suppress(OSError):
            path.replace(path.with_suffix(_ASIDE))


class ForetellerFile:
    """The one file of what foretells failures. Its methods block, as above."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "fleet.foreteller"

    def load(self) -> bytes:
        """What is kept; nothing where there is no file. Raises ModelRefused."""
        return _read(self._path, MOST_TOLD + 1) if self._path.exists() else b""

    def save(self, data: bytes) -> None:
        """Keep a model instead of the one before. Raises OSError."""
        make_private(self._path.parent)
        replace_file(self._path, data)

    def put_aside(self) -> None:
        """Keep what is no good for a person to look at, and read it no more."""
        with suppress(OSError):
            self._path.replace(self._path.with_suffix(_ASIDE))


def _read(path: Path, most: int = MOST_BYTES + 1) -> bytes:
    """The bytes of a file, no more than a model may have and one. Raises ModelRefused."""
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as why:
        raise ModelRefused("unreadable", f"it cannot be read: {why.strerror}") from why
