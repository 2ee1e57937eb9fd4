"""Audit what was there before a model was watched, with an estimate first."""

from collections.abc import Sequence
from enum import Enum

from auditor.errors import SourceError, UsageError
from auditor.pipeline import App, Outcome, look, once
from auditor.records import ModelVersion
from auditor.weights import wanted as wanted_files

ASKED = 50  # versions whose files are listed for the estimate; the rest is taken to be alike


class Mode(Enum):
    """How far a backfill goes."""

    ESTIMATE = "estimate"  # what it would take, and nothing is changed
    QUEUE = "queue"  # the versions wait; whoever audits next audits them
    AUDIT = "audit"  # and they are audited here and now


def backfill(
    app: App, source: str, model: str | None, versions: int | None, mode: Mode
) -> tuple[str, Outcome | None]:
    """Let older versions wait for an audit, and audit them; what it takes, and what came out.

    They are audited when nothing more urgent waits, and nobody is told of them.

    Parameters
    ----------
    source
        Name of a source of the configuration.
    model
        Only this model; None: all of the source.
    versions
        How many of the newest ones not audited yet, of each model; None: all.
    mode
        How far to go.

    Raises
    ------
    UsageError
        If there is no such source, or it has no such model.
    SourceError
        If it cannot be reached.
    """
    if source not in app.sources:
        raise UsageError(f"no source {source}; there are: {', '.join(sorted(app.sources))}")
    look(app, source)
    _must_have(app, source, model)
    wanted = app.ledger.older(source, model, versions)
    estimate = _estimate(wanted, app, source)
    if mode is not Mode.ESTIMATE:
        app.ledger.backfill(source, model, versions)
    return estimate, once(app) if mode is Mode.AUDIT and wanted else None


def _must_have(app: App, source: str, model: str | None) -> None:
    """Refuse a model that was never noted; a name with a typo would be "nothing to do"."""
    if model is None:
        return
    models = app.ledger.known(source).models()
    if model not in models:
        raise UsageError(f"no model {model} in {source}; there are: {', '.join(sorted(models))}")


def _estimate(wanted: Sequence[ModelVersion], app: App, source: str) -> str:
    """How many versions, their bytes and the time they take, about; nothing is fetched for it."""
    if not wanted:
        return f"{source}: no older versions to audit"
    models = len({version.id.model for version in wanted})
    sizes = [_bytes(version, app, source) for version in wanted[:ASKED]]
    known = [size for size in sizes if size is not None]
    about = round(sum(known) / len(known) * len(wanted)) if known else 0
    text = f"{source}: {len(wanted)} older versions of {models} models, about {about:,} bytes"
    pace = app.ledger.pace()
    if pace is None or not about:
        return text
    minutes = about * pace / app.audits / 60
    spent = f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"
    return f"{text} and {spent} at the pace of the latest audits"


def _bytes(version: ModelVersion, app: App, source: str) -> int | None:
    try:
        files = app.sources[source].files(version)
    except SourceError:
        return None
    return sum(file.size for file in wanted_files(files).used)
