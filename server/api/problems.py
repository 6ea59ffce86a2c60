"""Errors as problem details (RFC 9457): one sentence each, nothing of the inside."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException

from models.errors import StorageError, VisavisError
from server.accounts.tokens import InvalidTokenError

MEDIA_TYPE = "application/problem+json"


class ProblemError(VisavisError):
    """A refusal with its HTTP status."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def install(app: FastAPI) -> None:
    """Answer every error of the API with problem details."""

    @app.exception_handler(ProblemError)
    def refused(_: Request, error: ProblemError) -> JSONResponse:
        return reply(error.status, str(error))

    @app.exception_handler(InvalidTokenError)
    def unknown(_: Request, error: InvalidTokenError) -> JSONResponse:
        return reply(401, str(error), {"www-authenticate": "Bearer"})

    @app.exception_handler(StorageError)
    def storage(_: Request, error: StorageError) -> JSONResponse:
        return reply(503, "the store cannot be used now; try again in a moment", {"retry-after": "5"})

    @app.exception_handler(OperationalError)
    def database(_: Request, error: OperationalError) -> JSONResponse:
        return reply(503, "the database cannot be used now; try again in a moment", {"retry-after": "5"})

    @app.exception_handler(StaleDataError)
    def stale(_: Request, error: StaleDataError) -> JSONResponse:
        return reply(409, "somebody else has changed this meanwhile; read it again")

    @app.exception_handler(VisavisError)
    def wrong(_: Request, error: VisavisError) -> JSONResponse:
        return reply(422, str(error))

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path", "header"))
        return reply(422, f"{place or 'the request'}: {str(first['msg'])[:200].lower()}")

    @app.exception_handler(HTTPException)
    def other(_: Request, error: HTTPException) -> JSONResponse:
        return reply(error.status_code, str(error.detail), dict(error.headers or {}))


def reply(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer."""
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": sentence}
    return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)
