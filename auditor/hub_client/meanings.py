"""What the Hub's refusals mean, told as what they are."""

from datetime import UTC, datetime, timedelta
from typing import Any

from auditor.errors import GoneError, RefusedError, SourceError, UnreachableError
from auditor.hub_client.quota import window

Response = Any  # httpx.Response, or that of the library which replaces it

TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
DISABLED = "Access to this resource is disabled."
LONGEST_SHOWN = 1e9  # seconds, of a wait; dates end
BAD_TOKEN = "Invalid credentials"  # noqa: S105 - how the Hub's own sentence begins


class Unanswered(UnreachableError):
    """The Hub did not answer as it should this time; asked again after `wait` seconds."""

    def __init__(self, message: str, wait: float = 0.0, status: int = 0) -> None:
        super().__init__(message)
        self.wait = wait
        self.status = status  # of the answer, 0 where there was none


class TokenRefused(UnreachableError):
    """The Hub does not accept the token, whatever is asked for with it."""


def must_be_fine(answer: Response, subject: str, endpoint: str) -> None:
    """Say what an answer of status 400 or more means; its body is not read.

    Parameters
    ----------
    subject
        What was asked for, as the beginning of a sentence.

    Raises
    ------
    Unanswered
        If asking again later may help.
    GoneError
        If it is not there, or hidden.
    RefusedError
        If it is there and may not be had.
    SourceError
        If the token is refused, or the answer means nothing here.
    """
    status = answer.status_code
    if status < 400:
        return
    code, said = (answer.headers.get(f"x-error-{what}", "") for what in ("code", "message"))
    if status in TRANSIENT:
        raise _busy(answer, subject, endpoint)
    if said.startswith(BAD_TOKEN):
        raise TokenRefused(
            f"{endpoint} does not accept the token; renew it (HF_TOKEN, or `token` of the "
            "source), or unset it"
        )
    raise _refusal(status, code, said, subject, endpoint)


def _refusal(status: int, code: str, said: str, subject: str, endpoint: str) -> SourceError:
    rows: tuple[tuple[bool, type[SourceError], str], ...] = (
        (
            code == "GatedRepo",
            RefusedError,
            f"{subject} is gated; accept its conditions on its page at {endpoint}, "
            "and set HF_TOKEN, or `token` of the source, to a token of that account",
        ),
        (said == DISABLED, RefusedError, f"{subject} was disabled by {endpoint}"),
        (
            code == "RevisionNotFound",
            GoneError,
            f"{subject}: there is no such revision at {endpoint}, or not any more",
        ),
        (code == "EntryNotFound", GoneError, f"{subject}: the file is not there any more"),
        (  # one answer for both, so that nobody learns which private ones exist
            status in {401, 404},
            GoneError,
            f"{subject} is not at {endpoint}, or is private; check its name, "
            "or set HF_TOKEN to a token that may read it",
        ),
        (status == 403, RefusedError, f"{subject}: the token may not read it: {said[:200]!r}"),
        (True, SourceError, f"{subject}: {endpoint} answered {status} {said[:200]!r}"),
    )
    kind, sentence = next((kind, sentence) for is_it, kind, sentence in rows if is_it)
    return kind(sentence)


def _busy(answer: Response, subject: str, endpoint: str) -> Unanswered:
    wait, status = _wait(answer), answer.status_code
    asked = f" and asks to wait {wait:.0f} s, until {_until(wait)}" if wait else ""
    if status == 429:
        return Unanswered(
            f"{subject}: {endpoint} allows no more requests now{asked}; "
            "try later, or set HF_TOKEN: whoever is logged in may ask more",
            wait,
            status,
        )
    return Unanswered(f"{subject}: {endpoint} answered {status}{asked}", wait, status)


def _until(wait: float) -> str:
    moment = datetime.now(UTC) + timedelta(seconds=min(wait, LONGEST_SHOWN))
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _wait(answer: Response) -> float:
    """Seconds until it makes sense to ask again, 0 where the answer does not say."""
    stated = answer.headers.get("retry-after", "")
    if stated.isascii() and stated.isdigit() and len(stated) < 10:
        return float(stated)
    left = window(answer.headers)
    if answer.status_code == 429 and left is not None and left.remaining == 0:
        return float(left.seconds)
    return 0.0
