"""What people decide on versions, said to the service."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from pydantic import Field

from auditor.config.section import Section
from auditor.deciding import checked
from auditor.errors import UsageError
from auditor.records import API, Decision, Statement
from auditor.web import answers
from auditor.web.access import needs
from auditor.web.asking import named
from auditor.web.audits import Ref, by_ref
from auditor.web.house import House
from auditor.web.tokens import LOCAL, Role

Text = Annotated[str, Field(min_length=1, max_length=1000)]


class Verdict(Section):
    """A person's accept or reject."""

    ref: Ref = Field(description="models:/name/3, hf://org/name@commit, a path.")
    accept: bool = Field(description="false: reject.")
    reason: Text
    by: Text | None = Field(default=None, description="Who; null: whom the token is for.")
    until: date | None = Field(default=None, description="The last day it holds, in UTC.")


def router(house: House) -> APIRouter:
    """Routes about decisions."""
    routes = APIRouter(prefix="/api/v1", tags=["decisions"])

    @routes.post("/decisions", status_code=201, dependencies=[needs(Role.DECIDE)])
    def decide(said: Verdict, request: Request) -> answers.Version:
        """Accept or reject an audited version; its report goes out again with the decision."""
        at, version = house.clock(), named(house, said.ref)
        if house.ledger.latest(version) is None:
            raise HTTPException(404, "the version was never audited; ask for an audit first")
        by = _by(said.by, request.state.caller.name)
        statement = Statement(said.accept, by, said.reason, said.until)
        try:
            decision = Decision.of(checked(statement, at.date()), at, API)
        except UsageError as error:
            raise HTTPException(422, str(error)) from error
        house.ledger.decide(version, decision, house.sinks)
        house.nudge()
        return by_ref(house, said.ref)

    return routes


def _by(name: str | None, token: str) -> str:
    """Who decides: whom the token is for, or somebody in whose name it is used."""
    if name is None:
        return token
    return name if token in {name, LOCAL.name} else f"{name} (with the token of {token})"
