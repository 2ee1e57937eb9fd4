"""Policy files that nobody wrote in good faith, and those that a machine made up."""

import json
import os
from datetime import timedelta

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.errors import ConfigError
from auditor.policies import load_policy
from auditor.policies.explaining import explain
from auditor.policies.loading import KEYS, said
from auditor.policies.schema import schema
from auditor.policies.text import lines
from auditor.policy import Bound, Of
from auditor.records import Level
from tests.policies.conftest import TODAY

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
)
VALIDATOR = jsonschema.Draft202012Validator(schema())


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "rules: &a [*a]",
        "rules: " + "[" * 100 + "]" * 100,
        "checks: " + "{a: " * 50 + "1" + "}" * 50,
        "rules: [{check: all_zero, level: warn, max: " + "9" * 5000 + "}]",
        "rules: [{metric: alpha, of: mean, level: warn, max: " + "9" * 400 + "}]",
        "rules: [{metric: alpha, of: mean, level: warn, max: 1e999}]",
        "rules: [{metric: alpha, of: mean, level: warn, max: -.inf}]",
        "checks: {over_trained: {below: .nan}}",
        "checks: {over_trained: {below: .inf}}",
        "checks: {over_trained: {below: [1]}}",
        "checks: {over_trained: {min_tail: " + "9" * 5000 + "}}",
        "? [a, b]\n: c",
        "? {a: b}\n: c",
        "1: 2",
        "null: off",
        "~: off",
        "<<: {checks: {all_zero: off}}",
        "checks: {all_zero: !!python/object/apply:os.system [id]}",
        "checks: {all_zero: !!binary aGk=}",
        "checks: {all_zero: off, all_zero: error}",
        "extends: strict\nextends: observe",
        'extends: "\\0"',
        'extends: "${AUDITOR_NO_SUCH_VARIABLE}"',
        "extends: " + "a" * 5000,
        "extends: ~nobody-here/x.yaml",
        "extends: https://example.org/policy.yaml",
        "waivers_file: /dev/zero",
        "waivers: [{check: all_zero, model: a, reason: b, owner: c, expires: 9999-12-31}]",
        "waivers: [{check: all_zero, model: a, reason: b, owner: c, expires: 0000-00-00}]",
        "\ufeffchecks: 7",
        "checks: \u202eoff",
        "--- {}\n--- {}",
        "\x00",
        "",
        "off",
    ],
)
def test_what_does_not_fit_is_said_in_lines_with_the_file(refused, text):
    lines_ = refused(text)
    assert lines_
    for line in lines_:
        assert line.startswith("policy.yaml:")


def test_a_file_larger_than_anybody_writes_is_not_read(refused):
    (line,) = refused("# " + "x" * 400_000)
    assert line == "policy.yaml: has more than 300,000 bytes: expected a short text"


def test_a_pipe_is_no_file(tmp_path, refused):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ConfigError, match="no file of that name"):
        load_policy(str(tmp_path / "pipe.yaml"), TODAY)
    (line,) = refused("extends: pipe.yaml")
    assert "no file 'pipe.yaml'" in line


@pytest.mark.parametrize("name", ["", ".", "\0", "a" * 10_000, "\udc80", "/", "strict\n"])
def test_a_name_of_nothing_is_one_sentence(name):
    with pytest.raises(ConfigError, match="no file of that name either"):
        load_policy(name, TODAY)


@pytest.mark.parametrize("name", ["ä ☃.yaml", "a\nb.yaml", "-.yaml", "%s.yaml"])
def test_a_file_may_be_called_anything(tmp_path, name):
    path = tmp_path / name
    path.write_text("checks: {all_zero: error}")
    assert load_policy(str(path), TODAY).name == path.stem


def test_a_value_from_the_environment_changes_no_structure_and_is_not_repeated(
    refused, loaded, monkeypatch
):
    monkeypatch.setenv("NAME", "x, level: off}, {check: y")
    (found,) = loaded(
        'extends: []\nrules: [{check: all_zero, level: warn, model: "${NAME}"}]'
    ).rules
    assert found.model == "x, level: off}, {check: y"
    (line,) = refused('extends: "${NAME}"')
    assert "level" not in line


# --- made up ------------------------------------------------------------------------------

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["all_zero", "over_trained", "alpha", "median", "warn", "off", "strict"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["check", "metric", "of", "level", "max", "min", "kind", "model", "below"])
        | st.text(max_size=5),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
FILES = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), JUNK, max_size=4)


@given(values=FILES)
def test_any_file_is_a_policy_or_lines_that_say_why_not(values, tmp_path_factory):
    path = tmp_path_factory.mktemp("p") / "policy.yaml"
    path.write_text(json.dumps(values), encoding="utf-8")  # which is YAML, too
    try:
        found = load_policy(str(path), TODAY)
    except ConfigError as error:
        for line in str(error).splitlines():
            assert line.startswith(str(path))
    else:
        assert found.hash("mlflow:x", TODAY)


LEVELS = st.sampled_from([str(level) for level in Level])
PATTERNS = {
    "model": st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
    "kind": st.sampled_from(["*", "attention", "conv*", "head"]),
    "layer": st.sampled_from(["*", "fc*", "[", "**"]),
}
CHECK_RULES = st.fixed_dictionaries(
    {"check": st.sampled_from(["all_zero", "over_trained"]), "level": LEVELS},
    optional={"max": st.integers(0, 10**9), **PATTERNS},
)
NUMBERS = st.floats(0, 1e300, allow_nan=False)
METRIC_RULES = st.builds(
    lambda rule, bound, limit: {**rule, bound: limit},
    st.fixed_dictionaries(
        {
            "metric": st.sampled_from(["alpha", "stable_rank"]),
            "of": st.sampled_from([str(of) for of in Of]),
            "level": LEVELS,
        },
        optional=PATTERNS,
    ),
    st.sampled_from([str(bound) for bound in Bound]),
    NUMBERS,
)
WAIVERS = st.fixed_dictionaries(
    {
        "check": st.sampled_from(["all_zero", "alpha:median:max_increase"]),
        "model": PATTERNS["layer"],
        "reason": st.just("known"),
        "owner": st.just("a.ruiz"),
        "expires": st.integers(-400, 180).map(lambda days: f"{TODAY + timedelta(days=days)}"),
    },
    optional={"layer": PATTERNS["layer"]},
)
GOOD = st.fixed_dictionaries(
    {},
    optional={
        "extends": st.sampled_from(["observe", "strict"]) | st.lists(st.just("strict"), max_size=3),
        "baseline": LEVELS,
        "retroactive": st.booleans(),
        "checks": st.fixed_dictionaries(
            {}, optional={"over_trained": st.fixed_dictionaries({"below": NUMBERS})}
        ),
        "rules": st.lists((CHECK_RULES | METRIC_RULES), max_size=4),
        "waivers": st.lists(WAIVERS, max_size=3),
    },
)


@given(values=GOOD)
def test_what_fits_is_loaded_fits_the_schema_and_can_be_explained(values, tmp_path_factory):
    assert [problem.message for problem in VALIDATOR.iter_errors(values)] == []
    path = tmp_path_factory.mktemp("p") / "policy.yaml"
    path.write_text(json.dumps(values).replace("${", "$${"), encoding="utf-8")
    found = said(str(path), TODAY)
    assert all(rule.source for rule in found.rules)
    assert len(found.waivers) == len(values.get("waivers", []))
    assert list(lines(explain([found], "mlflow:digits", TODAY)))
