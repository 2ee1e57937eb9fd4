"""Findings as SARIF 2.1.0, for code scanning and whatever else collects results of tools.

A rule is a check, a result a finding. What a waiver or a person's decision covers is
suppressed and stays in the list; what the baseline had and this version has not is absent.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os.html
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from urllib.parse import quote

from auditor import checks
from auditor.document import Document
from auditor.exits import exit_code
from auditor.records import Severity
from auditor.render.findings import gates, worst_first
from auditor.render.text import count, json_text, visible
from auditor.render.view import sentence

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
MOST = 25_000  # results that GitHub takes of a run
LEVELS = {"error": "error", "warn": "warning", "off": "note"}
SEVERITIES = {Severity.CRITICAL: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
STATES = {"new": "new", "fixed": "absent"}  # the others were there before: unchanged
ACCEPTED = "accepted with a version before"

Object = dict[str, Any]


def as_sarif(document: Document) -> str:
    """One run, a result per finding, the worst first."""
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(document)]}
    return json_text(log, indent=2) + "\n"


def _run(document: Document) -> Object:
    model = document["model"]
    found = worst_first(document["findings"])
    rules = list(dict.fromkeys([*checks.BY_NAME, *(finding["check"] for finding in found)]))
    driver = {
        "name": "Auditor",
        "version": document["analyzer"]["version"],
        "rules": [_rule(name) for name in rules],
    }
    return {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"auditor/{_uri(model['source'])}/{_uri(model['name'])}/"},
        "invocations": [_invocation(document, left_out=len(found) - MOST)],
        "artifacts": [_artifact(file) for file in document["weights"]["files"]],
        "results": [_result(document, finding, rules) for finding in found[:MOST]],
        "columnKind": "unicodeCodePoints",
        "properties": _facts(document),
    }


def _rule(name: str) -> Object:
    """A check with its help; a limit on a metric has its name only."""
    check = checks.BY_NAME.get(name)
    if check is None:
        return {"id": name, "shortDescription": _text(f"A limit that the policy sets: {name}")}
    summary = (check.__doc__ or "").partition("\n")[0]
    help_text = f"{check.meaning}\n\n{check.theory}\n\nTo try: {check.advice}"
    return {
        "id": name,
        "name": check.__name__,
        "shortDescription": _text(summary),
        "fullDescription": _text(check.meaning),
        "help": _text(help_text),
        "defaultConfiguration": {"level": SEVERITIES[check.severity]},
    }


def _result(document: Document, finding: Mapping[str, Any], rules: Sequence[str]) -> Object:
    is_grave = gates({**finding, "origin": "new"})
    result = {
        "ruleId": finding["check"],
        "ruleIndex": rules.index(finding["check"]),
        "level": LEVELS[finding["level"]] if is_grave else "note",
        "message": _text(sentence(finding["message"])),
        "locations": [_location(document, finding["layer"])],
        "partialFingerprints": {
            "auditorFinding/v1": finding["id"],
            "primaryLocationLineHash": f"{finding['id']}:1",
        },
        "properties": {
            name: finding[name]
            for name in ("severity", "origin", "rule", "limit", "value", "interval", "advice")
            if finding[name] not in (None, "")
        },
    }
    if document["comparison"]:
        result["baselineState"] = STATES.get(finding["origin"], "unchanged")
    if suppressed := list(_suppressions(finding)):
        result["suppressions"] = suppressed
    return result


def _suppressions(finding: Mapping[str, Any]) -> Iterator[Object]:
    """Who answers for a finding, where somebody does."""
    if finding["origin"] in {"waived", "accepted"}:
        said = visible(finding["waiver"] or ACCEPTED)
        yield {"kind": "external", "status": "accepted", "justification": said}


def _location(document: Document, layer: str | None) -> Object:
    """The layer, and a weight file: the one that holds it, as far as there is one only."""
    files = document["weights"]["files"]
    where: Object = {}
    if files:
        place = {"uri": _uri(files[0]["name"]), "index": 0}
        where["physicalLocation"] = {"artifactLocation": place, "region": {"startLine": 1}}
    if len(files) > 1:
        where["message"] = _text(f"in one of {count(len(files), 'weight file')}")
    name = layer if layer is not None else document["model"]["name"]
    kind = "member" if layer is not None else "module"
    where["logicalLocations"] = [{"fullyQualifiedName": visible(name), "kind": kind}]
    return where


def _artifact(file: Mapping[str, Any]) -> Object:
    found: Object = {"location": {"uri": _uri(file["name"])}, "length": file["size"]}
    return found | ({"hashes": {"sha-256": file["sha256"]}} if file["sha256"] else {})


def _invocation(document: Document, left_out: int) -> Object:
    """Whether all could be looked at, and what could not."""
    return {
        "executionSuccessful": document["verdict"] != "INCOMPLETE",
        "exitCode": exit_code(document["verdict"]),
        "exitCodeDescription": document["verdict"],
        "startTimeUtc": document["timing"]["started_at"].replace("+00:00", "Z"),
        "toolExecutionNotifications": list(_notifications(document, left_out)),
    }


def _notifications(document: Document, left_out: int) -> Iterator[Object]:
    if document["verdict"] == "INCOMPLETE":
        yield {"level": "error", "message": _text(sentence(document["reason"]))}
    for failure in islice(document["weights"]["failures"], MOST):
        text = f"{failure['name']} cannot be read: {failure['reason']}"
        yield {"level": "error", "message": _text(sentence(text))}
    if left_out > 0:
        yield {"level": "warning", "message": _text(f"{count(left_out, 'finding')} left out.")}


def _facts(document: Document) -> Object:
    return {
        "verdict": document["verdict"],
        "reason": document["reason"],
        "decision": document["decision"],
        "audit": document["id"],
        "model": document["model"],
        "baseline": (document["comparison"] or {}).get("baseline"),
        "policy": document["policy"],
        "weights": document["weights"]["digest"],
    }


def _text(text: str) -> Object:
    r"""A message; braces stand for arguments there, and brackets before one for a link.

    Examples
    --------
    >>> _text("[a](http://evil) {0}")
    {'text': '[a] (http://evil) {{0}}'}
    """
    plain = visible(text).replace("](", "] (")
    return {"text": plain.replace("{", "{{").replace("}", "}}")}


def _uri(name: str) -> str:
    """A name as a relative reference: no scheme, no host, nothing that climbs.

    Examples
    --------
    >>> _uri("a b/model.bin"), _uri("//evil/../x"), _uri("javascript:x")
    ('a%20b/model.bin', 'evil/%2E%2E/x', 'javascript%3Ax')
    """
    parts = [part for part in name.split("/") if part]
    safe = (quote(part.encode("utf-8", "surrogatepass"), safe="") for part in parts)
    return "/".join(part if set(part) != {"."} else part.replace(".", "%2E") for part in safe)
