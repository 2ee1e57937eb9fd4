"""GET requests to the Hub: with patience that ends, and a token that only the Hub sees.

The package huggingface_hub lends its HTTP library, its token and its grammar of names. Its
requests are not used: they share one session of the whole process, which belongs to whoever
imported this package; most have no timeout; a ``Retry-After`` of a day is slept through; a
download is held against its size only; and a server that ignores a range is read whole into
memory.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from importlib import import_module
from typing import Any, TypeVar

from auditor import __version__
from auditor.errors import SourceError, UsageError
from auditor.hub_client.meanings import Response, Unanswered, must_be_fine
from auditor.hub_client.quota import Quota
from auditor.weights.spans import deadline

T = TypeVar("T")
Url = Any  # httpx.URL
Params = Mapping[str, str | Sequence[str]]
Client = Any  # httpx.Client

PUBLIC = "https://huggingface.co"
PAUSES = (1.0, 4.0, 16.0)  # seconds before a request is made again
LONGEST_WAIT = 60  # seconds a server's Retry-After is obeyed; beyond, the next sweep comes sooner
SILENCE = 30.0  # seconds without a byte, or to connect
MOST_REDIRECTS = 5
MOST_PAGES = 1000  # of a listing: a million repositories, or fifty thousand commits
PROGRESS = 16 << 20  # bytes of a download after which its failures are counted anew
LONGEST_JSON = 64 << 20  # bytes; a listing of 100,000 files has 40 MB


@dataclass(frozen=True, slots=True)
class Get:
    """A request."""

    url: str
    subject: str  # what is asked for, as the beginning of a sentence
    headers: Mapping[str, str] = field(default_factory=dict)
    commit: str = ""  # which the Hub's answer has to be of, if it says which it is of
    leaves: bool = False  # the answer may come from another host


@dataclass(frozen=True, slots=True)
class Access:
    """How the Hub is asked."""

    endpoint: str
    token: str | None = field(default=None, repr=False)
    pauses: tuple[float, ...] = PAUSES
    silence: float = SILENCE
    quota: Quota = field(default_factory=Quota, compare=False)  # as the last answer stated it

    @contextmanager
    def answer(self, get: Get) -> Iterator[Response]:
        """The answer to a request, redirects followed, its body not read yet.

        The token goes to the Hub's own scheme, host and port, and to no other.

        Raises
        ------
        Unanswered
            If asking again may help.
        SourceError
            If the answers lead astray. A status of 400 and more is the caller's to judge.
        """
        httpx = _library()
        try:
            found = self._followed(get)
            try:
                yield found
            finally:
                found.close()
        except httpx.TimeoutException as error:
            raise Unanswered(f"{get.subject}: {self.endpoint} fell silent") from error
        except httpx.RequestError as error:
            said = str(error)[:200] or type(error).__name__
            raise Unanswered(
                f"{get.subject}: the connection to {self.endpoint} failed: {said}"
            ) from error

    def json(self, path: str, params: Params, subject: str) -> object:
        """What the Hub's API answers at a path, of a long answer the first page.

        Raises
        ------
        GoneError
            If there is no such repository or revision, or it is hidden.
        RefusedError
            If it is there and this token may not have it.
        SourceError
            If the Hub does not answer, or not in JSON.
        """
        return next(self.pages(path, params, subject))

    def pages(self, path: str, params: Params, subject: str) -> Iterator[object]:
        """What the Hub's API answers at a path, page by page; a page is asked for when needed.

        Near the end of what the Hub allows, requests are made slowly.

        Raises
        ------
        SourceError
            As `json`; if the next page is said to be on another server, or pages have no end.
        """
        url = str(_library().URL(f"{self.endpoint}{path}", params=dict(params)))
        for _ in range(MOST_PAGES):
            time.sleep(self.quota.pause)
            get = Get(url, subject)
            body, onward = self.persistently(partial(self._page, get))
            try:
                yield json.loads(body)
            except (ValueError, RecursionError) as error:
                raise Unanswered(
                    f"{subject}: {self.endpoint} answered something that is no JSON; "
                    "is there a proxy with a page of its own in between?"
                ) from error
            if onward is None:
                return
            url = onward
        raise SourceError(f"{subject}: {self.endpoint} lists more than {MOST_PAGES} pages")

    def persistently(self, work: Callable[[], T], progress: Callable[[], int] = int) -> T:
        """What `work` returns, begun anew after a pause while the Hub is `Unanswered`.

        Parameters
        ----------
        progress
            Bytes that came so far: failures far apart are counted anew.
        """
        tries, since = 0, progress()
        while True:
            try:
                return work()
            except Unanswered as error:
                if progress() - since >= PROGRESS:
                    tries, since = 0, progress()
                if tries == len(self.pauses) or error.wait > LONGEST_WAIT:
                    raise
                time.sleep(max(self.pauses[tries], error.wait))
                tries += 1

    def is_hub(self, where: Url) -> bool:
        """Whether an address is at the Hub's own scheme, host and port."""
        hub = _library().URL(self.endpoint)
        return (where.scheme, where.host, where.port) == (hub.scheme, hub.host, hub.port)

    def _page(self, get: Get) -> tuple[bytes, str | None]:
        """The body of an answer, and where it goes on."""
        found, until = bytearray(), deadline(0)
        with self.answer(get) as answer:
            must_be_fine(answer, get.subject, self.endpoint)
            for chunk in answer.iter_bytes():
                found += chunk
                until.check(get.subject)
                if len(found) > LONGEST_JSON:
                    raise SourceError(f"{get.subject}: the answer is longer than any listing")
            onward = answer.links.get("next", {}).get("url")
            return bytes(found), str(self._next(answer.url, onward, get)) if onward else None

    def _followed(self, get: Get) -> Response:
        client, where = _client(self.silence), _library().URL(get.url)
        for _ in range(MOST_REDIRECTS):
            owned = {"authorization": f"Bearer {self.token}"} if self.token else {}
            sent = {**get.headers, **(owned if self.is_hub(where) else {})}
            answer = client.send(client.build_request("GET", where, headers=sent), stream=True)
            if self.is_hub(where):
                self.quota.note(answer.headers)
            says = answer.headers.get("x-repo-commit", get.commit)
            if get.commit and self.is_hub(where) and says != get.commit:
                answer.close()
                raise SourceError(f"{get.subject}: the Hub answered of commit {says[:40]!r}")
            if not answer.has_redirect_location:
                return answer
            answer.close()
            where = self._next(where, answer.headers["location"], get)
        raise SourceError(f"{get.subject}: more than {MOST_REDIRECTS} redirects")

    def _next(self, where: Url, location: str, get: Get) -> Url:
        httpx = _library()
        try:
            found = where.join(location)
        except (httpx.InvalidURL, ValueError) as error:
            raise SourceError(f"{get.subject}: redirected to what is no address") from error
        if found.scheme not in {"https", where.scheme} or not found.host:
            raise SourceError(f"{get.subject}: redirected to a {found.scheme[:20]!r} address")
        if not (get.leaves or self.is_hub(found)):
            raise SourceError(f"{get.subject}: {self.endpoint} led to another server")
        return found


def connect(endpoint: str | None = None, token: str | None = None) -> Access:
    """Access to `endpoint`, else ``HF_ENDPOINT``, else the public Hub.

    The token is `token`, else ``HF_TOKEN`` or the file that ``hf auth login`` wrote, unless
    ``HF_HUB_DISABLE_IMPLICIT_TOKEN`` is set.

    Raises
    ------
    UsageError
        If the endpoint is no address.
    SourceError
        If ``HF_HUB_OFFLINE`` is set, or there is a token and it cannot be used.
    """
    where = (endpoint or os.environ.get("HF_ENDPOINT") or PUBLIC).rstrip("/")
    if not where.startswith(("https://", "http://")):
        raise UsageError(f"HF_ENDPOINT is {where[:200]!r}; expected an address such as {PUBLIC}")
    from huggingface_hub import is_offline_mode  # noqa: PLC0415 - takes 0.2 s

    if is_offline_mode():
        raise SourceError(f"HF_HUB_OFFLINE is set, so {where} is not asked; unset it")
    return Access(where, _usable(token or _implicit(where), where))


def _implicit(where: str) -> str | None:
    """The token of whoever is logged in here; of some kinds it has to be asked for first."""
    hub, errors = (import_module(f"huggingface_hub.{name}") for name in ("utils", "errors"))
    foreign = (_library().HTTPError, errors.DeviceCodeError, errors.OIDCError)
    try:
        found: str | None = hub.get_token_to_send(None)
    except (OSError, ValueError, *foreign) as error:
        raise SourceError(f"no token for {where}: {str(error)[:200]}") from error
    return found


def _usable(token: str | None, where: str) -> str | None:
    """The token, which must not be repeated in any message."""
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise SourceError(f"the token for {where} is none: HF_TOKEN holds other text; set it anew")
    return token


@lru_cache(maxsize=4)
def _client(silence: float) -> Client:
    """One client and its connections for the whole process; nobody's but ours."""
    httpx = _library()
    for name in (httpx.__name__, httpx.__name__.replace("httpx", "httpcore")):
        log = logging.getLogger(name)
        if log.level == logging.NOTSET:
            log.setLevel(logging.WARNING)  # below, addresses are written down with signatures
    return httpx.Client(headers={"user-agent": f"auditor/{__version__}"}, timeout=silence)


def _library() -> Any:  # noqa: ANN401 - a module
    """The HTTP library that huggingface_hub uses: httpx, or what replaces it."""
    return import_module("huggingface_hub.utils").httpx
