"""Models on the Hugging Face Hub, by the names people give them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from auditor.errors import GoneError, UsageError
from auditor.file_cache import FileCache
from auditor.hub_client.access import PAUSES, SILENCE, Access, connect
from auditor.hub_client.content import Content
from auditor.hub_client.listing import committed, snapshot
from auditor.records import ModelVersion, SourceFile, VersionId
from auditor.weights import role_of
from auditor.weights.windows import Shelf

NEWEST = "main"
EXPECTED = "expected hf://org/name, hf://org/name@revision or hf://org/name@revision/folder"


@dataclass(frozen=True, slots=True)
class Place:
    """A repository, a revision of it, and the folder in it that is looked at."""

    repo: str
    revision: str
    folder: str = ""

    @property
    def model(self) -> str:
        """What versions of it are versions of."""
        return f"{self.repo}/{self.folder}" if self.folder else self.repo


@dataclass(frozen=True, slots=True)
class Hub:
    """Commits of model repositories.

    A branch or tag is looked up once; from then on the commit it stood for is asked for,
    since a branch moves, and a file of a branch may come from an older commit.
    """

    endpoint: str | None = None  # None: HF_ENDPOINT, else the public Hub
    token: str | None = field(default=None, repr=False)  # None: HF_TOKEN or who is logged in
    name: str = "hub"
    cache: Path = Path(".auditor/files")
    pauses: tuple[float, ...] = PAUSES  # seconds before the Hub is asked again
    silence: float = SILENCE  # seconds without a byte until it counts as gone

    def find(self, ref: str) -> ModelVersion:
        """The version that ``hf://org/name@revision/folder`` names; ``main`` without revision.

        Raises
        ------
        UsageError
            If it is of another form.
        GoneError
            If there is no such repository or revision, or it is hidden.
        RefusedError
            If it is there and may not be had.
        SourceError
            If the Hub does not answer.
        """
        return self._version(parse(ref))

    def resolve(self, ref: str, of: ModelVersion | None) -> ModelVersion | None:
        """Find a version.

        Understood is ``hf://…``, and given `of`: a commit, branch or tag of its repository,
        ``latest`` (the newest commit of ``main``), and ``base_model``, which its card names.
        """
        try:
            if of is None:
                return self.find(ref) if ref.startswith("hf://") else None
            place = self._relative(ref, of)
            return self._version(place) if place is not None else None
        except GoneError:
            return None

    def files(self, version: ModelVersion) -> Sequence[SourceFile]:
        """Every file of the commit, below the folder that was named, with size and digest.

        `SourceFile.open` fetches that one file into `cache`, whole and verified or not at
        all; `SourceFile.ranges` gives a handle that fetches what is read, which nobody can
        verify.

        Raises
        ------
        GoneError
            If the commit is not there any more.
        RefusedError
            If it may not be had, or lists files outside of itself.
        SourceError
            If the Hub does not answer.
        """
        access, place, shelf = self._access(), parse(version.location), Shelf()
        found = snapshot(access, place.repo, place.revision)
        if found.commit != place.revision:
            raise GoneError(f"{version.uri}: the Hub has commit {found.commit} in its place")
        below = f"{place.folder}/" if place.folder else ""
        return [
            _file(Content(access, found, file, FileCache(self.cache)), below, shelf)
            for file in found.files
            if file.name.startswith(below)
        ]

    def _access(self) -> Access:
        access = connect(self.endpoint, self.token)
        return replace(access, pauses=self.pauses, silence=self.silence)

    def _version(self, place: Place) -> ModelVersion:
        access = self._access()
        found = snapshot(access, place.repo, place.revision)
        here = Place(found.repo, found.commit, place.folder)
        facts = {"revision": place.revision} if place.revision != found.commit else {}
        return ModelVersion(
            id=VersionId(self.name, here.model, found.commit),
            created_at=committed(access, found.repo, found.commit),
            uri=_uri(here),
            location=_uri(here),
            facts={**facts, **found.facts},
        )

    def _relative(self, ref: str, of: ModelVersion) -> Place | None:
        here = parse(of.location)
        if ref == "base_model":
            base = snapshot(self._access(), here.repo, here.revision).base_model
            return _named(base)
        if ref == "previous" or ref.startswith(("alias:", "@")):
            return None
        if ref.startswith("hf://"):
            return parse(ref)
        return Place(here.repo, NEWEST if ref == "latest" else ref, here.folder)


def parse(ref: str) -> Place:
    """What ``hf://org/name@revision/folder`` names; the revision is ``main`` if it has none.

    Raises
    ------
    UsageError
        If it is of another form.
    """
    from huggingface_hub import parse_hf_uri  # noqa: PLC0415 - takes 0.1 s

    try:
        found = parse_hf_uri(ref)
    except ValueError as error:
        raise UsageError(f"{ref[:300]!r} names nothing on the Hub; {EXPECTED}") from error
    if found.type != "model":
        raise UsageError(f"{ref[:300]!r} is a {found.type}, and models are audited; {EXPECTED}")
    revision = found.revision or NEWEST
    if ".." in PurePosixPath(found.path_in_repo).parts or not revision.isprintable():
        raise UsageError(f"{ref[:300]!r} leads out of its repository; {EXPECTED}")
    return Place(found.id, revision, found.path_in_repo)


def _named(base: str) -> Place | None:
    """The repository a card names; cards hold any text."""
    try:
        return parse(f"hf://{base}")
    except UsageError:
        return None


def _uri(place: Place) -> str:
    folder = f"/{place.folder}" if place.folder else ""
    return f"hf://{place.repo}@{quote(place.revision, safe='')}{folder}"


def _file(content: Content, below: str, shelf: Shelf) -> SourceFile:
    file = content.file
    name = file.name.removeprefix(below)
    ranges = partial(content.ranged, shelf) if file.size and content.kept() is None else None
    return SourceFile(
        name=name,
        role=role_of(name),
        size=file.size,
        open=content.open,
        sha256=file.sha256,
        ranges=ranges,
        discard=content.discard,
    )
