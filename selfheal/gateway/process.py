"""How does a gateway run? One server on one address, nothing on the disk, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from functools import partial
from random import SystemRandom

import structlog

from selfheal.clock import SteadyClock
from selfheal.config.address import is_loopback, split_address
from selfheal.config.models import DaemonConfig
from selfheal.gateway.app import Gateway, gateway_app, session_key
from selfheal.gateway.orders import Orders
from selfheal.serve.auth import Access
from selfheal.serve.listener import bind_tcp, serve
from selfheal.telemetry.logs import configure
from selfheal.telemetry.redact import Redactor


def run(config: DaemonConfig, push_token: str) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. Raises AddressTaken."""
    tokens = (config.token, config.scrape_token)
    secrets = [push_token, *(one.get_secret_value() for one in tokens if one is not None)]
    redactor = Redactor.from_environment(os.environ, secrets)
    logs = configure(config.log_level, config.log_format, redactor, sys.stdout)
    try:
        asyncio.run(_live(config, push_token))
    finally:
        logs.stop()
    return 0


async def _live(config: DaemonConfig, push_token: str) -> None:
    log = structlog.get_logger("selfheal")
    sock = bind_tcp(config.listen)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, partial(_told, stopping, log, number.name))
    orders = Orders(SystemRandom())
    push_access = Access(key=session_key(push_token), token=push_token, loopback=False)
    app = gateway_app(Gateway(SteadyClock(), orders), orders, _access(config, push_token), push_access, stopping)
    log.info("gateway.serve", page=f"http://{config.listen}/")
    await serve(app, sock, trusted=False, stopping=stopping)


def _told(stopping: asyncio.Event, log: structlog.stdlib.BoundLogger, name: str) -> None:
    log.info("stop.asked", signal=name)
    stopping.set()


def _access(config: DaemonConfig, push_token: str) -> Access:
    token, scrape = config.token, config.scrape_token
    return Access(
        key=session_key(push_token),
        token=token.get_secret_value() if token else None,
        scrape_token=scrape.get_secret_value() if scrape else None,
        public_reads=config.public_reads,
        loopback=is_loopback(split_address(config.listen)[0]),
    )
