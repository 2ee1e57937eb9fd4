"""What of an audit document goes onto a model version and into its runs: text and numbers."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from statistics import median
from typing import Any, NamedTuple

from auditor.document import Document
from auditor.mlflow_client import redact

LONGEST_TAG = 4900  # characters; Postgres takes 5,000 of a description, SQLite any number
LONGEST_KEY = 250
SEVERITIES = ("critical", "warning", "info")
STANDING = {"new", "open", "analyzer"}  # origins of findings nobody has dealt with


class Point(NamedTuple):
    """A value of a metric."""

    key: str
    value: float
    step: int = 0


def headlines(document: Document) -> list[Point]:
    """A version in numbers: ``alpha/median``, ``alpha/mean``, ``distance/relative``, ...

    Medians and means over the layers where a metric is defined; of distances the median;
    findings by origin. What is undefined is left out. The part before the slash is a
    section of the MLflow UI's charts.
    """
    return list(_finite(_headlines(document)))


def series(document: Document) -> list[Point]:
    """Every layer's numbers, ``alpha/layers``, the step being the layer's index."""
    return list(_finite(_series(document)))


def tags(document: Document, *, report: str) -> dict[str, str]:
    """The tags of a model version, the verdict last: with it there, so is the rest."""
    baseline = (document["comparison"] or {}).get("baseline") or {}
    alpha = document["summary"].get("alpha", {}).get("median")
    policy = document["policy"]
    found = {
        "auditor.reason": document["reason"],
        "auditor.findings": findings(document),
        "auditor.alpha.median": "undefined" if alpha is None else f"{alpha:.4g}",
        "auditor.baseline": baseline.get("uri", "none"),
        "auditor.report": report,
        "auditor.audited_at": document["timing"]["started_at"],
        "auditor.weights": document["weights"]["digest"] or "unknown",
        "auditor.policy": f"{policy['name']} {policy['hash'][:12]}",
        "auditor.verdict": document["verdict"],
    }
    return {key: tidy(value) for key, value in found.items()}


def findings(document: Document) -> str:
    """How many findings stand, of which severity: ``2 critical, 1 warning``."""
    standing = [finding for finding in document["findings"] if finding["origin"] in STANDING]
    counts = Counter(finding["severity"] for finding in standing)
    words = [f"{counts[severity]} {severity}" for severity in SEVERITIES if counts[severity]]
    return ", ".join(words) or "none"


def tidy(text: str) -> str:
    r"""Text every MLflow database takes: no NUL, not too long, no password in an address.

    >>> tidy("a\0b")
    'ab'
    """
    text = redact(text).replace("\0", "")
    return text if len(text) <= LONGEST_TAG else text[: LONGEST_TAG - 1] + "…"


def created_ms(document: Document) -> int:
    """When the version was made, in MLflow's milliseconds."""
    return milliseconds(document["model"]["created_at"])


def milliseconds(moment: str) -> int:
    """MLflow's form of a time with a zone.

    >>> milliseconds("1970-01-01T00:00:01+00:00")
    1000
    """
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def identity(document: Document) -> str:
    """Names a version for good, also when its model's name is used again."""
    model = document["model"]
    return _hash(model["source"], model["name"], model["version"], created_ms(document))


def fingerprint(*parts: object) -> str:
    """The same for the same values; a changed number changes it."""
    return _hash(*parts)


def _headlines(document: Document) -> Iterator[tuple[str, Any, int]]:
    for name, values in document["summary"].items():
        yield f"{name}/median", values["median"], 0
        yield f"{name}/mean", values["mean"], 0
    for name, found in _distances(document).items():
        yield f"distance/{name}", median(found.values()), 0
    for origin, count in document["counts"]["findings"].items():
        yield f"findings/{origin}", count, 0


def _series(document: Document) -> Iterator[tuple[str, Any, int]]:
    for layer in document["layers"]:
        for name in document["summary"]:
            yield f"{name}/layers", layer.get(name), layer["index"]
    places = {layer["name"]: layer["index"] for layer in document["layers"]}
    for name, found in _distances(document).items():
        for layer, value in found.items():
            if layer in places:
                yield f"{name}/layers", value, places[layer]


def _distances(document: Document) -> dict[str, dict[str, float]]:
    """Distance -> layer -> value, where it is defined."""
    found: dict[str, dict[str, float]] = {}
    for layer in (document["comparison"] or {}).get("layers", ()):
        for name, value in layer.items():
            if _is_finite(value):
                found.setdefault(name, {})[layer["name"]] = float(value)
    return found


def _finite(points: Iterator[tuple[str, Any, int]]) -> Iterator[Point]:
    for key, value, step in points:
        if _is_finite(value):
            yield Point(re.sub(r"[^\w./ -]", "_", key)[:LONGEST_KEY], float(value), step)


def _is_finite(value: object) -> bool:
    return type(value) in {int, float} and math.isfinite(value)  # type: ignore[arg-type]


def _hash(*parts: object) -> str:
    return sha256(json.dumps(parts, default=_plain).encode()).hexdigest()[:32]


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)
