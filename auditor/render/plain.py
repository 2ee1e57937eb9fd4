"""The plain formats: JSON, and the tables of layers and of findings as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from auditor.document import Document
from auditor.render.findings import changes, worst_first
from auditor.render.text import json_text, visible

STRUCTURE = {"traps", "spectrum", "baseline", "before"}
NESTED = {"evidence", "interval"}  # of a finding


def as_json(document: Document) -> str:
    """The document itself, indented, every number with all its digits."""
    return json_text(document, indent=2) + "\n"


def as_csv(document: Document) -> str:
    """A row per layer, every number, distances to the baseline, the checks that found it."""
    before = changes(document)
    found: dict[str, list[str]] = {}
    for finding in worst_first(document["findings"]):
        if finding["layer"] and finding["origin"] != "fixed":
            found.setdefault(finding["layer"], []).append(finding["check"])
    rows = [
        {**layer, **before.get(layer["name"], {}), "findings": " ".join(found.get(name, []))}
        for layer in document["layers"]
        for name in (layer["name"],)
    ]
    return csv_table(rows)


def as_findings(document: Document) -> str:
    """A row per finding, worst first, the interval's ends in columns of their own."""
    rows = [_finding(finding) for finding in worst_first(document["findings"])]
    return csv_table(rows)


def _finding(finding: Mapping[str, Any]) -> dict[str, Any]:
    low, high = finding["interval"] or (None, None)
    flat = {name: value for name, value in finding.items() if name not in NESTED}
    return flat | {"interval_lo": low, "interval_hi": high}


def csv_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV, columns in the order in which they first appear; what is None stays empty.

    A text that a spreadsheet would take for a formula is given a leading apostrophe.
    """
    plain = (item for row in rows for item in row.items())
    names = dict.fromkeys(n for n, v in plain if n not in STRUCTURE or isinstance(v, str))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_cell(name) for name in names or ("name",))
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return out.getvalue()


def _cell(value: object) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return value
    text = "×".join(map(str, value)) if isinstance(value, list | tuple) else visible(str(value))
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text
