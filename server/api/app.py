"""The REST API as an ASGI application: everything below /api."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from server.api import (
    accounts,
    allowances,
    avatars,
    enrolling,
    external,
    health,
    jobs,
    moderating,
    own_account,
    people,
    problems,
    rooms,
    web_avatars,
)
from server.api.description import describe, page
from server.api.limits import BodyLimit
from server.api.service import Service
from server.operations.requests import CountRequests

DOCS = "/docs"
PARTS = (
    accounts, own_account, external, people, avatars, enrolling, web_avatars, jobs, rooms, moderating, allowances, health,
)  # fmt: skip
"""In the order of the description."""


def create_api(service: Service) -> FastAPI:
    """The application. Its description is at /api/openapi.json, and for people at `DOCS`."""
    app = FastAPI(
        title="Visavis", version="1", openapi_url="/api/openapi.json", docs_url=None, redoc_url=None, redirect_slashes=False,
        summary="Accounts, avatars and enrollments of a Visavis server.",
    )  # fmt: skip
    app.state.service = service
    problems.install(app)
    for part in PARTS:
        app.include_router(part.router)
    describe(app)

    @app.get(DOCS, include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(page(app.openapi()))

    app.add_middleware(BodyLimit, identify=service.people.identify)
    app.add_middleware(CountRequests)
    return app
