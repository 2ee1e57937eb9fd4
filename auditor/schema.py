"""The published JSON Schema of the audit document and of what ``analyze --json`` prints.

Every object is closed: a key that is not described is a mistake. Metric columns come from
the table of metrics, so a new metric is described as soon as it exists. ``docs/`` holds both
schemas as files, as ``auditor config schema audit`` prints them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from auditor import metrics
from auditor.changes import MORE, SPECTRA, WEIGHTS
from auditor.document import SCHEMA
from auditor.records import Level, Origin, Settings, Severity, Verdict
from auditor.spectral.phases import PHASES

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
ALWAYS = Settings(bootstrap=0, mp_fit=False, randomize=False)  # what any analysis measures
CHANGES = ("d_alpha", "d_alpha_error", "d_log_spectral_norm", "d_log_norm", "d_stable_rank")


def audit() -> Schema:
    """JSON Schema of the audit document."""
    return {
        "$schema": DIALECT,
        "title": "Auditor audit document",
        **_object(
            {
                "schema": {"const": SCHEMA},
                "id": TEXT,
                "model": _model(),
                "source": _map(TEXT),
                "weights": _weights(),
                "verdict": {"enum": [str(verdict) for verdict in Verdict]},
                "reason": TEXT,
                "decision": _maybe(_decision()),
                "gate": _list(_condition()),
                "counts": _counts(),
                **_table(),
                "comparison": _maybe(_comparison()),
                "profile": _maybe(_profile()),
                "trend": _list(_trend()),
                "findings": _list(_finding()),
                "policy": _object({"name": TEXT, "hash": TEXT}),
                "analyzer": _analyzer(checks=COUNT),
                "rejudged": _maybe(_object({"id": TEXT, "verdict": TEXT, "why": TEXT})),
                "timing": _object({"started_at": MOMENT, "seconds": NUMBER}),
            }
        ),
    }


def analysis() -> Schema:
    """JSON Schema of what ``auditor analyze --json`` prints."""
    return {
        "$schema": DIALECT,
        "title": "Auditor analysis",
        **_object({**_table(), "analyzer": _analyzer()}),
    }


def _object(properties: Mapping[str, Schema], optional: Iterable[str] = ()) -> Schema:
    left_out = set(optional)
    required = [name for name in properties if name not in left_out]
    return {
        "type": "object",
        "properties": dict(properties),
        "required": required,
        "additionalProperties": False,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _tuple(*items: Schema) -> Schema:
    count = len(items)
    return {"type": "array", "prefixItems": list(items), "minItems": count, "maxItems": count}


def _map(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _model() -> Schema:
    return _object(
        {"source": TEXT, "name": TEXT, "version": TEXT, "uri": TEXT, "created_at": MOMENT}
    )


def _weights() -> Schema:
    file = {"name": TEXT, "size": COUNT, "sha256": TEXT, "verified": FLAG}
    return _object(
        {
            "digest": TEXT,
            "files": _list(_object(file)),
            "bytes_read": COUNT,
            "failures": _list(_object({"name": TEXT, "reason": TEXT, "dangerous": FLAG})),
            "globals": _list(_object({"file": TEXT, "name": TEXT, "dangerous": FLAG})),
        }
    )


def _condition() -> Schema:
    return _object(
        {
            "condition": TEXT,
            "level": {"enum": [str(level) for level in Level]},
            "limit": NUMBER,
            "value": _maybe(NUMBER),  # null: the analysis leaves out what it looks at
            "baseline": _maybe(NUMBER),
            "passed": FLAG,
            "source": TEXT,  # where the rule is written; empty: it always holds
            "least": FLAG,  # the limit is the least that passes, not the most
            "check": TEXT,  # whose findings it counts; empty: it is about the audit itself
        }
    )


def _decision() -> Schema:
    texts = dict.fromkeys(("by", "reason", "via"), TEXT)
    until = _maybe({"type": "string", "format": "date"})
    return _object({"accept": FLAG, **texts, "at": MOMENT, "until": until})


def _counts() -> Schema:
    numbers = ("analysed", "skipped", "failed", "parameters_read", "parameters_total")
    origins = _object({str(origin): COUNT for origin in Origin})
    return _object({**dict.fromkeys(numbers, COUNT), "findings": origins})


def _table() -> dict[str, Schema]:
    row = _object({"mean": NUMBER, "median": NUMBER, "p5": NUMBER, "p95": NUMBER, "n": COUNT})
    skip = _object(
        {
            **dict.fromkeys(("name", "reason", "dtype"), TEXT),
            "shape": _list(COUNT),
            "read": FLAG,  # false: its values were wanted and could not be read or checked
            "non_finite": COUNT,
            "all_zero": FLAG,
        }
    )
    return {"summary": _map(row), "layers": _list(_layer()), "skipped": _list(skip)}


def _columns(names: Iterable[str]) -> dict[str, Schema]:
    return {name: _maybe(NUMBER) for name in names}


def _layer() -> Schema:
    columns = {
        metric.name: {**_maybe(NUMBER), "title": metric.label, "description": metric.summary}
        for metric in metrics.ALL
    }
    always = {metric.name for metric in metrics.columns(ALWAYS)}
    entry = _tuple(COUNT, COUNT, NUMBER)
    trap = _object({"lambda": NUMBER, "edge": NUMBER, "entries": _list(entry)})
    fixed = {
        **_identity(),
        "Q": NUMBER,
        "phase": {"enum": [*PHASES, None]},
        "phase_reason": _maybe(TEXT),
        "verified": FLAG,
        "traps": _list(trap),
        "spectrum": _maybe(_histogram()),
    }
    return _object({**fixed, **columns}, optional=columns.keys() - always)


def _identity() -> dict[str, Schema]:
    """Which layer it is, and what became of it."""
    return {
        **dict.fromkeys(("name", "kind", "dtype", "digest", "status"), TEXT),
        **dict.fromkeys(("index", "parameters", "N", "M", "num_evals"), COUNT),
        "block": _maybe(COUNT),
        "shape": _list(COUNT),
    }


def _histogram() -> Schema:
    densities = _list(NUMBER)
    return _object({"lo": NUMBER, "hi": NUMBER, "density": densities, "twin": _maybe(densities)})


def _comparison() -> Schema:
    layer = {
        "name": TEXT,
        **_columns((*WEIGHTS, *SPECTRA, *CHANGES, *MORE)),
        "before": _object(_identity()),
        "baseline": _map(_maybe(NUMBER)),
        "spectrum": _maybe(_histogram()),
    }
    return _object(
        {
            "baseline": _model(),
            "layers": _list(_object(layer, optional=MORE)),
            "added": _list(TEXT),
            "removed": _list(TEXT),
            "renamed": _list(_tuple(TEXT, TEXT)),
            "note": TEXT,
        }
    )


def _profile() -> Schema:
    percentiles = dict.fromkeys(("p5", "median", "p95"), _maybe(NUMBER))
    bands = _map(_map(_object({"n": COUNT, **percentiles})))
    return _object({"name": TEXT, "digest": TEXT, "audits": COUNT, "bands": bands})


def _trend() -> Schema:
    numbers = ("alpha_median", "log_spectral_norm_mean", "distance")
    return _object(
        {
            "version": TEXT,
            "created_at": MOMENT,
            "verdict": TEXT,
            **_columns(numbers),
            "findings_new": COUNT,
        }
    )


def _finding() -> Schema:
    texts = dict.fromkeys(("id", "check", "message", "rule", "meaning", "advice"), TEXT)
    return _object(
        {
            **texts,
            "severity": {"enum": [severity.name.lower() for severity in Severity]},
            "level": {"enum": [str(level) for level in Level]},
            "layer": _maybe(TEXT),
            "limit": _maybe(NUMBER),
            "value": _maybe(NUMBER),
            "interval": _maybe(_tuple(_maybe(NUMBER), _maybe(NUMBER))),
            "evidence": {"type": "object"},
            "origin": {"enum": [str(origin) for origin in Origin]},
            "waiver": _maybe(TEXT),
        }
    )


def _analyzer(**more: Schema) -> Schema:
    return _object(
        {
            "version": TEXT,
            "metric_set": COUNT,
            "convention": {"enum": ["auditor", "weightwatcher"]},
            "settings": {"type": "object"},
            "seed": COUNT,
            **more,
        }
    )
