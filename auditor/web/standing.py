"""How everything stands, as data."""

import json

from fastapi import APIRouter, Response

from auditor.status import Status, as_json, status
from auditor.web.house import House


def router(house: House) -> APIRouter:
    """The route behind dashboards of one's own."""
    routes = APIRouter(prefix="/api/v1", tags=["status"])

    @routes.get("/status", response_model=Status)
    def standing() -> Response:
        """What is wrong, what waits, sources, deliveries, verdicts; as `auditor status --json`."""
        found = status(house.ledger, house.rhythms, house.clock(), begun=house.begun)
        return Response(json.dumps(as_json(found)), media_type="application/json")

    return routes
