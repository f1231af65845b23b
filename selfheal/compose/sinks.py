"""Which other stores get a proved backup too, as a job needs to know it?"""

from __future__ import annotations

from typing import TypeVar

from selfheal.config.data import BackupsConfig, SinkConfig
from selfheal.data.sinks import AnySink, Borg, Restic, Sink

S = TypeVar("S", bound=Sink)


def sinks_of(config: BackupsConfig) -> tuple[AnySink, ...]:
    """The sinks that are configured; a job with them travels in the environment, for they hold what is secret."""
    restic = [_sink(Restic, config.restic)] if config.restic is not None else []
    borg = [_sink(Borg, config.borg)] if config.borg is not None else []
    return (*restic, *borg)


def _sink(kind: type[S], config: SinkConfig) -> S:
    environment = {name: value.get_secret_value() for name, value in config.environment.items()}
    return kind(
        repository=config.repository,
        password_file=config.password_file,
        timeout=config.timeout,
        environment=environment,
    )
