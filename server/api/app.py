"""The REST API as an ASGI application: everything below /api."""

from __future__ import annotations

from fastapi import FastAPI

from server.api import accounts, avatars, enrolling, jobs, people, problems, web_avatars
from server.api.limits import BodyLimit
from server.api.service import Service


def create_api(service: Service) -> FastAPI:
    """The application. Its description is at /api/openapi.json."""
    app = FastAPI(
        title="Visavis", version="1", openapi_url="/api/openapi.json", docs_url=None, redoc_url=None, redirect_slashes=False,
        summary="Accounts, avatars and enrollments of a Visavis server.",
    )  # fmt: skip
    app.state.service = service
    problems.install(app)
    for part in (accounts, people, avatars, enrolling, web_avatars, jobs):
        app.include_router(part.router)
    app.add_middleware(BodyLimit, identify=service.people.identify)
    return app
