"""What does an answer look like that says no?

RFC 9457: `application/problem+json` with a title for the status, a detail in words and a `code` for programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from selfheal.errors import (
    ConfigInvalid,
    JournalUnavailable,
    KnowledgeInvalid,
    NotSaved,
    RefusedByPolicy,
    SelfhealError,
    UnknownName,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5


class Wrong(BaseModel):
    """One thing that is wrong with a request, or with the configuration."""

    where: str = Field(examples=["query.limit"])
    what: str = Field(examples=["Input should be less than or equal to 1000"])


class Problem(BaseModel):
    """Why a request was not answered as hoped."""

    model_config = ConfigDict(frozen=True)

    type: str = Field("about:blank", description="The title says what the status means.")
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["cannot find agent 'apj': there is none of that name"])
    code: str = Field(description="For programs; it stays the same.", examples=["unknown_name"])
    errors: list[Wrong] = Field([], description="Each wrong thing, where there may be several.")


class Refusal(Exception):
    """A request that is answered with a problem."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.headers = headers


def too_large(limit: int) -> Refusal:
    """Return the refusal of a body of which no more is read."""
    detail = f"cannot take the body: it is larger than {limit} bytes"
    return Refusal(413, "body_too_large", detail, {"Connection": "close"})


_MEANING: Mapping[int, str] = {
    400: "The request makes no sense here.",
    401: "A token is needed, or this one is wrong.",
    403: "Nobody may do this here.",
    404: "There is no agent, incident or signature of that name.",
    409: "The daemon understood, and will not.",
    413: "The body is too large: over 1 MB, over 16 KB for a login.",
    422: "A parameter, the body, or the configuration is wrong.",
    503: "The daemon cannot do this now.",
    504: "The daemon did not say in time what became of it. Only a gateway answers so.",
    507: "It is done, and cannot be saved now: it is lost if the daemon ends before the disk has room.",
}

PROBLEM_CONTENT: Mapping[str, object] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
ResponsesTable = dict[int | str, dict[str, object]]


def documented(*statuses: int) -> ResponsesTable:
    """Return what OpenAPI says about these statuses."""
    return {status: {"description": _MEANING[status], "content": PROBLEM_CONTENT} for status in statuses}


def answer(
    status: int, code: str, detail: str, errors: list[Wrong] | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return the response that says no."""
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, code=code, errors=errors or [])
    return JSONResponse(problem.model_dump(), status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Turn whatever is raised into a problem."""
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(SelfhealError, _selfheal_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)


async def _refusal(_: Request, why: Exception) -> JSONResponse:
    assert isinstance(why, Refusal)
    return answer(why.status, why.code, str(why), headers=why.headers)


async def _selfheal_error(_: Request, why: Exception) -> JSONResponse:
    match why:
        case UnknownName():
            return answer(404, "unknown_name", str(why))
        case RefusedByPolicy():
            return answer(409, "refused_by_policy", str(why))
        case ConfigInvalid():
            wrong = [Wrong(where=one.key, what=str(one)) for one in why.problems]
            return answer(422, "config_invalid", str(why), wrong)
        case KnowledgeInvalid():
            return answer(422, "knowledge_invalid", str(why), [Wrong(where="body", what=one) for one in why.errors])
        case JournalUnavailable():
            return answer(503, "journal_unavailable", str(why), headers={"Retry-After": str(RETRY_AFTER_S)})
        case NotSaved():
            return answer(507, "not_saved", str(why))
        case _:
            return answer(409, "failed", str(why))


async def _invalid(_: Request, why: Exception) -> JSONResponse:
    """What was wrong, never the value: it may be a secret."""
    assert isinstance(why, RequestValidationError)
    wrong = [Wrong(where=".".join(map(str, one["loc"])), what=str(one["msg"])) for one in why.errors()]
    detail = "; ".join(f"{one.where}: {one.what}" for one in wrong)
    return answer(422, "invalid_request", f"cannot read the request: {detail}", wrong)


async def _http(_: Request, why: Exception) -> JSONResponse:
    assert isinstance(why, HTTPException)
    code = HTTPStatus(why.status_code).phrase.lower().replace(" ", "_")
    return answer(why.status_code, code, str(why.detail), headers=why.headers)


async def _gone(_: Request, __: Exception) -> JSONResponse:
    """Nobody reads it; without an answer the server would log what is no failure of ours."""
    return answer(400, "body_incomplete", "cannot take the body: the connection ended before it did")


async def _unexpected(_: Request, why: Exception) -> JSONResponse:
    """The server logs the rest; its words may hold what nobody outside should read."""
    return answer(500, "internal_error", f"cannot answer: {type(why).__name__}; the daemon's log has the details")
