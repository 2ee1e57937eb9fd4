"""Webhooks of the Hugging Face Hub: which repositories an event says to look at."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Annotated

from pydantic import Field

from auditor.web.hostile import Told, read

WATCHED = ("refs/heads/", "refs/tags/")  # pull requests are refs/pr/: nobody's version yet

Name = Annotated[str, Field(min_length=1, max_length=500)]  # the Hub's own limit is 96 a part
Short = Annotated[str, Field(max_length=500)]


class _What(Told):
    action: Short
    scope: Short


class _Repo(Told):
    type: Short
    name: Name
    id: Name


class _Ref(Told):
    ref: Short
    oldSha: Short | None = None
    newSha: Short | None = None


class _Moved(Told):
    name: Name


class _Event(Told):
    event: _What
    repo: _Repo | None = None
    updatedRefs: Annotated[list[_Ref], Field(max_length=10_000)] | None = None
    movedTo: _Moved | None = None


def changed(value: object) -> Iterator[tuple[str, str]]:
    """What to look at: a name for each piece of news, the same when it is sent again, and a model.

    Raises
    ------
    HTTPException
        422, if it is no event of the Hub.
    """
    told = read(_Event, value)
    repo = told.repo
    if repo is None or repo.type != "model":
        return
    scope, action = _normal(told.event)
    if (scope, action) == ("repo.content", "update"):
        moved = [ref for ref in told.updatedRefs or () if ref.ref.startswith(WATCHED)]
        news = [f"{ref.ref} {ref.oldSha} {ref.newSha}" for ref in moved]
        if news:
            yield _key(repo.id, *news), repo.name
    elif scope == "repo" and action in {"move", "delete"}:
        after = told.movedTo.name if told.movedTo is not None else ""
        for name in filter(None, (repo.name, after)):
            yield _key(repo.id, action, name, after), name


def _normal(event: _What) -> tuple[str, str]:
    """Scope and action; a narrower scope, ``a.b.c``, is an update of ``a.b``."""
    parts = event.scope.split(".")
    return (".".join(parts[:2]), "update") if len(parts) > 2 else (event.scope, event.action)


def _key(*parts: str) -> str:
    return sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
