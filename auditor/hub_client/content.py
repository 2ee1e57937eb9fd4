"""The bytes of one file of a commit: whole, held against their digest, or a part of them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from auditor.errors import SourceError, translate
from auditor.file_cache import FileCache
from auditor.hub_client.access import Access, Get
from auditor.hub_client.listing import Listed, Snapshot
from auditor.hub_client.meanings import Response, Unanswered, must_be_fine
from auditor.weights.spans import Deadline, Span, deadline
from auditor.weights.windows import Shelf, windowed

EXPIRED = {400, 401, 403, 404, 410}  # what stores answer to an address whose signature is old


@dataclass(frozen=True, slots=True)
class Content:
    """One file of a commit, and how to get at it."""

    access: Access
    snapshot: Snapshot
    file: Listed
    cache: FileCache

    @property
    def url(self) -> str:
        """The address at the Hub, which leads on to where the bytes are."""
        repo, commit = self.snapshot.repo, self.snapshot.commit
        return f"{self.access.endpoint}/{repo}/resolve/{commit}/{quote(self.file.name)}"

    @property
    def subject(self) -> str:
        """What messages call it."""
        return f"{self.snapshot.repo}@{self.snapshot.commit[:12]}: {self.file.name[:200]!r}"

    def kept(self) -> Path | None:
        """Where it is, if it was fetched before."""
        return self.cache.find(self._key)

    def open(self) -> BinaryIO:
        """A handle on the whole file, fetched first unless it is kept.

        Raises
        ------
        SourceError
            If it cannot be fetched, or has not the size or digest the Hub states.
        """
        with translate(OSError, to=SourceError, doing=f"keeping {self.subject}"):
            return self.cache.open(self._key, self.file.size, self._fetch)

    def discard(self) -> None:
        """Forget what is kept of it."""
        self.cache.discard(self._key)

    def ranged(self, shelf: Shelf) -> BinaryIO:
        """A handle that fetches what is read and no more; nothing of it is verified."""
        parts = _Parts(self)
        return windowed(parts.fetch, self.file.size, shelf, self.file.name)

    def get(self, url: str, headers: Mapping[str, str]) -> Get:
        """A request for its bytes, which another host may answer."""
        return Get(url, self.subject, headers, commit=self.snapshot.commit, leaves=True)

    def must_be_fine(self, answer: Response) -> None:
        """Say what an answer of status 400 or more means; another host knows no names."""
        status = answer.status_code
        if status in EXPIRED and not self.access.is_hub(answer.url):
            raise Unanswered(
                f"{self.subject}: its store answered {status} to the address "
                f"that {self.access.endpoint} gave out for it"
            )
        must_be_fine(answer, self.subject, self.access.endpoint)

    @property
    def _key(self) -> str:
        """The same bytes in another commit or repository are the same file."""
        if self.file.sha256:
            return f"sha256:{self.file.sha256}"
        return f"git:{self.file.blob}" if self.file.blob else self.url

    def _fetch(self, staging: Path) -> Path:
        path = staging / "file"
        with path.open("wb") as out:
            arriving = _Arriving(self, out, deadline(self.file.size))
            if self.file.size:
                self.access.persistently(arriving.go_on, lambda: arriving.count)
            arriving.check()
        return path


@dataclass(slots=True)
class _Arriving:
    """A file being written, hashed as it comes."""

    content: Content
    out: BinaryIO
    until: Deadline
    count: int = 0  # bytes so far
    sha256: Any = field(default_factory=hashlib.sha256)
    git: Any = None

    def __post_init__(self) -> None:
        self._begin()

    def go_on(self) -> None:
        """Fetch what is missing; what came before the transfer broke off is kept."""
        size, subject = self.content.file.size, self.content.subject
        span = Span(self.content.file.name, self.count, size - self.count, size)
        headers = span.headers if self.count else {"Accept-Encoding": "identity"}
        with self.content.access.answer(self.content.get(self.content.url, headers)) as answer:
            self.content.must_be_fine(answer)
            if self.count and answer.status_code == 200:
                self._begin()  # it sends all of it again
            elif self.count:
                span.check(answer.status_code, answer.headers)
            for chunk in answer.iter_raw():
                self._take(chunk)
        if self.count < size:
            raise Unanswered(f"{subject}: the transfer ended after {self.count} of {size} bytes")

    def check(self) -> None:
        """Hold size and digest against what the Hub states."""
        file, subject = self.content.file, self.content.subject
        pairs = (("SHA-256", file.sha256, self.sha256), ("git SHA-1", file.blob, self.git))
        kind, stated, found = pairs[0] if file.sha256 else pairs[1]
        if stated is not None and found.hexdigest() != stated:
            raise SourceError(
                f"{subject} has {kind} {found.hexdigest()}, the Hub states {stated}; "
                "it was damaged on the way or changed"
            )

    def _begin(self) -> None:
        self.out.seek(0)
        self.out.truncate()
        self.count, self.sha256 = 0, hashlib.sha256()
        self.git = hashlib.sha1(b"blob %d\0" % self.content.file.size, usedforsecurity=False)

    def _take(self, chunk: bytes) -> None:
        self.count += len(chunk)
        if self.count > self.content.file.size:
            raise SourceError(f"{self.content.subject} is longer than the Hub states")
        self.until.check(self.content.file.name)
        self.out.write(chunk)
        for digest in (self.sha256, self.git):
            digest.update(chunk)


class _Parts:
    """Parts of one file, asked for where the Hub said that its bytes are."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._location = ""  # signed, and good for a while; a credential, not for messages

    def fetch(self, offset: int, count: int) -> bytes:
        """Exactly these bytes; any thread may ask."""
        file = self._content.file
        span = Span(file.name, offset, count, file.size)
        return self._content.access.persistently(partial(self._fetch, span))

    def _fetch(self, span: Span) -> bytes:
        content, access = self._content, self._content.access
        if location := self._location:
            with access.answer(content.get(location, span.headers)) as answer:
                if answer.status_code not in EXPIRED:
                    return self._body(answer, span)
        with access.answer(content.get(content.url, span.headers)) as answer:
            body = self._body(answer, span)
            self._location = str(answer.url)
            return body

    def _body(self, answer: Response, span: Span) -> bytes:
        self._content.must_be_fine(answer)
        span.check(answer.status_code, answer.headers)
        return span.gather(answer.iter_raw())
