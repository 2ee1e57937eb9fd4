"""The comment for a pull request: what it says, and that no name becomes anything in it."""

import re
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.document import Document
from auditor.records import Waiver
from auditor.render import render
from auditor.render.markdown import LISTED, MOST, escaped
from tests.render import factory

CASES = ("passing", "reviewed", "blocked", "incomplete", "hostile", "large")


def comment(document: Document) -> str:
    return render(document, "md")


def test_it_begins_with_the_verdict_why_and_what_to_do():
    lines = comment(factory.blocked()).splitlines()
    assert lines[0] == "## ✖ Do not ship: digits v4"
    assert lines[2].startswith("**Why:** norm.weight holds 3 values")
    assert lines[3].startswith("**What to do:** ")
    assert lines[4] == "Policy recommended, compared with v3."
    assert "run your evaluations too" in lines[-1]


def test_a_green_one_says_once_what_green_means():
    text = comment(factory.passing())
    assert text.count("run your evaluations too") == 1
    assert "What to do" not in text


def test_failed_conditions_are_a_table_and_passed_ones_are_not_in_it():
    rows = [line for line in comment(factory.blocked()).splitlines() if line.startswith("| ✖")]
    assert [row.split("|")[2].strip() for row in rows] == [
        "Tensors with values that are not finite",
        "Layers whose rank collapsed",
    ]
    assert "| ✖" not in comment(factory.passing())


def test_what_does_not_gate_is_folded_under_its_origin():
    text = comment(factory.reviewed())
    folded = text[text.index("<details>") :]
    assert "<details><summary>fixed: 1</summary>" in folded
    assert "fc3.weight looks untrained" in folded
    assert text.index("looks over-trained") < text.index("<details>")


def test_a_waiver_says_by_whom_until_when_and_why():
    waiver = Waiver(
        "over_trained", "*", "trained so", "@ann", date(2026, 4, 30), layer="fc1.weight"
    )
    text = comment(factory.reviewed(replace(factory.RECOMMENDED, waivers=(waiver,))))
    assert "<details><summary>waived: 1</summary>" in text
    assert "(until 2026-04-30 by \\@&#8203;ann: trained so)" in text


def test_a_decision_is_told_beside_the_verdict():
    said = {
        "accept": True,
        "by": "ann",
        "reason": "known",
        "at": "2026-03-02T10:00:05+00:00",
        "until": None,
        "via": "api",
    }
    text = comment({**factory.blocked(), "decision": said})
    assert "**Accepted** by ann: known" in text
    assert text.startswith("## ✖ Do not ship")


def test_the_phases_are_counted():
    assert "Phases of the layers: 3 heavy-tailed, 1 undetermined" in comment(factory.reviewed())
    assert "Phases" not in comment(factory.incomplete())


@pytest.mark.parametrize("name", CASES)
def test_it_fits_into_a_comment_and_every_fold_is_closed(name):
    text = comment(getattr(factory, name)())
    assert len(text) <= MOST
    assert text.count("<details>") == text.count("</details>")


def test_what_is_too_long_is_cut_and_says_so():
    document = factory.hostile()
    finding = document["findings"][0]
    many = [
        {**finding, "message": "@" * 400, "origin": o} for o in ("new", "fixed") for _ in range(99)
    ]
    text = comment({**document, "findings": [{**one, "level": "off"} for one in many]})
    assert len(text) <= MOST
    assert re.search(r"\*\d+ lines cut; the report has everything\.\*", text)
    assert text.count("<details>") == text.count("</details>")
    assert "## ✖ Do not ship" in text


def test_of_many_findings_the_first_are_in_sight_and_the_rest_folded():
    text = comment(factory.large())
    assert text[: text.index("<details>")].count("\n- **") <= LISTED + 1


def test_names_are_no_markup():
    text = comment(factory.hostile())
    assert "<script>" not in text
    assert "<img" not in text
    assert not re.search(r"(?<!\\)\]\(", text)


@pytest.mark.parametrize(
    "name",
    ["@everyone", "org/repo#12", "!3", "GH-12", "https://evil.example", "www.evil.example",
     "me@evil.example", "$1", "&1", "%5", "~bug"],
)  # fmt: skip
def test_names_are_no_mention_reference_or_link(name):
    text = escaped(name)
    finished = text.replace("\\", "").replace("&amp;", "&")  # as platforms look at it
    assert name not in finished
    assert name == finished.replace("&#8203;", "")


def test_no_line_begins_with_a_name_so_none_is_a_command_to_the_platform():
    document = {**factory.blocked(), "reason": "/close"}
    assert not re.search(r"^\s*/", comment(document), re.MULTILINE)


@given(st.text(max_size=300))
def test_any_text_is_one_line_of_plain_characters(text):
    line = escaped(text)
    assert "\n" not in line
    assert "<" not in line
    assert re.fullmatch(r"(?:[^`*\[\]|]|\\[`*\[\]|])*", line)
