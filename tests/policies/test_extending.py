"""What a policy takes from others, and which of them has the last word."""

import pytest

from auditor.checks.scale import RankCollapse
from auditor.policy import effective, preset
from auditor.records import Level

MODEL = "mlflow:digits"


def level(policy, check):
    return policy.level(check, MODEL)


def test_a_file_that_does_not_say_extends_recommended(loaded):
    policy, recommended = loaded("baseline: warn"), preset("recommended")
    assert policy.rules == recommended.rules
    assert policy.checks == recommended.checks
    assert policy.baseline is Level.WARN


def test_a_file_that_extends_nothing_says_all_there_is(loaded):
    policy = loaded("extends: []\nchecks: {all_zero: error}")
    assert [rule.check for rule in policy.rules] == ["all_zero"]
    assert policy.checks == preset("observe").checks
    assert policy.baseline is Level.OFF


def test_a_file_may_extend_another_from_its_own_folder(loaded):
    policy = loaded(
        "extends: team/base.yaml\nchecks: {random_like: off}",
        **{"team/base": "extends: ../org.yaml\nchecks: {over_trained: error}"},
        org="extends: strict\nchecks: {over_trained: off, alpha_shift: error}",
    )
    assert level(policy, "random_like") is Level.OFF
    assert level(policy, "over_trained") is Level.ERROR
    assert level(policy, "alpha_shift") is Level.ERROR
    assert level(policy, "large_change") is preset("strict").level("large_change")
    assert policy.name == "policy"


def test_every_rule_names_its_file_as_seen_from_the_first(loaded):
    policy = loaded(
        "extends: team/base.yaml\nchecks: {random_like: off}",
        **{"team/base": "extends: ../org.yaml\nchecks:\n  over_trained: error"},
        org="extends: []\nrules: [{check: all_zero, level: error}]",
    )
    assert [rule.source for rule in policy.rules] == [
        "org.yaml, line 2",
        "team/base.yaml, line 3",
        "policy.yaml, line 2",
    ]


def test_of_several_the_later_counts_over_the_earlier(loaded):
    def both(first, second):
        policy = loaded(
            f"extends: [{first}.yaml, {second}.yaml]",
            a="extends: []\nbaseline: error\nchecks: {all_zero: error, non_finite: error}",
            b="extends: []\nchecks: {all_zero: warn}",
        )
        return level(policy, "all_zero"), level(policy, "non_finite"), policy.baseline

    assert both("a", "b") == (Level.WARN, Level.ERROR, Level.ERROR)
    assert both("b", "a") == (Level.ERROR, Level.ERROR, Level.ERROR)


def test_thresholds_replace_each_other_one_by_one(loaded):
    policy = loaded(
        "extends: base.yaml\nchecks: {over_trained: {below: 1.8}}",
        base="checks: {over_trained: {below: 1.9, min_tail: 20}, rank_collapse: {min_share: 0.2}}",
    )
    found = {type(check).__name__: check for check in policy.checks}
    assert (found["OverTrained"].below, found["OverTrained"].min_tail) == (1.8, 20)
    assert found["RankCollapse"].min_share == 0.2
    assert found["RankCollapse"] == RankCollapse(min_share=0.2)


def test_a_level_alone_leaves_the_thresholds_and_thresholds_alone_leave_the_level(loaded):
    base = "checks: {over_trained: {level: error, below: 1.9}}"
    for text in ("{over_trained: warn}", "{over_trained: {min_tail: 12}}"):
        policy = loaded(f"extends: base.yaml\nchecks: {text}", base=base)
        (found,) = [one for one in policy.checks if type(one).__name__ == "OverTrained"]
        assert found.below == 1.9
    assert level(policy, "over_trained") is Level.ERROR


def test_waivers_add_up(loaded):
    waiver = '{check: all_zero, model: "*", reason: r, owner: o, expires: 2026-04-01}'
    policy = loaded(
        f"extends: base.yaml\nwaivers: [{waiver}]", base=f"waivers: [{waiver}, {waiver}]"
    )
    assert len(policy.waivers) == 3


def test_whether_history_is_judged_again_is_said_by_the_last_that_says_it(loaded):
    base = "retroactive: true"
    assert loaded("extends: base.yaml", base=base).retroactive
    assert not loaded("extends: base.yaml\nretroactive: false", base=base).retroactive
    assert not loaded("extends: strict").retroactive


def test_a_rule_for_some_models_leaves_the_others_as_they_were(loaded):
    policy = loaded('rules: [{check: all_zero, level: off, model: "scratch-*"}]')
    assert policy.level("all_zero", "mlflow:scratch-1") is Level.OFF
    assert policy.level("all_zero", "mlflow:prod-1") is Level.ERROR


def test_a_rule_on_everything_makes_earlier_ones_void_and_one_on_a_part_does_not(loaded):
    policy = loaded(
        "rules:\n"
        "  - {check: all_zero, level: warn, kind: head}\n"
        "  - {check: all_zero, level: off}\n"
        "  - {check: all_zero, level: error, kind: conv2d}\n"
    )
    found = [rule for rule in effective(policy.rules, MODEL) if rule.check == "all_zero"]
    assert [(rule.level, rule.kind) for rule in found] == [
        (Level.OFF, "*"),
        (Level.ERROR, "conv2d"),
    ]


# --- what cannot be extended --------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "extends: strickt",
            "'strickt': expected the name of a preset, or the path of a file; did",
        ),
        ("extends: nope.yaml", "'nope.yaml': expected the name of a preset, or the path of a file"),
        ("extends: .", "'.': expected the name of a preset, or the path of a file"),
    ],
)
def test_what_is_not_there_is_said(refused, text, said):
    (line,) = refused(text)
    assert line.startswith(f"policy.yaml:1: extends: no file {said}")


@pytest.mark.parametrize("value", ["7", "{a: b}", "null", "[[strict]]", "true"])
def test_what_is_no_name_is_said(refused, value):
    (line,) = refused(f"extends: {value}")
    assert "expected the name of a preset, or the path of a file" in line


def test_a_circle_is_said_once_with_the_way_around(refused):
    lines = refused("extends: a.yaml", a="extends: b.yaml", b="extends: policy.yaml")
    assert lines == [
        "b.yaml:1: extends: comes back to where it began: "
        "policy.yaml → a.yaml → b.yaml → policy.yaml"
    ]


def test_a_circle_is_found_behind_another_spelling(refused):
    (line,) = refused("extends: x/../policy.yaml", **{"x/a": "{}"})
    assert "comes back to where it began" in line


def test_a_chain_has_an_end(loaded, refused):
    def chain(length):
        files = {f"f{i}": f"extends: f{i + 1}.yaml" for i in range(length)}
        return {**files, f"f{length}": "extends: strict"}

    assert loaded("extends: f0.yaml", **chain(6)).rules == preset("strict").rules
    (line,) = refused("extends: f0.yaml", **chain(7))
    assert line.endswith("is the end of a chain of more than 8 files: expected a shorter one")


def test_files_that_fan_out_have_an_end(refused):
    """Eight levels of ten files each would be a hundred million."""
    wide = {f"f{i}": "extends: [" + f"f{i + 1}.yaml, " * 10 + "]" for i in range(6)}
    lines = refused("extends: [" + "f0.yaml, " * 10 + "]", **wide, f6="{extends: []}")
    assert any(line.endswith("leads to more than 50 files: expected fewer") for line in lines)


def test_a_mistake_in_what_is_extended_is_told_with_its_own_place(refused):
    lines = refused(
        "extends: [base.yaml, more.yaml]\nchecks: {nope: off}",
        base="checks: {all_zero: eror}",
        more="rules: [7]\n[",
    )
    assert [line.partition(": ")[0] for line in lines] == [
        "base.yaml:1",
        "more.yaml:2",
        "policy.yaml:2",
    ]
