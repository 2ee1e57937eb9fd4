"""The gate as JUnit's XML, which CI servers show beside their tests.

A row of the gate is a test case: one that failed, at level error or warn, is a failure with
its findings; what keeps an audit from being complete is an error; what was not looked for is
skipped. The form is that of Ant's JUnit task, the strictest in use; Jenkins and GitLab read it.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from auditor.document import Document
from auditor.policy import ABOUT_AUDIT
from auditor.render.gating import Row, beneath, row_view
from auditor.render.text import visible
from auditor.render.view import sentence, version_text
from auditor.render.wording import GREEN

LONGEST = 300  # characters of a name
TOLD = 100  # findings in the text of a failure
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def as_junit(document: Document) -> str:
    """One test suite, a test case per row of the gate."""
    suites = ET.Element("testsuites")
    suite = ET.SubElement(suites, "testsuite")
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(document):
        ET.SubElement(properties, "property", {"name": _name(name), "value": visible(value)})
    for row, findings in beneath(document):
        suite.append(_case(document, row, findings))
    suite.attrib.update(_counted(document, suite))
    ET.SubElement(suite, "system-out").text = _said(document)
    ET.SubElement(suite, "system-err").text = "\n".join(map(visible, _complaints(document)))
    ET.indent(suites)
    return f"{HEAD}{ET.tostring(suites, encoding='unicode')}\n"


def _counted(document: Document, suite: ET.Element) -> dict[str, str]:
    model, timing = document["model"], document["timing"]
    started = datetime.fromisoformat(timing["started_at"]).astimezone(UTC)
    return {
        "name": _name(f"{model['name']} {version_text(model)}"),
        "package": "auditor",
        "id": "0",
        "tests": str(len(suite.findall("testcase"))),
        "failures": str(len(suite.findall("testcase/failure"))),
        "errors": str(len(suite.findall("testcase/error"))),
        "skipped": str(len(suite.findall("testcase/skipped"))),
        "timestamp": f"{started:%Y-%m-%dT%H:%M:%S}",
        "hostname": "localhost",
        "time": f"{timing['seconds']:.3f}",
    }


def _case(document: Document, row: Row, findings: Sequence[Mapping[str, Any]]) -> ET.Element:
    model, view = document["model"], row_view(row)
    name = f"{row['condition']} {view.limit}"
    case = ET.Element("testcase", {"name": _name(name), "classname": _name(model["name"])})
    case.set("time", "0.000")
    if row["value"] is None:
        ET.SubElement(case, "skipped", {"message": view.badge.words})
    elif not row["passed"]:
        incomplete = row["condition"] in ABOUT_AUDIT
        outcome = ET.SubElement(case, "error" if incomplete else "failure")
        outcome.set("type", "incomplete" if incomplete else row["level"])
        outcome.set("message", visible(f"{view.badge.words}: {view.value}, expected {view.limit}"))
        outcome.text = _told(findings) or sentence(visible(document["reason"]))
    return case


def _told(findings: Sequence[Mapping[str, Any]]) -> str:
    parts = [_finding(finding) for finding in findings[:TOLD]]
    if len(findings) > TOLD:
        parts.append(f"and {len(findings) - TOLD:,} more")
    return "\n\n".join(parts)


def _finding(finding: Mapping[str, Any]) -> str:
    lines = (
        f"{finding['severity']}, {finding['origin']}: {finding['message']}",
        f"Rule: {finding['rule']}" if finding["rule"] else "",
        f"To try: {finding['advice']}" if finding["advice"] else "",
    )
    return "\n".join(visible(line) for line in lines if line)


def _properties(document: Document) -> Iterator[tuple[str, str]]:
    model, policy = document["model"], document["policy"]
    yield "verdict", document["verdict"]
    yield "reason", document["reason"]
    if said := document["decision"]:
        words = "accepted" if said["accept"] else "rejected"
        yield "decision", f"{words} by {said['by']}: {said['reason']}"
    yield "audit", document["id"]
    yield "model", f"{model['source']}:{model['name']}@{model['version']}"
    yield "uri", model["uri"]
    if document["comparison"]:
        yield "baseline", document["comparison"]["baseline"]["uri"]
    yield "policy", f"{policy['name']} {policy['hash']}"
    yield "analyzer", document["analyzer"]["version"]
    yield "weights", document["weights"]["digest"] or "unknown"
    for file in document["weights"]["files"]:
        digest = f"sha256:{file['sha256']}" if file["sha256"] else "of unknown digest"
        yield f"file {file['name']}", f"{file['size']} bytes, {digest}"


def _said(document: Document) -> str:
    return f"{document['verdict']}: {visible(sentence(document['reason']))}\n{GREEN}."


def _complaints(document: Document) -> Iterator[str]:
    for failure in document["weights"]["failures"]:
        yield f"{failure['name']}: {failure['reason']}"


def _name(text: str) -> str:
    """A name on one line, as XML's tokens are; a dash for one of blanks alone."""
    line = " ".join(visible(text).split()) or "-"
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
