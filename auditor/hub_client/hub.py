"""Models on the Hugging Face Hub, by the names people give them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from auditor.errors import GoneError, UsageError
from auditor.file_cache import FileCache
from auditor.hub_client.access import PAUSES, SILENCE, Access, connect
from auditor.hub_client.content import Content
from auditor.hub_client.history import Commit, committed, moments, pages
from auditor.hub_client.listing import Snapshot, snapshot
from auditor.records import ModelVersion, SourceFile, VersionId
from auditor.weights import role_of
from auditor.weights.windows import Shelf

NEWEST = "main"
MOST_PAGES = 20  # of commits of a base model: a thousand; the newest of all has to do then
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

    @property
    def uri(self) -> str:
        """The REF that names it."""
        folder = f"/{self.folder}" if self.folder else ""
        return f"hf://{self.repo}@{quote(self.revision, safe='')}{folder}"


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
        ``latest`` (the newest commit of ``main``), and ``base_model``, which its card names:
        of that one the newest commit that was there when `of` was made, if one was.
        """
        try:
            if of is None:
                return self.find(ref) if ref.startswith("hf://") else None
            place = self._base(of) if ref == "base_model" else _relative(ref, parse(of.location))
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
        access, place = self.access(), parse(version.location)
        found = snapshot(access, place.repo, place.revision)
        if found.commit != place.revision:
            raise GoneError(f"{version.uri}: the Hub has commit {found.commit} in its place")
        return self.files_of(access, found, place.folder)

    def access(self) -> Access:
        """How the Hub is asked.

        Raises
        ------
        UsageError, SourceError
            As `connect`.
        """
        return replace(connect(self.endpoint, self.token), pauses=self.pauses, silence=self.silence)

    def files_of(self, access: Access, found: Snapshot, folder: str = "") -> list[SourceFile]:
        """The files of a commit that lie in a folder of it."""
        below, shelf = f"{folder}/" if folder else "", Shelf()
        return [
            _file(Content(access, found, file, FileCache(self.cache)), below, shelf)
            for file in found.files
            if file.name.startswith(below)
        ]

    def version_of(self, found: Snapshot, made: datetime, folder: str = "") -> ModelVersion:
        """A commit as a version."""
        here = Place(found.repo, found.commit, folder)
        return ModelVersion(
            id=VersionId(self.name, here.model, found.commit),
            created_at=made,
            uri=here.uri,
            location=here.uri,
            facts=found.facts,
        )

    def _version(self, place: Place) -> ModelVersion:
        access = self.access()
        found = snapshot(access, place.repo, place.revision)
        made = committed(access, found.repo, found.commit)
        version = self.version_of(found, made, place.folder)
        if place.revision == found.commit:
            return version
        return replace(version, facts={"revision": place.revision, **found.facts})

    def _base(self, of: ModelVersion) -> Place | None:
        """What the card names, as it was when `of` was made."""
        access, here = self.access(), parse(of.location)
        base = _named(snapshot(access, here.repo, here.revision).base_model)
        if base is None or base.revision != NEWEST:
            return base
        commits: list[Commit] = []
        for page in islice(pages(access, base.repo, NEWEST), MOST_PAGES):
            commits += page
            made = moments(commits)
            before = (commit.id for commit in commits if made[commit.id] < of.created_at)
            if (commit := next(before, None)) is not None:
                return replace(base, revision=commit)
        return base


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


def _relative(ref: str, here: Place) -> Place | None:
    """What a name means that is given beside a version."""
    if ref == "previous" or ref.startswith(("alias:", "@")):
        return None
    if ref.startswith("hf://"):
        return parse(ref)
    return Place(here.repo, NEWEST if ref == "latest" else ref, here.folder)


def _named(base: str) -> Place | None:
    """The repository a card names; cards hold any text."""
    try:
        return parse(f"hf://{base}")
    except UsageError:
        return None


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
