"""How a report came about: enough to do it again."""

from collections.abc import Iterator, Mapping
from typing import Any

from auditor.document import Document
from auditor.render.deciding import told
from auditor.render.text import duration, moment, size


def provenance(document: Document) -> Iterator[tuple[str, str]]:
    """Terms and their texts: what was audited, against what, by what, with which settings."""
    model, analyzer, timing = document["model"], document["analyzer"], document["timing"]
    yield "Audit", document["id"]
    yield "Model", f"{model['source']}:{model['name']}@{model['version']}"
    yield "Found at", model["uri"]
    yield "Created", moment(model["created_at"])
    yield from ((name, value) for name, value in sorted(document["source"].items()))
    weights = document["weights"]
    yield "Weights digest", _digest(weights)
    if unverified := [file["name"] for file in weights["files"] if not file["verified"]]:
        yield "Not verified", f"against the file's digest, read in parts: {', '.join(unverified)}"
    yield from _baseline(document["comparison"], document["profile"])
    yield "Decision", told(document)
    if (again := document["rejudged"]) is not None:
        yield "Judged again", f"as {again['why']}; audit {again['id']} said {again['verdict']}"
    policy = document["policy"]
    yield "Policy", f"{policy['name']}, hash {policy['hash']}"
    yield "Analyzer", f"{analyzer['version']}, metric set {analyzer['metric_set']}"
    yield "Convention", analyzer["convention"]
    settings = ", ".join(f"{name} {_setting(v)}" for name, v in analyzer["settings"].items())
    yield "Settings", settings
    yield "Seed", str(analyzer["seed"])
    yield "Started", moment(timing["started_at"])
    yield "Took", duration(timing["seconds"])
    yield "Bytes read", size(weights["bytes_read"])


def _digest(weights: Mapping[str, Any]) -> str:
    if not weights["files"]:
        return "none: no file was read"
    return weights["digest"] or "unknown: a file was read in parts, and its source states no digest"


def _setting(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _baseline(
    comparison: Mapping[str, Any] | None, profile: Mapping[str, Any] | None
) -> Iterator[tuple[str, str]]:
    if profile is not None:
        said = f"{profile['name']}, from {profile['audits']} audits, digest {profile['digest']}"
        yield "Profile", f"{said}; it stands in for a baseline"
    if comparison is None:
        yield "Baseline", "none: every finding counts as new"
        return
    of = comparison["baseline"]
    yield "Baseline", f"{of['source']}:{of['name']}@{of['version']}, {of['uri']}"
    yield "Baseline created", moment(of["created_at"])
    if comparison["note"]:
        yield "Distances", comparison["note"]
