"""Errors as problem details (RFC 9457): one sentence each, nothing of the inside."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException

from models.errors import StorageError, VisavisError
from server.accounts.people import ConflictError, SignInError
from server.accounts.tokens import InvalidTokenError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
OF_THE_FRAMEWORK = {
    400: "a request that can be read was expected; look at its body and headers",
    404: "there is nothing at this address; /api/openapi.json lists what there is",
    405: "another method was expected at this address; /api/openapi.json lists them",
}
STALE = "somebody else has changed this meanwhile; read it again"


class ProblemError(VisavisError):
    """A refusal with its HTTP status. retry_after: seconds after which it may work."""

    def __init__(self, status: int, sentence: str, *, retry_after: int = 0) -> None:
        super().__init__(sentence)
        self.status, self.retry_after = status, retry_after


def install(app: FastAPI) -> None:
    """Answer every error of the API with problem details."""

    @app.exception_handler(ProblemError)
    def refused(_: Request, error: ProblemError) -> JSONResponse:
        return reply(error.status, str(error), {"retry-after": str(error.retry_after)} if error.retry_after else None)

    @app.exception_handler(InvalidTokenError)
    @app.exception_handler(SignInError)
    def unknown(_: Request, error: VisavisError) -> JSONResponse:
        return reply(401, str(error), {"www-authenticate": "Bearer"})

    @app.exception_handler(StorageError)
    @app.exception_handler(OSError)
    def storage(_: Request, error: Exception) -> JSONResponse:
        log.warning("the store cannot be used: %s", error if isinstance(error, StorageError) else type(error).__name__)
        return reply(503, "the store cannot be used now; try again in a moment", {"retry-after": "5"})

    @app.exception_handler(SQLAlchemyError)
    def database(_: Request, error: SQLAlchemyError) -> JSONResponse:
        log.warning("the database cannot be used: %s", type(error).__name__)
        return reply(503, "the database cannot be used now; try again in a moment", {"retry-after": "5"})

    @app.exception_handler(DataError)
    def unfit(_: Request, error: DataError) -> JSONResponse:
        return reply(422, "values that fit were expected, one is too large or holds characters that cannot be kept")

    @app.exception_handler(StaleDataError)
    @app.exception_handler(IntegrityError)
    @app.exception_handler(ConflictError)
    def conflict(_: Request, error: Exception) -> JSONResponse:
        return reply(409, str(error) if isinstance(error, ConflictError) else STALE)

    @app.exception_handler(VisavisError)
    def wrong(_: Request, error: VisavisError) -> JSONResponse:
        return reply(422, str(error))

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path", "header"))
        return reply(422, f"{place or 'the request'}: {str(first['msg'])[:200].lower()}")

    @app.exception_handler(HTTPException)
    def other(request: Request, error: HTTPException) -> JSONResponse:
        if isinstance(error.__cause__, OSError):  # no room for an upload
            return storage(request, error.__cause__)
        sentence = OF_THE_FRAMEWORK.get(error.status_code, str(error.detail))
        return reply(error.status_code, sentence, dict(error.headers or {}))

    @app.exception_handler(Exception)
    def fault(_: Request, error: Exception) -> JSONResponse:
        return reply(500, "the server has a fault, which its log tells; report it")


def reply(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer."""
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": sentence}
    return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)
