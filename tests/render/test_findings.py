"""Findings as a reader meets them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from auditor.document import Document
from auditor.render.findings import FindingView, groups, quoted, worst_first
from tests.render import factory


def facts(finding: FindingView) -> dict[str, str]:
    return dict(finding.facts)


def first(document: Document) -> FindingView:
    return groups(document)[0].told[0]


def test_what_the_verdict_follows_from_comes_first():
    made = factory.blocked()["findings"][0]
    levels, severities = ("off", "warn", "error"), ("info", "warning", "critical")
    origins = ("fixed", "waived", "accepted", "analyzer", "open", "new")
    every = [
        {**made, "level": level, "severity": severity, "origin": origin}
        for level, severity, origin in itertools.product(levels, severities, origins)
    ]
    order = worst_first(every)
    top = order[0]
    assert (top["level"], top["severity"], top["origin"]) == ("error", "critical", "new")
    assert [f["origin"] for f in order[-9:]] == ["fixed"] * 9
    gating = [f["origin"] in {"new", "open"} and f["severity"] == "critical" and f["level"] != "off"
              for f in order]  # fmt: skip
    assert gating == sorted(gating, reverse=True)


def test_the_worst_finding_of_a_blocked_version_is_critical_and_says_what_to_try():
    worst = first(factory.blocked())
    assert worst.badge.words == "critical"
    assert worst.meaning.count(".") >= 2
    assert worst.advice


def test_a_finding_tells_value_interval_fit_and_baseline():
    document = factory.reviewed()
    found = next(f for f in groups(document)[0].told if "over-trained" in f.message)
    told = facts(found)
    assert told["Value"] == "1.50 [1.40, 1.60]"
    assert told["Limit"] == "2"
    assert "D 0.031" in told["Fit"]
    assert "tail of 64 of 256 eigenvalues" in told["Fit"]
    assert "p = 0.62" in told["Fit"]
    assert "α was 3.10 (−1.60)" in told["Baseline"]
    assert "0.214" in told["Baseline"]


def test_a_trap_is_told_with_the_entries_that_make_it():
    found = next(f for f in groups(factory.reviewed())[0].told if "trap" in f.message)
    assert "row 3, column 17: 8.25" in facts(found)["Trap"]
    assert "10.7 times the edge" in facts(found)["Trap"]


def test_what_was_fixed_is_last_and_has_no_chart_of_the_healthy_layer():
    last = groups(factory.reviewed())[-1]
    assert last.title == "Fixed since the baseline"
    assert [f.origin for f in last.told] == ["fixed"]
    assert last.told[0].chart is None
    assert not last.told[0].waiver


def test_without_findings_there_is_no_group():
    assert groups(factory.passing()) == ()


def test_information_put_down_by_a_check_is_not_among_what_gates():
    document = factory.blocked()
    made = document["findings"][0]
    lesser = {**made, "severity": "info"}
    found = groups({**document, "findings": [lesser, made]})
    assert [group.title for group in found] == ["Findings", "For information"]


def test_a_waiver_is_yaml_that_names_exactly_this_finding():
    document = factory.reviewed()
    found = first(document)
    (waiver,) = YAML(typ="safe").load(found.waiver)["waivers"]
    assert waiver["layer"] == "fc1.weight"
    assert waiver["model"] == "mlflow:digits"
    assert waiver["check"] == facts(found)["Check"]
    assert waiver["reason"] == waiver["owner"] == ""
    assert waiver["expires"] > factory.CREATED.date()


@pytest.mark.parametrize("name", factory.HOSTILE)
def test_a_waiver_of_a_hostile_name_names_it(name):
    assert YAML(typ="safe").load(quoted(name)) == name


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_name_survives_the_waiver(name):
    assert YAML(typ="safe").load(quoted(name)) == name


def test_a_waived_finding_tells_by_whom_and_until_when_and_offers_no_other_waiver():
    made = factory.blocked()["findings"][0]
    waived = {**made, "origin": "waived", "waiver": "until 2026-12-01 by a.ruiz: known"}
    (group,) = groups({**factory.blocked(), "findings": [waived]})
    assert group.title == "Accepted or waived"
    assert facts(group.told[0])["Waived"] == "until 2026-12-01 by a.ruiz: known"
    assert group.told[0].waiver == ""


def test_many_findings_are_all_there_but_only_the_first_are_told_at_length():
    document = factory.blocked()
    made = document["findings"][0]
    many = [{**made, "id": f"{i:012x}", "message": f"finding {i}"} for i in range(300)]
    (group,) = groups({**document, "findings": many})
    said = [finding.message for finding in (*group.told, *group.listed)]
    assert said == [f"finding {i}" for i in range(300)]
    assert group.listed


def test_numbers_kept_for_the_next_version_are_no_fact_to_read():
    made = factory.blocked()
    worst = {**made["findings"][0], "evidence": {"before": [2.5, 3.5], "layers": ["fc1", "fc2"]}}
    told = facts(first({**made, "findings": [worst]}))
    assert "before" not in told
    assert told["layers"] == "fc1, fc2"
