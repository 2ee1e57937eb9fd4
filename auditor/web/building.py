"""The application: every route behind one door."""

import logging
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.responses import Response

from auditor import __version__
from auditor.errors import AuditorError, LedgerError, SourceError, UsageError
from auditor.web import (
    audits,
    deciding,
    front,
    health,
    hooks,
    metrics,
    standing,
    steering,
    versions,
)
from auditor.web.answers import Refusal
from auditor.web.door import PATIENCE, Door, Rules
from auditor.web.house import House
from auditor.web.refusals import refusal

log = logging.getLogger(__name__)

ROUTERS: tuple[Callable[[House], APIRouter], ...] = (
    audits.router,
    deciding.router,
    front.router,
    health.router,
    hooks.router,
    metrics.router,
    standing.router,
    steering.router,
    versions.router,
)

SILENT: TelemetryConfig = {  # mlflow may set up exporters: no request goes anywhere by itself
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
REFUSED: dict[int | str, dict[str, Any]] = {  # what any route may answer instead
    status: {
        "description": description,
        "content": {"application/json": {"schema": Refusal.model_json_schema()}},
    }
    for status, description in {
        400: "The request cannot be understood.",
        401: "No token, or a wrong one.",
        403: "Not by this role, signature or host name.",
        404: "There is no such thing.",
        408: "The request took too long to arrive.",
        413: "The request is too long.",
        415: "The body is of another type.",
        422: "A parameter or a part of the body is of another form.",
        500: "A bug.",
        502: "A source does not answer.",
        503: "The ledger cannot be used now.",
    }.items()
}
STATUS: tuple[tuple[type[AuditorError], int], ...] = (  # the first that fits
    (UsageError, 404),
    (SourceError, 502),
    (LedgerError, 503),
    (AuditorError, 500),
)


def create(house: House, patience: float = PATIENCE) -> FastAPI:
    """Everything that is served, ready for `listening`.

    Parameters
    ----------
    house
        What routes may use.
    patience
        Seconds a request may take to arrive.

    Raises
    ------
    ConfigError
        If the file of tokens cannot be used.
    """
    app = FastAPI(
        title="Auditor",
        version=__version__,
        docs_url=None,  # those pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        telemetry=SILENT,
    )
    bearer = Depends(HTTPBearer(auto_error=False))  # for /openapi.json; the door checks it
    for router in ROUTERS:
        app.include_router(router(house), responses=REFUSED, dependencies=[bearer])
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _unfit)
    app.add_exception_handler(AuditorError, _failed)
    app.add_exception_handler(Exception, _crashed)
    app.add_middleware(Door, rules=Rules.of(house.config.server, patience))
    return app


def _refused(_request: Request, error: Exception) -> Response:
    """What a route, or the absence of one, says no with."""
    assert isinstance(error, HTTPException)  # noqa: S101 - as registered
    if error.status_code == 404 and error.detail == "Not Found":
        return refusal(404, "there is nothing here; GET /openapi.json lists what there is")
    return refusal(error.status_code, str(error.detail), error.headers)


def _unfit(_request: Request, error: Exception) -> Response:
    """Parameters or a body of another form."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as registered
    wrong = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    return refusal(422, "; ".join(wrong)[:1000])


def _failed(_request: Request, error: Exception) -> Response:
    """What went wrong on purpose."""
    status = next(status for kind, status in STATUS if isinstance(error, kind))
    if status >= 500:
        log.warning("%s", error, extra={"event": "web.failed"})
    return refusal(status, str(error))


def _crashed(_request: Request, _error: Exception) -> Response:
    """A bug: the log has it, the client only learns that it is one."""
    return refusal(500, "an error in auditor itself; its log says more, please report it")
