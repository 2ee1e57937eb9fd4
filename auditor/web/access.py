"""Which role a route asks for, and who it was that called one that changes something."""

import logging
from typing import Any

from fastapi import Depends, HTTPException, Request

from auditor.web.tokens import Caller, Role

log = logging.getLogger(__name__)


def needs(role: Role) -> Any:  # noqa: ANN401 - fastapi's own kind of marker
    """A dependency of routes that only some may call: ``dependencies=[needs(Role.ADMIN)]``.

    Each call is logged with the name of its token. Whoever has any token may call a route
    without such a dependency.
    """

    def check(request: Request) -> None:
        caller: Caller = request.state.caller
        if caller.role < role:
            sentence = f"this needs a token of role {role.name.lower()}; ask for one"
            raise HTTPException(403, sentence)
        about = {"event": "web.asked", "by": caller.name}
        log.info("%s: %s %s", caller.name, request.method, request.url.path, extra=about)

    return Depends(check)
