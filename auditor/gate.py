"""The gate: ask the running service for the verdict on a version, and wait for it.

The service does the work; this needs no ledger, no registry and no weights, only the
service's address and a token, so that it runs in anybody's CI.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import requests
from pydantic import BaseModel, ConfigDict, ValidationError
from requests.auth import AuthBase

from auditor.errors import UsageError
from auditor.mlflow_client import redact

ANSWER = 90.0  # seconds for one answer: the service may ask a slow registry meanwhile
CONNECT = 5.0
FIRST, GROWTH, LONGEST = 0.5, 1.5, 15.0  # seconds between questions: a tiny model takes about one
PASSING = frozenset({429, 500, 502, 503, 504})  # asked again while there is time


class Said(BaseModel):
    """What a person said of a version."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    accept: bool
    by: str
    reason: str
    until: date | None = None

    @property
    def sentence(self) -> str:
        """``accepted until 2026-12-31 by a.ruiz: for the pilot``."""
        until = f" until {self.until}" if self.until else ""
        return f"{'accepted' if self.accept else 'rejected'}{until} by {self.by}: {self.reason}"


class Standing(BaseModel):
    """What the service says of a version; what else it says is kept in `given`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int | None
    source: str
    model: str
    version: str
    state: str
    settled: bool
    why: str | None = None
    verdict: str | None = None
    reason: str | None = None
    report: str | None = None
    decision: Said | None = None
    given: Mapping[str, Any] = {}


class _PassingError(Exception):
    """It may be better at the next question."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running ``auditor serve``."""

    url: str
    token: str | None = field(default=None, repr=False)

    @property
    def place(self) -> str:
        """The address as it may be shown: without user and password, or a slash at its end."""
        return redact(self.url).rstrip("/")

    def standing(self, **which: str | int) -> Standing:
        """Where a version stands: by ``ref=`` or ``number=``.

        Raises
        ------
        UsageError
            If the service says no.
        """
        return self._read(self._ask("GET", "/api/v1/verdict", params=which))

    def enqueue(self, ref: str) -> Standing | None:
        """Let it be audited next; None where the token may only read.

        Raises
        ------
        UsageError
            If the service says no for another reason.
        """
        answer = self._ask("POST", "/api/v1/audits", json={"ref": ref}, also=(403,))
        return self._read(answer) if answer.status_code != 403 else None

    def _ask(
        self,
        method: str,
        path: str,
        *,
        also: tuple[int, ...] = (),
        **content: Any,  # noqa: ANN401 - of requests
    ) -> requests.Response:
        try:
            answer = requests.request(
                method,
                self.url.rstrip("/") + path,
                auth=_Bearer(self.token),
                allow_redirects=False,  # a token goes to nobody else
                timeout=(CONNECT, ANSWER),
                **content,
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _PassingError(f"nothing answers at {self.place}") from error
        except (requests.RequestException, ValueError) as error:
            raise UsageError(f"{self.place} cannot be asked: {redact(str(error))}") from error
        if answer.status_code == 401 and not self.token:
            raise UsageError(f"{self.place} asks for a token: set AUDITOR_TOKEN, or --token-file")
        if answer.status_code in PASSING:
            raise _PassingError(_said(answer))
        if (answer.ok and not answer.is_redirect) or answer.status_code in also:
            return answer
        raise UsageError(f"the service at {self.place} says: {_said(answer)}")

    def _read(self, answer: requests.Response) -> Standing:
        try:
            given = answer.json()
            return Standing.model_validate({**given, "given": given})
        except (ValueError, TypeError, ValidationError) as error:
            raise UsageError(
                f"what answers at {self.place} is no auditor serve, or another version of it"
            ) from error


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long the gate waits, and how."""

    seconds: float
    tell: Callable[[Standing, float], object]  # where it stands, after so many seconds
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep


def gate(service: Service, ref: str, waiting: Waiting) -> Standing:
    """The verdict on the version `ref` names: the one there is, else the one it gets.

    A version that is in the queue, or that was never audited, is put first.

    Raises
    ------
    UsageError
        If the service is not reachable or does not know the version, it cannot be audited,
        or the time is up.
    """
    began = waiting.clock()
    try:
        found = service.standing(ref=ref)
        if not _is_over(found):
            found = _hurried(service, ref, found)
    except _PassingError as error:
        raise UsageError(f"{error}; start auditor serve, or name it with --server") from error
    pause = FIRST
    while not _is_over(found):
        passed = waiting.clock() - began
        if passed >= waiting.seconds:
            raise UsageError(
                f"no verdict on {ref} within {waiting.seconds:g} s, it is {_where(found)}; "
                "wait longer with --wait"
            )
        waiting.tell(found, passed)
        waiting.sleep(min(pause, waiting.seconds - passed))
        pause = min(pause * GROWTH, LONGEST)
        found = _again(service, found)
    if found.verdict is None:
        raise UsageError(f"{ref} has no verdict, it is {_where(found)}")
    return found


def _hurried(service: Service, ref: str, found: Standing) -> Standing:
    asked = service.enqueue(ref)
    if asked is None and found.settled:
        raise UsageError(
            f"{ref} is {_where(found)}, and this token may only read; take one of role enqueue"
        )
    return asked or found


def _again(service: Service, found: Standing) -> Standing:
    """Where it stands now; as before where the service does not say."""
    try:
        return service.standing(number=found.number or 0)
    except _PassingError:
        return found


def _is_over(found: Standing) -> bool:
    """Whether waiting changes nothing."""
    return found.settled and (found.verdict is not None or found.state in {"gone", "refused"})


def _where(found: Standing) -> str:
    return f"{found.state}: {found.why}" if found.why else found.state


def _said(answer: requests.Response) -> str:
    """The sentence of a refusal; of what is not ours, the status."""
    try:
        return str(answer.json()["error"])[:500]
    except (ValueError, TypeError, KeyError):
        return f"status {answer.status_code}"


class _Bearer(AuthBase):
    """Sends the token, and nothing from a .netrc in its place."""

    def __init__(self, token: str | None) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request
