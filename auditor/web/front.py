"""The front page: for people, without script, worst first."""

from fastapi import APIRouter, Response
from markupsafe import Markup

from auditor.errors import LedgerError
from auditor.render.html import digest, environment, source
from auditor.status import status
from auditor.web.house import House
from auditor.web.page import Page, broken, page


def router(house: House) -> APIRouter:
    """The route that a browser opens."""
    routes = APIRouter(tags=["pages"])

    @routes.get("/", response_class=Response)
    def front() -> Response:
        """What is wrong, what waits, how the sources are, and the newest verdicts, as a page."""
        at = house.clock()
        try:
            found = page(status(house.ledger, house.rhythms, at, begun=house.begun))
        except LedgerError as error:
            return _answer(broken(str(error), at), 503)
        return _answer(found, 200)

    return routes


def _answer(of: Page, code: int) -> Response:
    style = source("service/front.css")
    template = environment().get_template("service/front.html")
    policy = (
        f"default-src 'none'; style-src '{digest(style)}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    text = template.render(page=of, style=Markup(style))  # noqa: S704 - ours, not a name
    return Response(text, code, media_type="text/html", headers={"Content-Security-Policy": policy})
