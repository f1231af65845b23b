"""What in the configuration must nobody read, wherever it turns up again?

A program prints its environment, a server repeats the header that it was sent: what the configuration gives to others
under the name of a secret comes back in logs and outputs under no name at all, and is masked because it is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from selfheal.config.environment import read_environment_file
from selfheal.config.load import Loaded
from selfheal.config.models import AgentConfig, process_of
from selfheal.errors import ConfigInvalid
from selfheal.telemetry.redact import secrets_in

# Whatever else a header of a fix is called, it may be what opens a door. Their values are words of many lines.
_PLAIN_HEADERS = frozenset({
    "accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "connection", "content-encoding",
    "content-language", "content-type", "host", "origin", "referer", "user-agent",
})  # fmt: skip


def secrets_of(loaded: Loaded) -> Iterator[str]:
    """The secrets of the daemon and of its agents: settings, environments and their files, headers, URLs."""
    config, daemon, notify = loaded.config, loaded.config.daemon, loaded.config.notify
    told = (notify.webhook, notify.webhook_secret, *notify.apprise)
    for own in (daemon.token, daemon.scrape_token, daemon.gateway_token, *told):
        if own is not None:
            yield own.get_secret_value()
    for agent in config.agents.values():
        yield from secrets_in(agent.model_dump())
        yield from secrets_in(_environment_file(agent))
    for fix in config.fixes.values():
        yield from secrets_in(fix.model_dump())
        for name, value in fix.headers.items():
            if name.lower() not in _PLAIN_HEADERS:
                yield from secrets_in(value, "secret")


def _environment_file(agent: AgentConfig) -> Mapping[str, str]:
    process = process_of(agent)
    if process is not None and process.environment_file is not None:
        with suppress(ConfigInvalid):  # told by whoever starts the agent
            return read_environment_file(process.environment_file)
    return {}
