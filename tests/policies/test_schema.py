"""The JSON Schema of a policy file, and the page about it: held to the code."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from auditor import checks
from auditor.policies.loading import KEYS, said
from auditor.policies.rules import GivenCheckRule, GivenMetricRule
from auditor.policies.schema import schema
from auditor.policies.waivers import GivenWaiver
from auditor.policy import CheckRule, effective

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "policy.md").read_text(encoding="utf-8")
VALIDATOR = jsonschema.Draft202012Validator(schema())
WRITTEN = date(2026, 11, 21)  # a day on which the page's waivers hold


def blocks() -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def plain(text: str) -> Any:
    found = YAML(typ="safe", pure=True).load(text)
    return json.loads(json.dumps(found, default=str))  # a day is a text to us


def keys(title: str) -> list[str]:
    """First cells of the table below a heading."""
    text = re.split(r"\n##+ ", PAGE.partition(f"## {title}\n")[2])[0]
    return re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)


def test_the_published_file_is_what_the_code_says():
    published = (DOCS / "policy.schema.json").read_text(encoding="utf-8")
    assert published == json.dumps(schema(), indent=1, ensure_ascii=False) + "\n", (
        "run: auditor policy schema > docs/policy.schema.json"
    )
    jsonschema.Draft202012Validator.check_schema(json.loads(published))


def test_an_editor_knows_every_key_check_and_threshold():
    properties = schema()["properties"]
    assert properties.keys() == set(KEYS)
    known, _ = properties["checks"]["anyOf"]
    assert known["properties"].keys() == checks.BY_NAME.keys()
    _, settings = known["properties"]["over_trained"]["anyOf"]
    assert settings["properties"].keys() == {"level", "below", "min_tail"}


@pytest.mark.parametrize(
    "text",
    [
        "nope: 1",
        "extends: 7",
        "baseline: eror",
        "checks: {nope: off}",
        "checks: {over_trained: {belw: 1}}",
        "rules: {}",
        "rules: [{check: all_zero}]",
        "rules: [{check: all_zero, level: warn, max: -1}]",
        "rules: [{metric: alpha, of: mean, level: warn}]",
        "rules: [{metric: alpha, of: mean, level: warn, max: 1, min: 0}]",
        "rules: [{metric: alhpa, of: mean, level: warn, max: 1}]",
        "rules: [{check: all_zero, level: warn, of: mean}]",
        "waivers: [{check: all_zero}]",
        "waivers_file: 7",
    ],
)
def test_an_editor_marks_what_would_be_refused(text, refused):
    assert not VALIDATOR.is_valid(plain(text))
    assert refused(text)


# --- the page -----------------------------------------------------------------------------


@pytest.fixture
def shown(folder):
    policy, waivers, floor = blocks()
    return folder(policy=policy, waivers=waivers, floor=floor, exceptions="waivers: []")


def test_the_files_on_the_page_are_policies_and_fit_the_schema(shown):
    for name in ("policy", "floor"):
        assert said(str(shown / f"{name}.yaml"), WRITTEN).rules
        values = plain((shown / f"{name}.yaml").read_text())
        assert [problem.message for problem in VALIDATOR.iter_errors(values)] == []


def test_the_policy_on_the_page_does_what_its_comments_say(shown):
    found = said(str(shown / "policy.yaml"), WRITTEN)
    assert [one.waiver.check for one in found.waivers] == [
        "over_trained",
        "alpha:median:max_increase",
    ]
    decided = {(rule.check, rule.kind): rule for rule in effective(found.rules, "mlflow:scratch-1")}
    over_trained = decided["over_trained", "*"]
    assert isinstance(over_trained, CheckRule)
    assert over_trained.max == 2
    assert decided["random_like", "head"].level == "off"
    assert ("random_like", "attention") not in decided


def test_the_lines_that_the_page_shows_of_a_mistake_are_as_they_are_said(refused):
    known = refused(
        "rules:\n" + "\n" * 6
        + "  - {metric: delta_relativ, of: mean, level: warn, max: 1}\n"
        + "  - {metric: alpha, of: mean, level: warn, max: 1, min: 1}\n"
    )  # fmt: skip
    for line, begun in zip(
        known, re.findall(r"^policy\.yaml:.*$", PAGE, re.MULTILINE), strict=True
    ):
        assert line.startswith(begun.partition(" (there are")[0])


def test_the_page_lists_every_key_and_no_other():
    assert keys("A policy file") == list(KEYS)
    assert keys("Waivers") == list(GivenWaiver.model_fields)
    of_rules = {*GivenCheckRule.model_fields, *GivenMetricRule.model_fields}
    assert set(keys("Rules")) == of_rules
