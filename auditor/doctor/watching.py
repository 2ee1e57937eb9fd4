"""Sources: whether they answer, whether files may be read, and what time it is there."""

import time
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from importlib import import_module

from auditor.amounts import as_time
from auditor.app import now
from auditor.doctor.symptoms import Symptom, clock, tried
from auditor.errors import (
    ArrivingError,
    AuditorError,
    GoneError,
    RefusedError,
    SourceError,
    translate,
)
from auditor.hub_client.access import Get
from auditor.hub_client.access import connect as hub
from auditor.ledger import Ledger
from auditor.mlflow_client import connect, translated
from auditor.records import NOTHING, Known, ModelVersion, Seen, SourceFile
from auditor.render.text import count
from auditor.sources import Source
from auditor.sources.hub import Hub
from auditor.sources.mlflow import Mlflow

SILENCE = 10  # seconds


def source_symptoms(source: Source, ledger: Ledger | None) -> Iterator[Symptom]:
    """A source: cheap also where it has a million versions."""
    known = ledger.known(source.name) if ledger else NOTHING
    found = list[ModelVersion]()
    reached = tried(f"source {source.name}", lambda: _reached(source, ledger, known, found))
    yield reached
    if not reached.fine:
        return
    yield tried(f"files of {source.name}", lambda: _readable(source, _newest(known) or found))
    yield from _clock(source)


def _reached(source: Source, ledger: Ledger | None, known: Known, found: list[ModelVersion]) -> str:
    """The first thing a look would tell is enough: what comes before it are its requests."""
    began, cursor = time.monotonic(), ledger.cursor(source.name) if ledger else None
    first = next(source.changes(cursor, known), None)
    if isinstance(first, Seen):
        found.append(first.version)
    return f"answered in {as_time(time.monotonic() - began)}"


def _newest(known: Known) -> list[ModelVersion]:
    """The newest version of one model that was noted."""
    return [known.versions(model)[-1] for model in sorted(known.models())[:1]]


def _readable(source: Source, versions: list[ModelVersion]) -> str:
    """Whether a version's files can be listed, and a byte of one be read where that is cheap."""
    if not versions:
        return "not checked: it has no version yet"
    (version,) = versions
    try:
        files = source.files(version)
    except (GoneError, RefusedError, ArrivingError) as error:  # of this version, not of the place
        return f"not checked: {error}"
    listed = f"{version.uri} has {count(len(files), 'file')}"
    cheap = [file for file in files if file.size and (file.ranges or not file.is_elsewhere)]
    if not cheap:
        return f"{listed}; none was read, since this store gives whole files only"
    _read_byte(min(cheap, key=lambda file: file.size), version)
    return f"{listed}, and they can be read"


def _read_byte(file: SourceFile, version: ModelVersion) -> None:
    opened = file.ranges or file.open
    doing = f"reading a byte of {file.name} of {version.uri}"
    with translate(OSError, to=SourceError, doing=doing), opened() as handle:
        handle.read(1)


def _clock(source: Source) -> Iterator[Symptom]:
    """Their clock and ours; nothing of a source that has none."""
    try:
        theirs = _served_at(source)
    except AuditorError as error:
        yield Symptom("clock", f"not compared with that of {source.name}: {error}")
        return
    if theirs is not None:
        yield clock(source.name, theirs, now())


def _served_at(source: Source) -> datetime | None:
    """The time in the head of an answer; None where there is no server, or it tells none."""
    if isinstance(source, Hub):
        access = hub(source.endpoint, source.token)
        with access.answer(Get(f"{access.endpoint}/api/models?limit=1", "the time")) as answer:
            return _moment(answer.headers.get("date"))
    if isinstance(source, Mlflow) and source.uri.startswith(("http://", "https://")):
        client, ask = connect(source.uri), import_module("mlflow.utils.rest_utils").http_request
        with translated(source.uri, "asking for the time"):
            credentials = client._tracking_client.store.get_host_creds()
            answer = ask(
                credentials,
                "/version",
                "GET",
                timeout=SILENCE,
                max_retries=0,
                raise_on_status=False,
            )
            return _moment(answer.headers.get("date"))
    return None


def _moment(header: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(header or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
