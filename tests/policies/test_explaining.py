"""Why a model is judged as it is: the rule that decides, its place, what it overrode."""

import json

import pytest

from auditor.config.options import Options
from auditor.policies import data, text
from auditor.policies.explaining import explain
from auditor.policies.measured import unmeasured
from auditor.records import Level
from tests.policies.conftest import TODAY

MODEL = "mlflow:prod-digits"
OURS = """
baseline: warn
checks:
  over_trained: {level: error, below: 1.9}
rules:
  - {check: over_trained, level: error, max: 2, model: "prod-*"}
  - {check: random_like, level: off, kind: head}
  - {check: all_zero, level: off, model: "scratch-*"}
  - {metric: alpha, of: median, level: warn, max_increase: 0.3}
  - {metric: stable_rank, of: layer, level: warn, min: 2, kind: attention}
  - {metric: alpha, of: p5, level: error, min: 1.5}
waivers:
  - {check: all_zero, model: "mlflow:prod-*", reason: known, owner: a.ruiz, expires: 2026-03-20}
  - {check: all_zero, model: "hub:*", reason: known, owner: a.ruiz, expires: 2026-03-20}
"""


@pytest.fixture
def part(told):
    def of(policy, model=MODEL):
        return explain([told(policy)], model, TODAY).parts[0]

    return of


def deciding(part, check):
    return [one for one in part.rules if one.rule.check == check]


def test_each_rule_that_decides_says_where_it_is_written_and_what_it_overrode(part):
    (found,) = deciding(part(OURS), "over_trained")
    assert found.rule.source == "policy.yaml, line 6"
    assert [(old.level, old.source) for old in found.overrode] == [
        (Level.ERROR, "policy.yaml, line 4"),
        (Level.WARN, "preset recommended"),
    ]


def test_a_rule_for_a_part_stands_beside_the_one_for_the_rest(part):
    rest, heads = sorted(deciding(part(OURS), "random_like"), key=lambda one: one.rule.kind)
    assert (rest.rule.source, rest.overrode) == ("preset recommended", ())
    assert (heads.rule.kind, heads.overrode) == ("head", ())


def test_rules_for_other_models_are_not_told(part):
    assert [one.rule.level for one in deciding(part(OURS), "all_zero")] == [Level.ERROR]
    scratch = part(OURS, "mlflow:scratch-1")
    (found,) = deciding(scratch, "all_zero")
    assert (found.rule.level, found.overrode[0].level) == (Level.OFF, Level.ERROR)


def test_the_gravest_come_first(part):
    levels = [one.rule.level for one in part(OURS).rules]
    assert levels == sorted(levels, key=[Level.ERROR, Level.WARN, Level.OFF].index)


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        ("over_trained", "Layers that look over-trained: at most 2 may be new"),
        ("all_zero", "Layers that are all zero: none may be new"),
        ("under_trained", "Layers that look under-trained: listed as information"),
        ("alpha:median:max_increase", "Rise of the median of alpha: at most 0.3"),
        ("alpha:p5:min", "5th percentile of alpha: at least 1.5"),
        (
            "stable_rank:layer:min",
            "Layers of kind attention with stable_rank below 2: none may be new",
        ),
    ],
)
def test_a_rule_is_told_in_words(part, check, sentence):
    (found,) = deciding(part(OURS), check)
    assert found.sentence == sentence


def test_thresholds_are_told_where_they_are_not_as_they_ship(part):
    (found,) = part(OURS).thresholds
    assert (found.check, found.name, found.value) == ("over_trained", "below", 1.9)
    assert found.source == "policy.yaml, line 4"
    assert part("checks: {over_trained: {below: 2.0}}").thresholds == ()


def test_waivers_for_the_model_are_told_with_how_they_stand(part):
    (found,) = part(OURS).waivers
    assert (found.written.waiver.model, found.days) == ("mlflow:prod-*", 18)


def test_a_rule_that_is_repeated_is_told_once(part):
    (found,) = deciding(part("extends: [strict, strict]"), "over_trained")
    assert [old.source for old in found.overrode] == ["preset strict"]


def test_the_screen(told):
    floor = told("extends: []\nchecks: {all_zero: error}")
    shown = "\n".join(text.lines(explain([told(OURS), floor], MODEL, TODAY)))
    for line in (
        f"policy policy, for {MODEL} on 2026-03-02",
        "  a version without a baseline amounts to REVIEW (policy.yaml, line 2)",
        "  error  over_trained: Layers that look over-trained: at most 2 may be new (policy.yaml, ",
        "           before: none may be new (policy.yaml, line 4)",
        "           before: warn (preset recommended)",
        "           below: 1.9 in the place of 2.0 (policy.yaml, line 4)",
        "    all_zero of mlflow:prod-*: holds until 2026-03-20, 18 days more",
        "floor policy: a version has to pass it, too",
    ):
        assert line in shown


def test_as_data_it_is_the_same(told):
    found = data.as_json(explain([told(OURS)], MODEL, TODAY))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    (rule,) = [one for one in found["parts"][0]["rules"] if one.get("check") == "over_trained"]
    assert (rule["max"], rule["level"], rule["model"]) == (2, "error", "prod-*")
    assert [old["source"] for old in rule["overrode"]] == [
        "policy.yaml, line 4",
        "preset recommended",
    ]


# --- what nobody measures -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "given", "said"),
    [
        ("alpha", {}, None),
        ("relative", {}, None),
        ("d_alpha", {}, None),
        ("alpha_lo", {}, None),
        ("alpha_lo", {"intervals": False}, "; analysis.intervals: true adds it"),
        ("cka_distance", {}, "; analysis.more_distances: true adds it"),
        ("cka_distance", {"more_distances": True}, None),
        ("ERG_gap", {}, "; analysis.detX: true adds it"),
        ("Lambda", {}, ""),
    ],
)
def test_a_metric_that_nobody_measures_is_said_with_the_option_that_adds_it(
    told, metric, given, said
):
    rule = f"{{metric: {metric}, of: layer, level: warn, max: 1}}"
    rules = told(f"extends: []\nrules: [{rule}]").rules
    found = list(unmeasured(rules, Options(**given)))
    sentence = f"{metric} is not measured by the configured analysis"
    assert found == ([] if said is None else [sentence + said])


def test_neither_is_a_check_of_it(told):
    found = list(unmeasured(told("extends: strict").rules, Options(randomize=False)))
    assert any(sentence.endswith("; analysis.randomize: true adds it") for sentence in found)


def test_what_is_off_needs_no_measuring(told):
    text_ = "extends: []\nrules: [{metric: ERG_gap, of: mean, level: off, max: 1}]"
    assert list(unmeasured(told(text_).rules, Options())) == []


@pytest.mark.parametrize("name", ["observe", "recommended", "strict"])
def test_the_presets_look_at_nothing_that_the_usual_analysis_leaves_out(told, name):
    assert list(unmeasured(told(f"extends: {name}").rules, Options())) == []
