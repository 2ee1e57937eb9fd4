"""Whether the service lives, and whether it does its work."""

from collections.abc import Iterator

from fastapi import APIRouter, Response
from pydantic import Field

from auditor.errors import LedgerError
from auditor.status import watched
from auditor.status.disks import disks
from auditor.status.leading import is_led
from auditor.web.answers import Answer
from auditor.web.house import House


class Alive(Answer):
    """The service answers; nothing more is said to whoever asks without a token."""

    alive: bool = True


class Ready(Answer):
    """Whether the service does its work."""

    ready: bool
    reasons: tuple[str, ...] = Field(description="One sentence for each thing that is wrong.")


def router(house: House) -> APIRouter:
    """Routes for what keeps services running."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz")
    def alive() -> Alive:
        """The process answers. Restart it where this fails; nothing else is looked at."""
        return Alive()

    @routes.get("/readyz", responses={503: {"model": Ready}})
    def ready(response: Response) -> Ready:
        """Sources are looked at in time, somebody leads, the ledger answers, disks have room."""
        reasons = tuple(_reasons(house))
        response.status_code = 503 if reasons else 200
        return Ready(ready=not reasons, reasons=reasons)

    return routes


def _reasons(house: House) -> Iterator[str]:
    try:
        states = house.ledger.sources()
    except LedgerError as error:
        yield str(error)
    else:
        now = house.clock()
        for source in watched(states, house.rhythms, now, begun=house.begun):
            if source.overdue_since is not None:
                why = f": {source.last_error}" if source.last_error else ""
                since = f"{source.overdue_since:%Y-%m-%d %H:%M} UTC"
                yield f"source {source.name} is overdue since {since}{why}"
        yield from _unled(house)
    yield from (disk.sentence for disk in disks(house.config) if disk.is_short)


def _unled(house: House) -> Iterator[str]:
    try:
        if not is_led(house.config.ledger):
            yield "nobody leads: no source is looked at, nothing is delivered; the log says why"
    except LedgerError as error:
        yield str(error)
