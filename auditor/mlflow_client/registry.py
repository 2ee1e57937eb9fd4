"""The versions of a model registry, or of one workspace of it, page by page."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Protocol

from auditor.errors import SourceError
from auditor.mlflow_client import Client, connect, existing, inside, redact, translated
from auditor.mlflow_client.forms import age, chunks, logged_model, moment
from auditor.mlflow_client.marks import Edge, Mark
from auditor.naming import is_chosen
from auditor.records import ModelVersion, VersionId

HEAD = 50  # records of the first page: most looks find nothing new
PAGE = 1000  # of the pages after it; of models the server gives no more at once
MOST_PAGES = 1000  # of one question: a million versions
ENDLESS = f"answers with more than {MOST_PAGES} pages; is there a proxy in between?"
FULL_PAGE = 2000  # versions a request of a full look: half a second of the server's time
DECISION = "auditor.decision"  # a tag that people set; nothing of ours writes it
PROMPT = "mlflow.prompt.is_prompt"  # prompts live in the same tables

Record = Any  # mlflow's own, which carries no types
Tagged = Sequence[tuple[ModelVersion, str]]  # and the text of its tag
Looked = Mapping[str, Sequence[ModelVersion]]  # models, each with all versions that are there


@dataclass(frozen=True, slots=True)
class Recent:
    """What may be new since a mark."""

    seen: Sequence[ModelVersion]
    changed: Sequence[str]  # models that may have lost or gained a version or their name
    mark: Mark


class Place(Protocol):
    """Where models are found: the registry, a workspace of it, or an experiment."""

    @property
    def key(self) -> str:
        """What its mark goes by."""

    @property
    def workspace(self) -> str:
        """The workspace it is in, "" where there are none."""

    def has(self, model: str) -> bool:
        """Whether a model of that name would be found here, and is watched."""

    def can_tell(self, model: str) -> bool:
        """Whether a version under that name, which is not `named`, is there no more."""

    def head(self, now: int) -> Mark:
        """A mark from which everything that happens after this moment is told."""

    def recent(self, mark: Mark, now: int) -> Recent:
        """What may be new since `mark`."""

    def named(self, models: Collection[str]) -> Looked:
        """All versions of these models; none of one that is not there."""

    def page(self, token: str) -> tuple[Looked, str | None]:
        """Some of all models, and where to go on; the first page has the token ``""``."""

    def tagged(self, model: str | None = None) -> Tagged | None:
        """What the tag `DECISION` says, of every version or of a model's; None: unknown here."""


@dataclass(frozen=True, slots=True)
class Registry:
    """The registered models of a server, or of one of its workspaces.

    A model of a workspace is called ``<workspace>:<model>``; MLflow allows neither ``:`` nor
    ``/`` in the name of a model.
    """

    uri: str
    source: str  # its name in version ids
    models: tuple[str, ...]
    workspace: str = ""  # "": the one that requests which name none are about

    @property
    def key(self) -> str:
        """What its mark goes by."""
        return self.workspace

    def has(self, model: str) -> bool:
        """Whether a model of that name would be found here, and is watched."""
        workspace, _, name = model.rpartition(":")
        return workspace == self.workspace and "/" not in name and is_chosen(model, self.models)

    def can_tell(self, model: str) -> bool:
        """Whether a version under that name, which is not `named`, is there no more."""
        return self.has(model)

    def head(self, now: int) -> Mark:
        """A mark from which everything that happens after this moment is told."""
        with self._asking("looking for the newest version") as client:
            newest = client.search_model_versions(
                max_results=1, order_by=["creation_timestamp DESC"]
            )
            touched = client.search_registered_models(
                max_results=1, order_by=["last_updated_timestamp DESC"]
            )
        made = Edge().moved((one.creation_timestamp for one in newest), now)
        return Mark(made, Edge().moved((one.last_updated_timestamp for one in touched), now))

    def recent(self, mark: Mark, now: int) -> Recent:
        """Versions made and models changed since shortly before the newest ones that were told.

        Two requests where nothing is new, and no rush of versions was just before.
        """
        with self._asking("searching for new versions") as client:
            made = self._made(client, mark.made.since(now))
            touched = self._touched(client, mark.touched.since(now))
        seen = sorted((self.version(one) for one in made if _is_model(one)), key=age)
        names = {_print(one): self.called(one.name) for one in touched}
        changed = [name for key, name in names.items() if key not in mark.met and self.has(name)]
        at = replace(
            mark,
            made=mark.made.moved((one.creation_timestamp for one in made), now),
            touched=mark.touched.moved((one.last_updated_timestamp for one in touched), now),
            met=tuple(names),
        )
        return Recent([one for one in seen if self.has(one.id.model)], changed, at)

    def named(self, models: Collection[str]) -> Looked:
        """All versions of these models; none of one that is not there."""
        names = sorted(model.rpartition(":")[2] for model in models)
        found: dict[str, list[ModelVersion]] = {self.called(name): [] for name in names}
        with self._asking(f"looking at {len(names)} models") as client:
            for some in chunks(names):
                for record in every(client, f"name IN ({some})"):
                    if _is_model(record) and self.called(record.name) in found:
                        found[self.called(record.name)].append(self.version(record))
        return {model: sorted(versions, key=age) for model, versions in found.items()}

    def page(self, token: str) -> tuple[Looked, str | None]:
        """Some of all models in the order of their names, whole, and where to go on.

        A token the server does not know any more begins anew.
        """
        with self._asking("looking at all versions") as client:
            order = ["name ASC", "version_number ASC"]
            size = FULL_PAGE
            page = existing(lambda: client.search_model_versions(None, size, order, token or None))
            if page is None:
                token, page = "", client.search_model_versions(None, size, order, None)
        found: dict[str, list[ModelVersion]] = {}
        for record in filter(_is_model, page):
            found.setdefault(self.called(record.name), []).append(self.version(record))
        if page:  # versions of the first and the last one may be on other pages
            cut = {page[0].name} if token else set()
            cut |= {page[-1].name} if page.token else set()
            names = {self.called(name) for name in cut} & found.keys()
            found.update(self.named(names) if names else {})  # type: ignore[arg-type]
        return {model: found[model] for model in found if self.has(model)}, page.token or None

    def tagged(self, model: str | None = None) -> Tagged | None:
        """What the tag `DECISION` says, of every version or of a model's.

        One request for each `PAGE` versions that have it. None where the server refuses to
        search for tags.
        """
        names = () if model is None else chunks([model.rpartition(":")[2]])
        query = " AND ".join(
            [f"tags.`{DECISION}` ILIKE '%'", *(f"name IN ({one})" for one in names)]
        )
        with self._asking(f"searching for the tag {DECISION}") as client:
            found = existing(lambda: list(every(client, query, PAGE)))
        if found is None:
            return None
        said = ((self.version(one), str(one.tags.get(DECISION, ""))) for one in found)
        return [(version, text) for version, text in said if self.has(version.id.model)]

    def called(self, name: str) -> str:
        """A registered model's name as this source has it."""
        return f"{self.workspace}:{name}" if self.workspace else name

    def version(self, record: Record) -> ModelVersion:
        """What is announced of mlflow's record."""
        model = self.called(record.name)
        facts = {
            "run_id": record.run_id or "",
            "model_id": logged_model(record.source),
            "workspace": self.workspace,
        }
        return ModelVersion(
            id=VersionId(self.source, model, str(record.version)),
            created_at=moment(record.creation_timestamp),
            uri=f"models:/{model}/{record.version}",
            location=record.source,
            facts={name: value for name, value in facts.items() if value},
        )

    def _made(self, client: Client, since: int) -> list[Record]:
        """Records of the versions made since then, each once."""
        found: dict[tuple[str, str], Record] = {}
        size, token = HEAD, None
        for _ in range(MOST_PAGES):
            page = client.search_model_versions(
                max_results=size, order_by=["creation_timestamp DESC"], page_token=token
            )
            new = [one for one in page if one.creation_timestamp >= since]
            found |= {(one.name, str(one.version)): one for one in new}
            size, token = PAGE, page.token
            if not token or len(new) < len(page):
                return list(found.values())
        raise SourceError(f"{redact(self.uri)} {ENDLESS}")

    def _touched(self, client: Client, since: int) -> list[Record]:
        """Records of the registered models that changed since then, the latest first."""
        found: dict[str, Record] = {}
        size, token = HEAD, None
        for _ in range(MOST_PAGES):
            page = client.search_registered_models(
                max_results=size, order_by=["last_updated_timestamp DESC"], page_token=token
            )
            new = [one for one in page if one.last_updated_timestamp >= since]
            found |= {one.name: one for one in new}
            size, token = PAGE, page.token
            if not token or len(new) < len(page):
                return list(found.values())
        raise SourceError(f"{redact(self.uri)} {ENDLESS}")

    @contextmanager
    def _asking(self, doing: str) -> Iterator[Client]:
        about = f"{doing} in workspace {self.workspace}" if self.workspace else doing
        client = connect(self.uri)
        with translated(self.uri, about), inside(self.workspace):
            yield client


def every(client: Client, query: str, size: int = FULL_PAGE) -> Iterator[Record]:
    """Records of all versions that fit a query, in pages of `size`."""
    token = None
    for _ in range(MOST_PAGES):
        page = client.search_model_versions(query, max_results=size, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
    raise SourceError(f"MLflow {ENDLESS}")


def _is_model(record: Record) -> bool:
    return bool(record.tags.get(PROMPT) != "true")


def _print(record: Record) -> str:
    """Short for a registered model as it was after a change."""
    return sha256(f"{record.name}@{record.last_updated_timestamp}".encode()).hexdigest()[:12]
