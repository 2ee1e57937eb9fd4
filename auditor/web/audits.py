"""Audits: documents, pages, verdicts, and asking for one."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Response
from fastapi.responses import HTMLResponse
from pydantic import AfterValidator, Field

from auditor import schema
from auditor.config.section import Section
from auditor.document import Document
from auditor.ledger.models import OPEN
from auditor.render import render
from auditor.web import answers
from auditor.web.access import needs
from auditor.web.asking import enqueue, named
from auditor.web.house import House
from auditor.web.tokens import Role
from auditor.web.versions import LARGEST

PAGE = {"Content-Security-Policy": "frame-ancestors 'none'"}  # the page itself has the rest


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("expected a REF without control characters")
    return text


Ref = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_printable)]
SCHEMA = {name: part for name, part in schema.audit().items() if name != "$schema"}
DOCUMENT: dict[int | str, dict[str, Any]] = {
    200: {"description": "It.", "content": {"application/json": {"schema": SCHEMA}}}
}
AuditId = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]


class Wish(Section):
    """A version that somebody wants audited."""

    ref: Ref = Field(description="models:/name/3, models:/name@alias, hf://org/name, a path.")
    again: bool = Field(default=False, description="Also where it has an audit.")


def router(house: House) -> APIRouter:
    """Routes about one audit or version."""
    routes = APIRouter(tags=["audits"])

    @routes.get("/api/v1/audits/{audit_id}", responses=DOCUMENT, response_class=Response)
    def document(audit_id: AuditId) -> Response:
        """The document of an audit; its schema is `auditor config schema audit`."""
        text = json.dumps(_audit(house, audit_id), allow_nan=False)
        return Response(text, media_type="application/json")

    @routes.get("/reports/{audit_id}", response_class=HTMLResponse)
    def report(audit_id: AuditId) -> HTMLResponse:
        """The page of an audit, for people."""
        return HTMLResponse(render(_audit(house, audit_id)).encode(), headers=PAGE)

    @routes.get("/api/v1/verdict")
    def verdict(
        ref: Annotated[Ref | None, Query(description="Asked of the sources.")] = None,
        number: Annotated[
            int | None, Query(ge=1, le=LARGEST, description="The ledger's; no source is asked.")
        ] = None,
    ) -> answers.Version:
        """Where a version stands, by its REF or, cheaper, by its number."""
        if (ref is None) == (number is None):
            raise HTTPException(422, "give one of ref and number")
        return by_ref(house, ref) if ref is not None else _by_number(house, number or 0)

    @routes.post(
        "/api/v1/audits",
        status_code=202,
        responses={200: {"model": answers.Version, "description": "It has an audit."}},
        dependencies=[needs(Role.ENQUEUE)],
    )
    def ask(wish: Wish, response: Response) -> answers.Version:
        """Put a version first in the queue; one that has an audit only where `again` is set."""
        version = named(house, wish.ref)
        before = house.ledger.stand(version)
        if before and before.verdict and before.state not in OPEN and not wish.again:
            response.status_code = 200
            return answers.version(before, house.clock().date())
        enqueue(house, version)
        return by_ref(house, wish.ref)

    return routes


def _audit(house: House, audit_id: str) -> Document:
    found = house.ledger.audit(audit_id)
    if found is None:
        raise HTTPException(404, "there is no audit with this id")
    return found


def by_ref(house: House, ref: str) -> answers.Version:
    """Where the version that a reference names stands."""
    version = named(house, ref)
    found = house.ledger.stand(version)
    return answers.version(found, house.clock().date()) if found else answers.unknown(version)


def _by_number(house: House, number: int) -> answers.Version:
    found = house.ledger.numbered(number)
    if found is None:
        raise HTTPException(404, "there is no version with this number")
    return answers.version(found, house.clock().date())
