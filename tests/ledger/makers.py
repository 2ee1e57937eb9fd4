"""Versions and audit documents; each factory makes a valid one, a test names what it is about."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from auditor.document import Document, document
from auditor.ledger import Ledger, Told
from auditor.records import (
    Audit,
    Comparison,
    FileRecord,
    Finding,
    LayerChange,
    LayerRecord,
    Measurement,
    ModelVersion,
    Origin,
    Reading,
    Settings,
    Severity,
    Verdict,
    VersionId,
)

START = datetime(2026, 1, 5, 9, 30, 0, 123456, tzinfo=UTC)
TODAY = START.date()
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def version(number: int | str, model: str = "digits", *, day: float | None = None) -> ModelVersion:
    """Version `number`, made on that day of 2026."""
    made = START + DAY * (float(number) if day is None else day)
    return ModelVersion(
        id=VersionId("mlflow", model, str(number)),
        created_at=made,
        uri=f"models:/{model}/{number}",
        location=f"runs:/{model}-{number}/model",
        facts={"run_id": f"r{number}"},
    )


def note(
    ledger: Ledger,
    source: str,
    seen: Sequence[ModelVersion],
    cursor: str | None,
    history: int | None,
    at: datetime,
) -> int:
    """What a look found: versions, and nothing else."""
    return ledger.note(source, Told(seen, cursor=cursor), at, history=history)


def waiting(ledger: Ledger) -> int:
    """How many versions wait for an audit or are in one."""
    found = ledger.states()
    return found["pending"] + found["running"]


def versions(*numbers: int, model: str = "digits") -> list[ModelVersion]:
    return [version(number, model) for number in numbers]


def layer(name: str, index: int, alpha: float = 3.0) -> LayerRecord:
    return LayerRecord(
        name=name,
        index=index,
        block=None,
        kind="dense",
        dtype="float32",
        shape=(64, 32),
        digest=f"tensor-{name}",
        measured=Measurement(
            status="success",
            n=64,
            m=32,
            num_evals=32,
            metrics={"alpha": alpha, "log_spectral_norm": index + 1.0, "num_traps": 2},
        ),
    )


def finding(check: str, at: str | None = None) -> Finding:
    return Finding(severity=Severity.WARNING, message="no", layer=at, check=check)


def audited(
    of: ModelVersion,
    *,
    verdict: Verdict = Verdict.PASS,
    policy: str = "policy-1",
    weights: str = "",
    layers: Sequence[LayerRecord] = (),
    findings: Sequence[Finding] = (),
    distances: Sequence[float] = (),
) -> Document:
    """The document of an audit of `of`; `distances` are the layers' to version 0."""
    files = (FileRecord("w.safetensors", 9, weights or of.identity, verified=True),)
    changes = tuple(
        LayerChange(layer.name, layer, {"relative": distance})
        for layer, distance in zip(layers, distances, strict=False)
    )
    return document(
        Audit(
            version=of,
            reading=Reading(files if weights != "none" else (), bytes_read=9),
            layers=tuple(layers),
            skipped=(),
            comparison=Comparison(version(0), changes) if distances else None,
            findings=tuple(findings),
            gate=(),
            verdict=verdict,
            reason="because",
            policy="observe",
            policy_hash=policy,
            settings=Settings(),
            started_at=START,
            seconds=1.5,
        )
    )


def with_origin(found: Finding, origin: Origin) -> Finding:
    return Finding(
        severity=found.severity,
        message=found.message,
        layer=found.layer,
        check=found.check,
        origin=origin,
    )
