"""What people tell the service to do: look now, pause, go on, try again."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from pydantic import Field

from auditor.config.section import Section
from auditor.web import answers
from auditor.web.access import needs
from auditor.web.asking import named
from auditor.web.audits import Ref
from auditor.web.house import House
from auditor.web.tokens import Role

Name = Annotated[str, Path(max_length=200, description="Of a source, as configured.")]


class Again(Section):
    """Which quarantined versions; neither: all."""

    ref: Ref | None = Field(default=None, description="One of them.")
    source: str | None = Field(default=None, max_length=200, description="Those of a source.")


def router(house: House) -> APIRouter:
    """Routes that change what the service does."""
    routes = APIRouter(prefix="/api/v1", tags=["steering"], dependencies=[needs(Role.ADMIN)])

    def known(name: str) -> str:
        if name not in house.sources:
            names = ", ".join(house.sources)
            raise HTTPException(404, f"there is no source of this name; there are: {names}")
        return name

    def now(name: str) -> answers.SourceAnswer:
        house.nudge()
        return answers.source(next(state for state in house.ledger.sources() if state.name == name))

    @routes.post("/sources/{name}/run")
    def run(name: Name) -> answers.SourceAnswer:
        """Look at a source now, paused or not."""
        house.ledger.ask_look(known(name), house.clock())
        return now(name)

    @routes.post("/sources/{name}/pause")
    def pause(name: Name) -> answers.SourceAnswer:
        """Leave a source out of the schedule from now on; webhooks count all the same."""
        house.ledger.pause(known(name), paused=True)
        return now(name)

    @routes.post("/sources/{name}/resume")
    def resume(name: Name) -> answers.SourceAnswer:
        """Look at a source as scheduled again."""
        house.ledger.pause(known(name), paused=False)
        return now(name)

    @routes.post("/retry")
    def retry(again: Again) -> answers.Retried:
        """Let quarantined versions wait again, their attempts forgotten."""
        version = named(house, again.ref) if again.ref is not None else None
        source = known(again.source) if again.source is not None else None
        count = house.ledger.retry(version, source=source)
        house.nudge()
        return answers.Retried(retried=count)

    return routes
