"""What does a browser get?

The page, its login, and the description of the API: files of ours, nothing from outside, no inline script or style.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template
from urllib.parse import parse_qs

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel, ValidationError

from selfheal.serve.auth import COOKIE, SESSION_S, Access, Gate
from selfheal.serve.bodies import body_within
from selfheal.serve.ports import Sources
from selfheal.serve.problems import PROBLEM_CONTENT, Refusal, ResponsesTable, documented
from selfheal.serve.times import moment
from selfheal.serve.views import fleet
from selfheal.world import World

LARGEST_LOGIN = 16_384  # bytes; nobody has shown a token yet
ROWS = 200  # shown before the script takes over, and to those who have none

_TYPES: Mapping[str, str] = {
    "app.js": "text/javascript; charset=utf-8",
    "docs.js": "text/javascript; charset=utf-8",
    "app.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that the page needs."""

    content: bytes
    media_type: str
    tag: str


class Credentials(BaseModel):
    """What a login gives."""

    token: str


class LoggedIn(BaseModel):
    """A login that worked; the cookie has the rest."""

    status: str = "ok"


class Pages:
    """Serves browsers. Reads its files once, when it is made."""

    def __init__(self, app: FastAPI, sources: Sources, access: Access, gate: Gate) -> None:
        self._app = app
        self._sources = sources
        self._access = access
        self._gate = gate
        self._assets = {name: _asset(name, media_type) for name, media_type in _TYPES.items()}
        self._page, self._login, self._docs = (
            Template(_read(name).decode()) for name in ("index.html", "login.html", "docs.html")
        )

    async def page(self, request: Request) -> Response:
        """The page; who may not read is led to the login."""
        if not self._gate.may_read(request):
            return RedirectResponse("/login", 303)
        world = await self._sources.shown()
        rows = "\n".join(_rows(world))
        may = "yes" if self._gate.may_control(request) else "no"
        login = "yes" if self._access.token is not None and may == "no" else "no"
        return HTMLResponse(
            self._page.substitute(
                status=fleet.status(world), total=len(world.agents), rows=rows, control=may, login=login
            )
        )

    async def docs(self, request: Request) -> Response:
        """The API described for people, from /openapi.json."""
        if not self._gate.may_read(request):
            return RedirectResponse("/login", 303)
        return HTMLResponse(self._docs.substitute())

    async def openapi(self, request: Request) -> Response:
        """The API described for programs."""
        await self._gate.read(request)
        return JSONResponse(self._app.openapi())

    async def asset(self, name: str, request: Request) -> Response:
        """A file that the page needs; it holds nothing that needs a login."""
        asset = self._assets.get(name)
        if asset is None:
            raise Refusal(404, "not_found", f"cannot find {name!r}: the page has no such file")
        headers = {"ETag": asset.tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == asset.tag:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, headers={**headers, "Content-Type": asset.media_type})

    async def favicon(self, request: Request) -> Response:
        """Browsers ask for it unbidden."""
        return await self.asset("icon.svg", request)

    async def show_login(self, request: Request) -> Response:
        """The form that asks for the token; where none is needed, on to the page."""
        if self._access.token is None or self._gate.caller(request) != "nobody":
            return RedirectResponse("/", 303)
        return self._form("", 200)

    async def login(self, request: Request) -> Response:
        """Take the token, once, and give a cookie for it that does not hold it."""
        if self._access.token is None:
            raise Refusal(403, "no_token_set", "cannot log in: no token is set; set SELFHEAL_TOKEN for the daemon")
        body = await body_within(request, LARGEST_LOGIN)
        given = _given_token(request.headers.get("content-type", ""), body)
        is_form = _is_form(request.headers.get("content-type", ""))
        if not self._access.is_token(given):
            if is_form:
                return self._form("This is not the token.", 401)
            raise Refusal(401, "unauthorised", "cannot log in: this is not the token", {"WWW-Authenticate": "Bearer"})
        response: Response = RedirectResponse("/", 303) if is_form else JSONResponse(LoggedIn().model_dump())
        response.set_cookie(
            COOKIE,
            self._access.session(self._sources.clock.now()),
            max_age=int(SESSION_S),
            httponly=True,
            samesite="strict",
            secure=_over_tls(request),
        )
        return response

    def _form(self, message: str, status: int) -> Response:
        return HTMLResponse(self._login.substitute(message=escape(message)), status)


def routes(pages: Pages) -> APIRouter:
    """Return the routes for browsers."""
    router = APIRouter(responses=documented(400))
    for path, shown in (("/", pages.page), ("/docs", pages.docs), ("/login", pages.show_login)):
        router.add_api_route(path, shown, include_in_schema=False, response_class=HTMLResponse)
    router.add_api_route("/assets/{name}", pages.asset, include_in_schema=False)
    router.add_api_route("/favicon.ico", pages.favicon, include_in_schema=False)
    router.add_api_route(
        "/openapi.json",
        pages.openapi,
        tags=["description"],
        operation_id="openapi",
        summary="This description",
        response_class=JSONResponse,
        responses=documented(401),
    )
    content = {
        "application/json": {"schema": Credentials.model_json_schema()},
        "application/x-www-form-urlencoded": {"schema": Credentials.model_json_schema()},
    }
    router.add_api_route(
        "/login",
        pages.login,
        methods=["POST"],
        tags=["description"],
        operation_id="login",
        summary="Exchange the token for a cookie",
        response_model=LoggedIn,
        responses={**documented(401, 403, 413, 422), **_AFTER_A_FORM},
        openapi_extra={"requestBody": {"required": True, "content": content}},
    )
    return router


# A form is answered for people: with the page, or with the form again.
_AFTER_A_FORM: ResponsesTable = {
    303: {"description": "To the page, after a form."},
    401: {
        "description": "This is not the token.",
        "content": {**PROBLEM_CONTENT, "text/html": {"schema": {"type": "string"}}},
    },
}


def _read(name: str) -> bytes:
    return files("selfheal.serve").joinpath("page", name).read_bytes()


def _asset(name: str, media_type: str) -> Asset:
    content = _read(name)
    return Asset(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:16]}"')


def _rows(world: World) -> list[str]:
    """The agents as they are when the page is asked for; the script keeps them true from then on."""
    return [
        f'<tr><td><span class="state" data-state="{agent.state}">{agent.state}</span></td>'
        f"<th scope=row>{escape(agent.name)}</th><td>{escape(moment(agent.since) or '')}</td>"
        f"<td>{agent.run.pid if agent.run else ''}</td><td>{agent.restarts}</td><td></td>"
        f"<td>{escape(fleet.reason(agent))}</td><td></td></tr>"
        for agent in list(world.agents.values())[:ROWS]
    ]


def _is_form(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"


def _given_token(content_type: str, body: bytes) -> str:
    if _is_form(content_type):
        return parse_qs(body.decode("latin-1")).get("token", [""])[0]
    try:
        return Credentials.model_validate_json(body).token
    except ValidationError as why:
        raise Refusal(422, "invalid_request", 'cannot log in: the body must be {"token": "…"}') from why


def _over_tls(request: Request) -> bool:
    """A proxy that ends TLS says so. One who lies to us only makes his own cookie stricter."""
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
