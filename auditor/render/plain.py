"""The formats without a page: JSON, the layer table as CSV, a summary as Markdown."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from auditor.document import Document
from auditor.render.findings import changes, worst_first
from auditor.render.text import json_text, visible
from auditor.render.view import page

LISTED = 10  # findings in a Markdown summary
LONGEST = 400  # characters of one text in it
STRUCTURE = {"traps", "spectrum", "baseline", "before"}


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


def csv_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV, columns in the order in which they first appear; what is None stays empty.

    A text that a spreadsheet would take for a formula is given a leading apostrophe.
    """
    names = dict.fromkeys(name for row in rows for name in row if name not in STRUCTURE)
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


def as_markdown(document: Document) -> str:
    """The verdict, why, and the worst findings, for a ticket or a pull request."""
    of = page(document)
    against = f", compared with {_escaped(of.baseline)}" if of.baseline else ", no baseline"
    lines = [
        f"# {of.verdict.glyph} {of.verdict.words}: {_escaped(of.model)} {_escaped(of.version)}",
        "",
        f"{_escaped(of.reason)}  ",
        f"Policy {_escaped(document['policy']['name'])}{against}.",
        "",
        f"**What to do:** {_escaped(of.todo)}",
        "",
    ]
    failed = [row for row in of.gate if row.badge.words != "passed"]
    if failed:
        lines += ["| Condition | Limit | Found |", "|---|---|---|"]
        lines += [f"| {_escaped(r.condition)} | {r.limit} | {r.value} |" for r in failed]
        lines.append("")
    lines += _listed(document)
    lines += [f"Phases of the layers: {_escaped(of.phases)}.", ""] if of.phases else []
    tile = of.tiles[-1]
    lines += [f"{tile.value} {tile.words}: {_escaped(tile.note)}.", "", of.green]
    return "\n".join(lines) + "\n"


def _listed(document: Document) -> list[str]:
    findings: list[Mapping[str, Any]] = [
        finding for finding in worst_first(document["findings"]) if finding["origin"] != "fixed"
    ]
    lines = [
        f"- **{finding['severity']}**, {finding['origin']}: {_escaped(finding['message'])}"
        for finding in findings[:LISTED]
    ]
    if len(findings) > LISTED:
        lines.append(f"- and {len(findings) - LISTED} more")
    return [*lines, ""] if lines else []


def _escaped(text: str) -> str:
    """Text that Markdown and the HTML in it take literally, on one line."""
    line = " ".join(visible(text).split())
    line = line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#@$!])", r"\\\1", line)
