"""The gate as JUnit's XML, held to the form of Ant's task, the strictest that is in use."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.document import Document
from auditor.policy import PARSED, CheckRule
from auditor.policy.rules import Bound, MetricRule, Of
from auditor.records import Level
from auditor.render import render
from tests.render import factory

CASES = ("passing", "reviewed", "blocked", "incomplete", "hostile", "large")
SUITE = [
    "name",
    "package",
    "id",
    "tests",
    "failures",
    "errors",
    "skipped",
    "timestamp",
    "hostname",
    "time",
]
CHILDREN = {  # element: its attributes, and what may be in it, in this order
    "testsuites": ([], r"testsuite "),
    "testsuite": (SUITE, r"properties (testcase )*system-out system-err "),
    "properties": ([], r"(property )*"),
    "property": (["name", "value"], r""),
    "testcase": (["name", "classname", "time"], r"(skipped |error |failure )?"),
    "failure": (["type", "message"], r""),
    "error": (["type", "message"], r""),
    "skipped": (["message"], r""),
    "system-out": ([], r""),
    "system-err": ([], r""),
}


def parsed(document: Document) -> ET.Element:
    return ET.fromstring(render(document, "junit").encode())  # noqa: S314 - made here


def cases(document: Document) -> dict[str, ET.Element]:
    return {case.attrib["name"]: case for case in parsed(document).iter("testcase")}


@pytest.mark.parametrize("name", CASES)
def test_it_has_the_elements_and_attributes_of_the_form_in_its_order(name):
    for element in parsed(getattr(factory, name)()).iter():
        attributes, children = CHILDREN[element.tag]
        assert list(element.attrib) == attributes
        assert re.fullmatch(children, "".join(f"{child.tag} " for child in element))


@pytest.mark.parametrize("name", CASES)
def test_the_suite_counts_what_is_in_it(name):
    [suite] = parsed(getattr(factory, name)())
    found = {f"{tag}s": len(list(suite.iter(tag))) for tag in ("failure", "error")}
    found |= {
        "tests": len(list(suite.iter("testcase"))),
        "skipped": len(list(suite.iter("skipped"))),
    }
    assert found == {key: int(suite.attrib[key]) for key in found}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
    assert float(suite.attrib["time"]) == 12.34


def test_every_row_of_the_gate_is_a_case():
    document = factory.blocked()
    assert [name.rpartition(" ≤ ")[0] or name.rpartition(" ≥ ")[0] for name in cases(document)] == [
        row["condition"] for row in document["gate"]
    ]


def test_a_failure_tells_its_findings_and_what_to_try():
    failed = cases(factory.blocked())["Layers whose rank collapsed ≤ 0"].find("failure")
    assert failed is not None
    assert failed.attrib == {"type": "error", "message": "failed: 1, expected ≤ 0"}
    assert failed.text is not None
    assert failed.text.startswith("critical, new: fc2.weight lost its rank: 1 of 256")
    assert "To try: Compare the layer" in failed.text


def test_what_needs_a_review_is_a_failure_too():
    failed = cases(factory.reviewed())["Layers that look over-trained ≤ 0"].find("failure")
    assert failed is not None
    assert failed.attrib["type"] == "warn"


def test_what_could_not_be_read_is_an_error_and_not_a_pass():
    error = cases(factory.incomplete())[f"{PARSED} ≤ 0"].find("error")
    assert error is not None
    assert error.attrib["type"] == "incomplete"
    [suite] = parsed(factory.incomplete())
    assert "the archive ends in the middle" in str(suite.findtext("system-err"))


def test_what_was_not_looked_for_is_skipped():
    document = factory.passing()
    rows = [{**row, "value": None} for row in document["gate"]]
    found = cases({**document, "gate": rows})
    assert {case[0].tag for case in found.values()} == {"skipped"}


def test_a_decision_is_a_property_and_changes_no_case():
    said = {"accept": False, "by": "ann", "reason": "too late", "at": "", "until": None, "via": ""}
    document = factory.passing()
    root = parsed({**document, "decision": said})
    found = {one.attrib["name"]: one.attrib["value"] for one in root.iter("property")}
    assert found["decision"] == "rejected by ann: too late"
    assert found["verdict"] == "PASS"
    assert "decision" not in {one.attrib["name"] for one in parsed(document).iter("property")}
    assert root[0].attrib["failures"] == "0"


def test_limits_on_metrics_are_told_under_their_own_rows():
    limits = (
        MetricRule(metric="alpha", of=Of.LAYER, bound=Bound.MAX, limit=2.0, level=Level.WARN),
        MetricRule(metric="alpha", of=Of.MEDIAN, bound=Bound.MIN, limit=9.0, level=Level.ERROR),
        CheckRule(check="over_trained", level=Level.OFF),
    )
    rules = (*factory.RECOMMENDED.rules, *limits)
    found = cases(factory.reviewed(replace(factory.RECOMMENDED, rules=rules)))
    [of_layers] = [case for name, case in found.items() if name.startswith("Layers with alpha")]
    [of_all] = [case for name, case in found.items() if name.startswith("Median of alpha")]
    assert str(of_layers.findtext("failure")).count("fc2.weight has alpha 3.1") == 1
    assert str(of_all.findtext("failure")).startswith("critical, new: Median of alpha: 3.1")


@given(st.text(max_size=50))
def test_any_name_is_well_formed_xml(name):
    document = factory.blocked()
    model = {**document["model"], "name": name or "-", "version": name or "-"}
    findings = [{**one, "message": name} for one in document["findings"]]
    text = render({**document, "model": model, "findings": findings, "reason": name}, "junit")
    suites = ET.fromstring(text.encode())  # noqa: S314 - made here
    assert suites[0].attrib["name"]
