"""Lists of versions: all, those that wait, those in trouble."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from auditor.ledger import State, Wanted
from auditor.records import Verdict
from auditor.web import answers
from auditor.web.house import House

LARGEST = 2**63 - 1  # number a database takes

Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
Name = Annotated[str | None, Query(max_length=1000)]


def router(house: House) -> APIRouter:
    """Routes that read lists."""
    routes = APIRouter(prefix="/api/v1", tags=["versions"])

    def today() -> date:
        return house.clock().date()

    @routes.get("/versions")
    def versions(
        model: Name = None,
        source: Name = None,
        state: Annotated[State | None, Query()] = None,
        verdict: Annotated[Verdict | None, Query(description="Of the newest audit.")] = None,
        limit: Limit = 50,
        after: Annotated[
            int | None, Query(ge=1, le=LARGEST, description="The `next` of the page before.")
        ] = None,
    ) -> answers.Versions:
        """Versions, the last one noted first."""
        wanted = Wanted(source=source, model=model, state=state, verdict=verdict)
        return answers.page(house.ledger.listed(wanted, limit=limit, before=after), limit, today())

    @routes.get("/queue")
    def queue(limit: Limit = 50) -> list[answers.Version]:
        """Versions in work, then those that wait, the most urgent first."""
        return [answers.version(stand, today()) for stand in house.ledger.queue(limit)]

    @routes.get("/problems")
    def problems(limit: Limit = 50) -> list[answers.Version]:
        """Versions that failed, are gone or were refused, the last one noted first."""
        return [answers.version(stand, today()) for stand in house.ledger.troubled(limit)]

    return routes
