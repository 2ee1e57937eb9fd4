"""Which repositories there are, and where their branches and tags stand: no file is looked at."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from auditor.hub_client.access import Access
from auditor.hub_client.answers import Answer, RepoName, Sha1, parsed

EXPAND = ("sha", "lastModified", "disabled")  # of a repository; the Hub states no more than asked
PAGE = 100  # repositories an answer has where few have changed, some 20 kB
FULL_PAGE = 1000  # the most the Hub gives


class Entry(Answer):
    """A repository as it is now."""

    id: RepoName
    number: Annotated[str, Field(alias="_id", max_length=50)] = ""  # the same when it is renamed
    sha: Sha1 | None = None  # the newest commit of `main`; None where nothing was pushed yet
    modified: Annotated[AwareDatetime | None, Field(alias="lastModified")] = None
    disabled: bool = False


class _Ref(Answer):
    name: str
    commit: Annotated[Sha1, Field(alias="targetCommit")]


class _Refs(Answer):
    branches: Sequence[_Ref] = ()
    tags: Sequence[_Ref] = ()


ENTRY, LIST, REFS = TypeAdapter(Entry), TypeAdapter(list[object]), TypeAdapter(_Refs)


def repositories(
    access: Access, query: Mapping[str, str | Sequence[str]], page: int, subject: str
) -> Iterator[Entry]:
    """Those that a query finds, in its order; what has no proper name is passed over.

    Raises
    ------
    SourceError
        If the Hub does not answer, or not with a list.
    """
    params = {**query, "limit": str(page), "expand": EXPAND}
    for answer in access.pages("/api/models", params, subject):
        for item in parsed(LIST, answer, subject, access.endpoint):
            try:
                yield ENTRY.validate_python(item)
            except ValidationError:  # a link of that name would lead elsewhere
                continue


def repository(access: Access, name: str) -> Entry:
    """One of them, under the name it has now.

    Raises
    ------
    GoneError
        If there is no such repository, or it is hidden.
    SourceError
        If the Hub does not answer, or in another form.
    """
    answer = access.json(f"/api/models/{name}", {"expand": EXPAND}, name)
    return parsed(ENTRY, answer, name, access.endpoint)


def refs(access: Access, name: str) -> dict[str, str]:
    """The newest commit of every branch, and that of every tag, `main` first.

    Of a branch and a tag of one name it is the branch that the name stands for.

    Raises
    ------
    SourceError
        As `repository`.
    """
    answer = access.json(f"/api/models/{name}/refs", {}, f"the branches and tags of {name}")
    found = parsed(REFS, answer, name, access.endpoint)
    named = {ref.name: ref.commit for ref in (*found.tags, *found.branches)}
    return dict(sorted(named.items(), key=lambda item: (item[0] != "main", item[0])))
