"""Documents of a time before a key was written: what it would say, as far as it is known."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from auditor import checks
from auditor.document import Document
from auditor.policy import BASELINE, COVERAGE
from auditor.records import UNTIMELY, Origin

LAST = "rejudged"  # the key that came last: who has it has all
LATER = {  # all that came after the first document of schema 1, indexes of lists left out
    *("profile", "rejudged", "analyzer.checks", "layers.parameters", "comparison.layers.before"),
    *(f"gate.{key}" for key in ("source", "least", "check")),
    *(f"skipped.{key}" for key in ("dtype", "read", "non_finite", "all_zero")),
}
UNREAD = ("unreadable", "needs ", "quantised", UNTIMELY)  # reasons of what could not be read
Row = Mapping[str, Any]


def completed(document: Document) -> Document:
    """The document with every key that documents have today; itself where it has them."""
    if LAST in document:
        return document
    return {
        **document,
        "gate": [_condition(row) for row in document["gate"]],
        "layers": [_layer(row) for row in document["layers"]],
        "skipped": list(_skipped(document)),
        "comparison": _comparison(document),
        "profile": None,
        "analyzer": {"checks": 0, **document["analyzer"]},
        "rejudged": None,
    }


def _condition(row: Row) -> Row:
    asked = {check.condition: name for name, check in checks.BY_NAME.items()}
    text = row["condition"]
    known = {"source": "", "least": text in {COVERAGE, BASELINE}, "check": asked.get(text, "")}
    return {**known, **row}


def _layer(row: Row) -> Row:
    return {"parameters": math.prod(row["shape"]), **row}


def _skipped(document: Document) -> Iterator[Row]:
    """Where it is not said what became of a tensor, its reason and its findings tell."""
    found = {
        (row["check"], row["layer"]): row["value"]
        for row in document["findings"]
        if row["origin"] != Origin.FIXED
    }
    for row in document["skipped"]:
        name, reason = row["name"], row["reason"]
        known = {
            "dtype": "",
            "read": not reason.startswith(UNREAD),
            "non_finite": int(found.get(("non_finite", name)) or reason == "non-finite"),
            "all_zero": ("all_zero", name) in found,
        }
        yield {**known, **row}


def _comparison(document: Document) -> Row | None:
    """What a layer of the baseline was is taken from the version's own, its values apart."""
    found: Row | None = document["comparison"]
    if found is None:
        return None
    own = {row["name"]: row for row in document["layers"]}
    old = {after: before for before, after in found["renamed"]}
    rows = [{"before": _before(row, own[row["name"]], old), **row} for row in found["layers"]]
    return {**found, "layers": rows}


def _before(row: Row, own: Row, old: Mapping[str, str]) -> Row:
    kept = ("index", "block", "kind", "dtype", "shape", "N", "M", "num_evals")
    return {
        **{key: own[key] for key in kept},
        "name": old.get(row["name"], row["name"]),
        "parameters": math.prod(own["shape"]),
        "digest": own["digest"] if row["name"] in old else "",
        "status": "no tail" if row["baseline"].get("alpha") is None else "success",
    }
