"""Findings as SARIF 2.1.0.

`FORM` is what the standard asks of the objects used here, closed: a key it does not have is a
mistake. The logs made from `factory` were also held to the schema that OASIS publishes.
"""

import json
from dataclasses import replace
from datetime import date
from typing import Any

import jsonschema
import pytest

from auditor import checks
from auditor.document import Document
from auditor.records import Waiver
from auditor.render import render
from tests.render import factory

CASES = ("passing", "reviewed", "blocked", "incomplete", "hostile", "large")
REFERENCE = r"^[A-Za-z0-9._~%-]+(/[A-Za-z0-9._~%-]+)*$"  # relative, no scheme, no climbing


def closed(required: str, **properties: object) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def several(items: object, **more: object) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 0}
MESSAGE = closed("text", text=TEXT)
LEVEL = {"enum": ["none", "note", "warning", "error"]}
BAG = {"type": "object"}
URI = {"type": "string", "pattern": REFERENCE}
RULE = closed(
    "id",
    id=TEXT,
    name=TEXT,
    shortDescription=MESSAGE,
    fullDescription=MESSAGE,
    help=MESSAGE,
    defaultConfiguration=closed("level", level=LEVEL),
)
LOCATION = closed(
    "logicalLocations",
    physicalLocation=closed(
        "artifactLocation",
        artifactLocation=closed("uri", uri=URI, index=COUNT),
        region=closed("startLine", startLine={"type": "integer", "minimum": 1}),
    ),
    message=MESSAGE,
    logicalLocations=several(
        closed("fullyQualifiedName", fullyQualifiedName={"type": "string"}, kind=TEXT)
    ),
)
SUPPRESSION = closed(
    "kind",
    kind={"enum": ["inSource", "external"]},
    status={"enum": ["accepted", "underReview", "rejected"]},
    justification=TEXT,
)
RESULT = closed(
    "message ruleId",
    ruleId=TEXT,
    ruleIndex=COUNT,
    level=LEVEL,
    message=MESSAGE,
    locations=several(LOCATION),
    partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
    baselineState={"enum": ["new", "unchanged", "updated", "absent"]},
    suppressions=several(SUPPRESSION),
    properties=BAG,
)
DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
ARTIFACT = closed(
    "location",
    location=closed("uri", uri=URI),
    length=COUNT,
    hashes={"type": "object", "additionalProperties": DIGEST},
)
INVOCATION = closed(
    "executionSuccessful",
    executionSuccessful={"type": "boolean"},
    exitCode={"type": "integer"},
    exitCodeDescription=TEXT,
    startTimeUtc={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT[0-9:.]+Z$"},
    toolExecutionNotifications=several(closed("message", level=LEVEL, message=MESSAGE)),
)
RUN = closed(
    "tool",
    tool=closed(
        "driver",
        driver=closed("name", name=TEXT, version=TEXT, rules=several(RULE, uniqueItems=True)),
    ),
    automationDetails=closed("", id=TEXT),
    invocations=several(INVOCATION),
    artifacts=several(ARTIFACT, uniqueItems=True),
    results=several(RESULT),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    properties=BAG,
)
FORM = closed(
    "version runs",
    **{"$schema": TEXT, "version": {"const": "2.1.0"}, "runs": several(RUN, maxItems=1)},
)


def run(document: Document) -> dict[str, Any]:
    log = json.loads(render(document, "sarif"))
    [found] = log["runs"]
    return dict(found)


def result(document: Document, check: str) -> dict[str, Any]:
    [found] = [one for one in run(document)["results"] if one["ruleId"] == check]
    return dict(found)


@pytest.mark.parametrize("name", CASES)
def test_it_is_of_the_standards_form(name):
    jsonschema.validate(json.loads(render(getattr(factory, name)(), "sarif")), FORM)


def test_every_check_is_a_rule_with_help_whether_it_found_anything_or_not():
    rules = run(factory.passing())["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(checks.BY_NAME)
    assert all("To try: " in rule["help"]["text"] for rule in rules)


@pytest.mark.parametrize("name", CASES)
def test_a_result_points_at_its_rule_and_there_is_one_for_every_finding(name):
    document = getattr(factory, name)()
    found = run(document)
    rules = found["tool"]["driver"]["rules"]
    assert len(found["results"]) == len(document["findings"])
    assert all(rules[one["ruleIndex"]]["id"] == one["ruleId"] for one in found["results"])


def test_the_level_is_what_the_policy_makes_of_the_finding():
    assert result(factory.blocked(), "rank_collapse")["level"] == "error"
    assert result(factory.reviewed(), "over_trained")["level"] == "warning"
    assert result(factory.reviewed(), "alpha_shift")["level"] == "note"


def test_what_is_new_and_what_was_fixed_is_told_against_the_baseline():
    found = factory.reviewed()
    assert result(found, "over_trained")["baselineState"] == "new"
    assert result(found, "random_like")["baselineState"] == "absent"
    assert all("baselineState" not in one for one in run(factory.incomplete())["results"])


def test_what_a_waiver_covers_is_suppressed_by_whom_until_when_and_why():
    waiver = Waiver("over_trained", "*", "trained so", "ann", date(2026, 4, 30), layer="fc1.*")
    found = result(
        factory.reviewed(replace(factory.RECOMMENDED, waivers=(waiver,))), "over_trained"
    )
    [suppression] = found["suppressions"]
    assert suppression["kind"] == "external"
    assert suppression["justification"] == "until 2026-04-30 by ann: trained so"
    assert "suppressions" not in result(factory.reviewed(), "over_trained")


def test_a_result_names_its_layer_and_the_file_that_holds_it():
    [location] = result(factory.blocked(), "rank_collapse")["locations"]
    assert location["logicalLocations"] == [{"fullyQualifiedName": "fc2.weight", "kind": "member"}]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "model.safetensors"
    assert "message" not in location


def test_of_several_files_it_says_that_it_is_one_of_them():
    document = factory.blocked()
    [file] = document["weights"]["files"]
    files = [file, {**file, "name": "second.safetensors"}]
    [location] = result(
        {**document, "weights": {**document["weights"], "files": files}}, "rank_collapse"
    )["locations"]
    assert location["message"]["text"] == "in one of 2 weight files"


def test_the_fingerprint_of_a_finding_is_the_same_in_another_version():
    document = factory.blocked()
    later = {**document, "model": {**document["model"], "version": "5"}, "id": "another"}
    prints = [result(one, "rank_collapse")["partialFingerprints"] for one in (document, later)]
    assert prints[0] == prints[1]


def test_an_incomplete_audit_was_no_successful_one_and_says_why():
    [invocation] = run(factory.incomplete())["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["exitCode"] == 3
    said = [note["message"]["text"] for note in invocation["toolExecutionNotifications"]]
    assert any("the archive ends in the middle of a record" in text for text in said)


def test_no_name_is_a_link_or_an_argument_of_a_message():
    document = factory.blocked()
    finding = {**document["findings"][0], "message": "[a](http://evil.example) {0}"}
    [only] = run({**document, "findings": [finding]})["results"]
    assert only["message"]["text"] == "[a] (http://evil.example) {{0}}."
