"""Which role a route asks for."""

from typing import Any

from fastapi import Depends, HTTPException, Request

from auditor.web.tokens import Role


def needs(role: Role) -> Any:  # noqa: ANN401 - fastapi's own kind of marker
    """A dependency of routes that only some may call: ``dependencies=[needs(Role.ADMIN)]``.

    Whoever has any token may call a route without one.
    """

    def check(request: Request) -> None:
        if request.state.role < role:
            sentence = f"this needs a token of role {role.name.lower()}; ask for one"
            raise HTTPException(403, sentence)

    return Depends(check)
