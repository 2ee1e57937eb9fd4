"""What an earlier audit concluded, what people said of it, and what it was measured with."""

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from auditor.document import Document
from auditor.records import (
    Decision,
    Finding,
    Level,
    ModelVersion,
    Origin,
    Settings,
    Severity,
    VersionId,
)


def findings(document: Document) -> tuple[Finding, ...]:
    """The findings of an audit, as far as a later audit compares with them."""
    tensors = (*document["skipped"], *document["layers"])
    shapes = {row["name"]: tuple(row["shape"]) for row in tensors}
    return tuple(
        Finding(
            severity=Severity[row["severity"].upper()],
            message=row["message"],
            rule=row["rule"],
            layer=row["layer"],
            limit=row["limit"],
            value=row["value"],
            interval=_interval(row["interval"]),
            check=row["check"],
            level=Level(row["level"]),
            origin=Origin(row["origin"]),
            evidence=row["evidence"],
            waiver=row["waiver"] or "",
            meaning=row["meaning"],
            advice=row["advice"],
            shape=shapes.get(row["layer"]),
        )
        for row in document["findings"]
    )


def decision(document: Document) -> Decision | None:
    """What a person said about the version, as far as it was known then."""
    row = document["decision"]
    if row is None:
        return None
    until = date.fromisoformat(row["until"]) if row["until"] else None
    return Decision(**{**row, "at": datetime.fromisoformat(row["at"]), "until": until})


def version(model: Mapping[str, Any], facts: Mapping[str, str] | None = None) -> ModelVersion:
    """Which version it is; where its files lie is no part of an audit."""
    return ModelVersion(
        id=VersionId(model["source"], model["name"], model["version"]),
        created_at=datetime.fromisoformat(model["created_at"]),
        uri=model["uri"],
        location="",
        facts=facts or {},
    )


def settings(document: Document) -> Settings:
    """What it was measured with; what could not be asked for then is as it is by default."""
    analyzer, known = document["analyzer"], Settings.__dataclass_fields__
    said = {name: _asked(value) for name, value in analyzer["settings"].items() if name in known}
    return Settings(convention=analyzer["convention"], seed=analyzer["seed"], **said)


def _asked(value: object) -> Any:  # noqa: ANN401 - as the settings have it
    return tuple(value) if isinstance(value, list) else value


def _interval(ends: Sequence[float | None] | None) -> tuple[float, float] | None:
    if ends is None:
        return None
    low, high = (math.nan if end is None else end for end in ends)
    return low, high
