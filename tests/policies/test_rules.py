"""Rules in a policy file, read as a specification."""

import pytest

from auditor.policy import Bound, CheckRule, MetricRule, Of
from auditor.records import Level
from auditor.spectral.kinds import KINDS, kind_of


def only(loaded, *rules):
    """The rules of a file that extends nothing."""
    return loaded("extends: []\nrules:\n" + "".join(f"  - {rule}\n" for rule in rules)).rules


def test_a_rule_on_a_check_lets_nothing_pass_unless_it_says_how_many(loaded):
    assert only(
        loaded, "{check: over_trained, level: error}", "{check: all_zero, level: warn, max: 2}"
    ) == (
        CheckRule(check="over_trained", level=Level.ERROR, max=0, source="policy.yaml, line 3"),
        CheckRule(check="all_zero", level=Level.WARN, max=2, source="policy.yaml, line 4"),
    )


def test_a_rule_on_a_metric_has_one_limit(loaded):
    assert only(
        loaded,
        "{metric: alpha, of: median, level: warn, max_increase: 0.3}",
        '{metric: delta_relative, of: layer, level: warn, max: 0.1, kind: attention, model: "p-*"}',
    ) == (
        MetricRule(
            metric="alpha",
            of=Of.MEDIAN,
            bound=Bound.MAX_INCREASE,
            limit=0.3,
            level=Level.WARN,
            source="policy.yaml, line 3",
        ),
        MetricRule(
            metric="relative",
            of=Of.LAYER,
            bound=Bound.MAX,
            limit=0.1,
            level=Level.WARN,
            kind="attention",
            model="p-*",
            source="policy.yaml, line 4",
        ),
    )


@pytest.mark.parametrize("bound", Bound)
@pytest.mark.parametrize("of", Of)
def test_every_summary_can_have_every_limit(loaded, of, bound):
    (rule,) = only(loaded, f"{{metric: stable_rank, of: {of}, level: error, {bound}: 2}}")
    assert (rule.of, rule.bound, rule.limit) == (of, bound, 2.0)


def test_the_rules_of_a_file_come_after_its_checks(loaded):
    text = """
rules: [{check: random_like, level: off, kind: head}]
checks: {random_like: error}
"""
    assert [(rule.level, rule.source) for rule in loaded(text).rules[-2:]] == [
        (Level.ERROR, "policy.yaml, line 3"),
        (Level.OFF, "policy.yaml, line 2"),
    ]


def test_what_a_preset_says_is_from_the_preset(loaded):
    assert {rule.source for rule in loaded("extends: strict").rules} == {"preset strict"}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{level: warn}", ": found {'level': 'warn'}: expected a check: or a metric:"),
        ("over_trained", ": found 'over_trained': expected a check: or a metric:"),
        ("{check: all_zero, metric: alpha, level: warn}", ": found {'check': 'all_zero', 'metric'"),
        ("{check: over_trian, level: warn}", ".check: no such check here; did you mean over_tra"),
        ("{check: all_zero}", ".level: is required and not there"),
        ("{check: all_zero, level: eror}", ".level: no such level here; did you mean error?"),
        ("{check: all_zero, level: warn, max: -1}", ".max: found -1: input should be greater than"),
        ("{check: all_zero, level: warn, max: 1.5}", ".max: found 1.5: input should be a valid in"),
        ("{check: all_zero, level: warn, max: true}", ".max: found True: input should be a valid"),
        ("{check: all_zero, level: warn, max: 9999999999}", ".max: found 9999999999: input should"),
        ("{check: all_zero, level: warn, of: mean}", ".of: no such setting here (there are: check"),
        (
            "{check: all_zero, level: warn, modle: x}",
            ".modle: no such setting here; did you mean m",
        ),
        ('{check: all_zero, level: warn, model: ""}', ".model: is empty; leave it out, or write *"),
        ("{check: all_zero, level: warn, model: 7}", ".model: found 7: input should be a valid st"),
        ("{metric: alhpa, of: mean, level: warn, max: 1}", ".metric: no such metric here; did you"),
        ("{metric: alpha, of: maen, level: warn, max: 1}", ".of: no such summary here; did you me"),
        ("{metric: alpha, level: warn, max: 1}", ".of: is required and not there"),
        ("{metric: alpha, of: mean, level: warn}", ": found no limit: expected one of max, min, "),
        ("{metric: alpha, of: mean, level: warn, max: 1, min: 0}", ": found max and min: expected"),
        ("{metric: alpha, of: mean, level: warn, max: .nan}", ".max: found nan: input should be a"),
        ("{metric: alpha, of: mean, level: warn, max: .inf}", ".max: found inf: input should be a"),
        ('{metric: alpha, of: mean, level: warn, max: "1"}', ".max: found '1': input should be a "),
        (
            "{metric: alpha, of: mean, level: warn, max_increase: -1}",
            ".max_increase: found -1: input should be greater than or equal to 0",
        ),
        (
            "{metric: relative, of: mean, level: warn, max_increase: 1}",
            ": found max_increase of relative, which is a change already: expected max or min",
        ),
        (
            "{metric: d_alpha, of: layer, level: warn, max_decrease: 1}",
            ": found max_decrease of d_alpha, which is a change already: expected max or min",
        ),
    ],
)
def test_a_rule_that_does_not_fit_is_one_line_with_its_place(refused, rule, said):
    (line,) = refused(f"rules:\n  - {rule}")
    assert line.startswith(f"policy.yaml:2: rules[0]{said}")


def test_rules_are_a_list(refused):
    (line,) = refused("rules: {check: over_trained, level: warn}")
    assert line.startswith("policy.yaml:1: rules: found {'check': 'over_trained',")
    assert line.endswith(": expected a list of rules")


@pytest.mark.parametrize("kind", ["attention", "mlp", "conv*", "conv2d", "*", "h?ad", "[de]*"])
def test_a_kind_is_one_that_layers_have_or_a_role_in_a_block(loaded, kind):
    (rule,) = only(loaded, f'{{check: all_zero, level: warn, kind: "{kind}"}}')
    assert rule.kind == kind


@pytest.mark.parametrize("kind", ["atention", "Attention", "conv", "layer*"])
def test_a_kind_that_no_layer_has_would_never_fit_and_is_refused(refused, kind):
    (line,) = refused(f'rules: [{{check: all_zero, level: warn, kind: "{kind}"}}]')
    assert "kind: no such kind of layer here" in line


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("wte.weight", (9, 9)),
        ("lm_head.weight", (9, 9)),
        ("h.0.attn.c_attn.weight", (9, 27)),
        ("rnn.weight_ih_l0", (9, 9)),
        ("h.0.mlp.fc.weight", (9, 9)),
        ("blk.0.ffn_up_exps.weight", (4, 9, 9)),
        ("a.weight", (9, 9, 3)),
        ("a.weight", (9, 9, 3, 3)),
        ("a.weight", (9, 9, 3, 3, 3)),
        ("a.weight", (9, 1, 3, 3)),
    ],
)
def test_every_kind_that_a_layer_gets_is_known(name, shape):
    assert kind_of(name, shape) in KINDS


def test_more_rules_than_anybody_reads_are_refused(refused):
    text = "rules:\n" + "  - {check: all_zero, level: warn}\n" * 600
    (line,) = refused(text)
    assert line.startswith("policy.yaml: holds 6")
    assert line.endswith(" rules: expected 500 at most")


def test_a_limit_reads_off_and_false_alike(loaded):
    off = only(
        loaded, "{check: all_zero, level: off}", '{check: all_zero, level: "off"}',
        "{check: all_zero, level: false}",
    )  # fmt: skip
    assert {rule.level for rule in off} == {Level.OFF}
