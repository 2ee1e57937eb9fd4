"""The web door of the service: an API, webhooks, and pages.

To add routes: write ``web/<subject>.py`` with ``router(house) -> APIRouter`` and list it in
`ROUTERS`. A route is a plain function (it runs in a thread of its own), answers with a
pydantic model, raises `auditor.errors` or ``HTTPException(status, sentence)``, and says with
`auditor.web.access.needs` which role it asks for. `door` has checked the request before.
"""

from auditor.web.building import create
from auditor.web.house import House
from auditor.web.listening import listening

__all__ = ["House", "create", "listening"]
