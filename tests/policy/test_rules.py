"""Which rule decides, read as a specification."""

from dataclasses import replace

import pytest

from auditor.checks.base import name_of
from auditor.checks.shape import OverTrained
from auditor.policy import AnyRule, CheckRule, Policy, effective
from auditor.records import Origin, Verdict
from tests.policy.making import (
    ERROR,
    HEALTHY,
    OFF,
    OVER_TRAINED,
    TODAY,
    WARN,
    check,
    judged,
    limit,
    over_trained,
    policy,
    row,
    waiver,
)

OVER = OverTrained.condition


def test_every_rule_is_one_row_of_the_gate_and_says_where_it_is_written():
    rules = check(WARN, source="ours.yaml, line 3"), check(ERROR, "all_zero", source="preset x")
    found = judged(policy(*rules), OVER_TRAINED)
    assert [(one.condition, one.level, one.source) for one in found.gate[:2]] == [
        (OVER, WARN, "ours.yaml, line 3"),
        ("Layers that are all zero", ERROR, "preset x"),
    ]


def test_a_check_that_no_rule_names_is_listed_and_does_not_gate():
    found = judged(policy(), OVER_TRAINED)
    assert [(f.check, f.level) for f in found.findings] == [("over_trained", OFF)]
    assert found.verdict is Verdict.PASS


def test_of_two_rules_on_a_check_the_later_decides_and_the_other_is_no_row():
    found = judged(policy(check(ERROR), check(WARN)), OVER_TRAINED)
    assert found.verdict is Verdict.REVIEW
    assert row(found, OVER).level is WARN


@pytest.mark.parametrize(
    ("model", "verdict"),
    [("mlflow:prod-a", "BLOCK"), ("mlflow:a-prod", "REVIEW"), ("hub:prod-a", "BLOCK")],
)
def test_a_rule_may_be_for_some_models_only(model, verdict):
    rules = check(WARN), check(ERROR, model="prod-*")
    assert judged(policy(*rules), OVER_TRAINED, model=model).verdict == verdict


@pytest.mark.parametrize(
    ("pattern", "holds"),
    [("mlflow:digits", True), ("digits", True), ("mlflow:*", True), ("hub:*", False), ("*", True)],
)
def test_a_model_is_named_with_or_without_its_source(pattern, holds):
    assert check(WARN, model=pattern).is_for("mlflow:digits") == holds


def test_a_rule_may_be_for_one_kind_of_layer_and_each_finding_counts_once():
    layers = over_trained("fc"), over_trained("emb", kind="embedding")
    found = judged(policy(check(WARN), check(ERROR, kind="embedding")), *layers)
    assert {f.layer: f.level for f in found.findings} == {"fc": WARN, "emb": ERROR}
    assert row(found, OVER).value == 1
    assert row(found, f"{OVER} of kind embedding").value == 1


def test_a_kind_may_be_what_a_layer_does_in_a_block():
    layers = over_trained("h.0.attn.c_proj.weight"), over_trained("h.0.mlp.c_fc.weight")
    found = judged(policy(check(ERROR, kind="attention"), check(WARN, kind="mlp")), *layers)
    assert [f.level for f in found.findings] == [ERROR, WARN]


def test_a_rule_may_let_layers_off_by_name():
    layers = over_trained("head.weight"), over_trained("fc.weight")
    found = judged(policy(check(ERROR), check(OFF, layer="head.*")), *layers)
    assert {f.layer: f.level for f in found.findings} == {"head.weight": OFF, "fc.weight": ERROR}


def test_a_rule_for_all_layers_makes_an_earlier_one_for_some_void():
    rules = check(ERROR, layer="fc*"), check(WARN)
    assert effective(rules, "mlflow:digits") == rules[1:]


def test_findings_about_the_whole_version_belong_to_rules_for_all_layers():
    rule = check(ERROR, "layers_changed", layer="*.weight")
    assert not rule.fits(None, "")
    assert check(ERROR, "layers_changed").fits(None, "")


@pytest.mark.parametrize(("most", "verdict"), [(0, "BLOCK"), (1, "BLOCK"), (2, "PASS")])
def test_a_rule_may_let_a_number_of_new_findings_pass(most, verdict):
    found = judged(policy(check(ERROR, max=most)), over_trained("a"), over_trained("b"))
    assert found.verdict == verdict
    assert (row(found, OVER).value, row(found, OVER).limit) == (2, most)


def test_what_is_let_pass_is_told():
    found = judged(policy(check(ERROR, max=1)), OVER_TRAINED)
    assert found.reason == "no known symptom in 1 layer but 1 that the policy lets pass"


def test_the_reason_names_what_failed_and_not_what_was_let_pass():
    zero = replace(HEALTHY, name="z", measured=replace(HEALTHY.measured, status="zero"))
    rules = check(ERROR, max=5), check(WARN, "all_zero")
    found = judged(policy(*rules), OVER_TRAINED, zero)
    assert found.verdict is Verdict.REVIEW
    assert found.reason == "z is all zero: 131,072 values"


def test_waived_findings_do_not_count_towards_the_number():
    of = policy(check(ERROR, max=1), waivers=[waiver("over_trained", layer="a")])
    found = judged(of, over_trained("a"), over_trained("b"))
    assert found.verdict is Verdict.PASS
    assert [f.origin for f in found.findings] == [Origin.WAIVED, Origin.NEW]


def test_the_hash_is_of_the_rules_for_the_model_and_not_of_their_lines():
    one = policy(check(ERROR, source="line 3"))
    assert digest(one) == digest(policy(check(ERROR, source="line 4")))
    assert digest(one) == digest(policy(check(WARN), check(ERROR)))
    assert digest(one) == digest(policy(check(ERROR), check(OFF, model="other")))
    others = [check(ERROR, max=1), check(WARN), check(ERROR, layer="a"), check(ERROR, kind="rnn")]
    limits = [limit("alpha", "median", "max", 5.0), limit("alpha", "median", "max", 6.0)]
    every: list[AnyRule] = [check(ERROR), *others, *limits]
    found = {digest(policy(rule)) for rule in every}
    assert len(found) == 7


def digest(of: Policy) -> str:
    return of.hash("mlflow:digits", TODAY)


def test_levels_are_asked_by_check_and_model():
    of = policy(check(WARN), check(ERROR, model="prod-*"), floor=policy(check(WARN, "all_zero")))
    assert of.level(name_of(OverTrained), "mlflow:digits") is WARN
    assert of.level(name_of(OverTrained), "mlflow:prod-a") is ERROR
    assert of.level("all_zero", "mlflow:digits") is WARN
    assert of.level("rank_collapse", "mlflow:digits") is OFF
    assert isinstance(of.rules[0], CheckRule)
