"""How is the body of a request taken in?

After its head was judged and never before: who may not give an order costs no memory. As JSON of RFC 8259, which is
UTF-8: what cannot be written down again must not come in.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json

from selfheal.serve.problems import too_large

Guard = Callable[[Request], Awaitable[None]]


class Asked(Request):
    """A request whose JSON is read strictly: the standard library takes half a surrogate pair, and NaN, for good."""

    async def json(self) -> object:
        try:
            return from_json(await self.body(), allow_inf_nan=False)
        except ValueError as why:
            raise json.JSONDecodeError(str(why), "", 0) from why  # the one that FastAPI answers with 422


def behind(guard: Guard) -> type[APIRoute]:
    """Return a kind of route at which `guard` judges who asks before anything of the body is read.

    FastAPI reads the body first and judges then. It is read here even where nobody wants it, for its limit holds
    everywhere.
    """

    class Guarded(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def judged(request: Request) -> Response:
                asked = Asked(request.scope, request.receive)
                await guard(asked)
                await asked.body()
                return await handle(asked)

            return judged

    return Guarded


async def body_within(request: Request, limit: int) -> bytes:
    """Take in a body of at most `limit` bytes. Raises Refusal with the first piece that is too much."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large(limit)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise too_large(limit)
    return bytes(body)
