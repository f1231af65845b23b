"""Where does each value come from?

Strongest first: option, SELFHEAL_ variable (and the loop settings that have a variable of their own), PORT, file,
default. An empty variable counts as unset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from selfheal.config.lines import KeyPath, dotted, line_of
from selfheal.errors import Problem

Table = dict[str, object]
"""A table of the file as it was parsed, values not yet judged."""

_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the options of the command line say. None says nothing.

    `instances` is a person's word on how many an agent shall have, by its name in the file: `selfheal scale`.
    """

    state_dir: Path | None = None
    listen: str | None = None
    instances: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Origins:
    """The places of one configuration: `lines` of the file, and `outside` what the file does not decide."""

    file: str
    lines: Mapping[KeyPath, int]
    outside: Mapping[KeyPath, str]

    def problem(self, path: KeyPath, wrong: str, right: str) -> Problem:
        """Say what is wrong with `path` where a person would mend it: the file, a variable or an option."""
        if path in self.outside:
            return Problem(self.outside[path], None, dotted(path), wrong, right)
        return Problem(self.file, line_of(path, self.lines), dotted(path), wrong, right)

    def of(self, path: KeyPath, raw: Table) -> str:
        """Return "default", "FILE:LINE", "environment NAME" or "option --x". `raw` is the file with all laid over."""
        if path in self.outside:
            return self.outside[path]
        if not _is_written(path, raw):
            return "default"
        line = line_of(path, self.lines)
        return self.file if line is None else f"{self.file}:{line}"


def lay_over(
    raw: Table, environment: Mapping[str, str], overrides: Overrides
) -> tuple[Table, dict[KeyPath, str], list[Problem]]:
    """Lay environment and options over the file. Returns the result, what they decided, and what cannot be used."""
    shadowed = overrides.listen is not None or environment.get("SELFHEAL_LISTEN")
    problems = [] if shadowed else list(_bad_port(environment))
    daemon = raw.get("daemon", {})
    if not isinstance(daemon, dict):
        return raw, {}, problems
    settings = list(_settings(environment, overrides))
    outside: dict[KeyPath, str] = {("daemon", key): origin for key, _, origin in settings}
    return {**raw, "daemon": {**daemon, **{key: value for key, value, _ in settings}}}, outside, problems


def anchored(environment: Mapping[str, str], overrides: Overrides) -> tuple[Mapping[str, str], Overrides]:
    """Return both as they are now, with paths that mean the same wherever the process stands later."""
    state_dir = environment.get("SELFHEAL_STATE_DIR", "")
    given = {**environment, "SELFHEAL_STATE_DIR": _from_here(state_dir)} if state_dir else dict(environment)
    option = overrides.state_dir
    return given, replace(overrides, state_dir=option.absolute() if option is not None else None)


def below(value: object, part: str | int) -> object:
    """Return what `part` leads to in a value of the file. Raises KeyError where it leads nowhere."""
    match value:
        case dict() if part in value:
            return value[part]
        case list() | tuple() if isinstance(part, int) and 0 <= part < len(value):
            return value[part]
        case _:
            raise KeyError(part)


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a model by their keys in the file."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def leaves(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    """Walk a model down to what has no parts of its own; a list of plain values is one leaf."""
    if isinstance(value, BaseModel):
        for name, info in type(value).model_fields.items():
            yield from leaves(getattr(value, name), (*path, info.alias or name))
    elif isinstance(value, dict) and value:
        for key, part in value.items():
            yield from leaves(part, (*path, str(key)))
    elif isinstance(value, tuple) and any(isinstance(part, BaseModel) for part in value):
        for index, part in enumerate(value):
            yield from leaves(part, (*path, index))
    else:
        yield path, value


def _settings(environment: Mapping[str, str], overrides: Overrides) -> Iterator[tuple[str, object, str]]:
    """Weakest first, so that what comes later wins."""
    port = environment.get("PORT", "")
    if _is_port(port):
        yield "listen", f"0.0.0.0:{int(port)}", "environment PORT"
    for variable, key, read in _VARIABLES:
        if text := environment.get(variable, ""):
            yield key, read(text), f"environment {variable}"
    if overrides.state_dir is not None:
        yield "state_dir", _from_here(str(overrides.state_dir)), "option --state-dir"
    if overrides.listen is not None:
        yield "listen", overrides.listen, "option --listen"


def _bad_port(environment: Mapping[str, str]) -> Iterator[Problem]:
    port = environment.get("PORT", "")
    if port and not _is_port(port):
        cure = f"set it to a number up to {_MAX_PORT}, or unset it"
        yield Problem("environment PORT", None, "daemon.listen", f"{port!r} is not a port", cure)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_PORT)) and int(text) <= _MAX_PORT


def _from_here(text: str) -> str:
    """A path given by hand starts where the person stands, not at the file's folder."""
    return str(Path(text).absolute())


def _flag(text: str) -> bool | str:
    """What is neither is left as it is, for the model to refuse."""
    return _FLAGS.get(text.strip().lower(), text)


_FLAGS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}

_VARIABLES: tuple[tuple[str, str, Callable[[str], object]], ...] = (
    ("SELFHEAL_STATE_DIR", "state_dir", _from_here),
    ("SELFHEAL_LISTEN", "listen", str),
    ("SELFHEAL_LOG_LEVEL", "log_level", str.lower),
    ("SELFHEAL_LOG_FORMAT", "log_format", str.lower),
    ("SELFHEAL_TOKEN", "token", str),
    ("SELFHEAL_SCRAPE_TOKEN", "scrape_token", str),
    ("SELFHEAL_GATEWAY_URL", "gateway_url", str),
    ("SELFHEAL_GATEWAY_TOKEN", "gateway_token", str),
    ("SELF_HEALING_INTERVAL", "self_healing_interval", str),
    ("PREVENTION_INTERVAL", "prevention_interval", str),
    ("ML_RETRAIN_INTERVAL", "ml_retrain_interval", str),
    ("RENDER_MODE", "render_mode", _flag),
    ("CHAOS_ENABLED", "chaos_enabled", _flag),
)


def _is_written(path: KeyPath, raw: object) -> bool:
    """Whether the file has the path, or a plain value on the way to it that stands for the whole."""
    for part in path:
        try:
            raw = below(raw, part)
        except KeyError:
            return not isinstance(raw, dict | list | tuple)
    return True
