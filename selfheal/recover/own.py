"""A fix of the user's own: a command, or the call of a URL, from `[fixes.*]`.

What stands in braces is filled in where it goes: as it is into a word of a command, percent-encoded into a URL, and as
JSON writes it between its quotes into what is sent, so that neither becomes something else by it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from urllib.parse import quote

from pydantic import SecretStr

from selfheal.config.models import FixConfig
from selfheal.kinds import Act, Apply, Fix, Hands, HttpCall, Target

_PLACES = re.compile(r"\{(agent|cause|incident)\}")


def own_fix(name: str, config: FixConfig) -> Fix:
    """Return the fix of `[fixes.<name>]`. Nobody knows what it does when it is done twice."""
    if config.http is not None:
        act = Act("call", _calling(config, config.http), repeatable=False, stoppable=True)
    else:
        act = Act("command", _running(config.command or (), config.timeout), repeatable=False, stoppable=True)
    return Fix(
        name=name,
        layer="application",
        causes=frozenset(config.causes),
        cost_s=config.cost,
        risk_s=0.0,
        timeout_s=config.timeout,
        acts=(act,),
        tier=config.tier,
        mode="ask" if config.approval else "auto",
        for_any_cause=True,
        undo=Act("undo", _running(config.undo, config.timeout)) if config.undo is not None else None,
    )


def _running(command: tuple[str, ...], timeout_s: float) -> Apply:
    async def run(hands: Hands, target: Target) -> str:
        argv = tuple(_filled(word, target, str) for word in command)
        return await hands.run_command(argv, target.agent, timeout_s)

    return run


def _calling(config: FixConfig, url: str) -> Apply:
    headers = dict(config.headers)
    if config.body and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = SecretStr(
            "application/json" if _is_json(config.body) else "text/plain; charset=utf-8"
        )

    async def call(hands: Hands, target: Target) -> str:
        filled = _filled(url, target, lambda value: quote(value, safe=""))
        body = _filled(config.body, target, lambda value: json.dumps(value)[1:-1])
        return await hands.call_http(HttpCall(config.method, filled, headers, body.encode(), config.timeout))

    return call


def _filled(text: str, target: Target, written: Callable[[str], str]) -> str:
    """The text with what its places stand for; what a value looks like is never filled in again."""
    known = {"agent": target.agent, "cause": target.cause, "incident": target.incident}
    return _PLACES.sub(lambda place: written(known[place[1]]), text)


def _is_json(text: str) -> bool:
    """Whether it is JSON once its places are filled in: those between quotes, for what is filled in is text."""
    try:
        json.loads(_PLACES.sub("", text))
    except ValueError:
        return False
    return True
