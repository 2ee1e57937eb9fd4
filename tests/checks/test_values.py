import math

import pytest

from auditor import checks
from auditor.checks.base import Case
from auditor.checks.values import CHECKS, AllZero, CustomCode, NonFinite, UnsafePickle
from auditor.policy.levels import LEVELS
from auditor.records import Level, Measurement, PickleGlobal, Reading, Severity, Skip
from tests.render.factory import layer, record


def zero_layer(name="fc"):
    undefined = dict.fromkeys(("alpha", "log_norm", "log_spectral_norm", "stable_rank"), math.nan)
    metrics = {"matrix_rank": 0.0, "num_pl_spikes": math.nan, **undefined}
    return record(name, 0, (64, 32), Measurement("zero", 64, 32, 32, metrics))


def test_a_tensor_with_values_that_are_not_finite_is_named_with_their_number():
    skip = Skip("head.weight", (10, 64), "non-finite", "float32", non_finite=3)
    (finding,) = NonFinite()(Case((), (skip,)))
    assert finding.layer == "head.weight"
    assert finding.value == 3
    assert finding.severity is Severity.CRITICAL


def test_a_zero_matrix_is_critical_and_a_zero_bias_is_information():
    bias = Skip("fc.bias", (64,), "vector", "float32", all_zero=True)
    matrix, vector = AllZero()(Case((zero_layer("fc.weight"),), (bias,)))
    assert (matrix.layer, matrix.severity) == ("fc.weight", Severity.CRITICAL)
    assert (vector.layer, vector.severity) == ("fc.bias", Severity.INFO)


def test_a_zero_layer_is_named_by_one_check_only():
    every = [check() for check in checks.ALL]
    found = checks.examine(Case((zero_layer(),)), every)
    assert [finding.check for finding in found] == ["all_zero"]


@pytest.mark.parametrize("dangerous", [True, False])
def test_a_file_that_names_dangerous_code_is_one_finding(dangerous):
    names = tuple(PickleGlobal("m.pt", n, dangerous) for n in ("posix.system", "builtins.eval"))
    reading = Reading((), 0, globals=(*names, PickleGlobal("m.pt", "net.Net", dangerous=False)))
    findings = list(UnsafePickle()(Case((), reading=reading)))
    assert len(findings) == dangerous
    if dangerous:
        assert findings[0].evidence["globals"] == ["builtins.eval", "posix.system"]
        assert "net.Net" not in findings[0].message


def named(*names, file="m.pt", dangerous=False):
    found = tuple(PickleGlobal(file, name, dangerous) for name in names)
    return Case((), reading=Reading((), 0, globals=found))


@pytest.mark.parametrize(
    "name",
    [
        "torch._utils._rebuild_tensor_v2",
        "torch.nn.modules.linear.Linear",
        "collections.OrderedDict",
        "numpy._core.multiarray.scalar",
        "builtins.set",
        "__torch__.net.Net",
        "transformers.training_args.TrainingArguments",
        "copyreg._reconstructor",
    ],
)
def test_names_of_common_frameworks_are_no_finding(name):
    assert not list(CustomCode()(named(name)))


@pytest.mark.parametrize(
    "name", ["mymodel.Net", "__main__.Net", "torchy.Net", "copyreg.extension_7"]
)
def test_a_class_of_somebodys_own_is_information_and_gates_nothing(name):
    (finding,) = CustomCode()(named("torch.nn.modules.linear.Linear", name))
    assert finding.severity is Severity.INFO
    assert finding.message == f"m.pt names {name}"
    assert all(level is Level.OFF for level in LEVELS["custom_code"])


def test_a_dangerous_name_is_told_by_the_check_that_gates():
    assert not list(CustomCode()(named("posix.system", dangerous=True)))


@pytest.mark.parametrize("check", [CustomCode(), UnsafePickle()])
def test_thousands_of_names_are_one_short_sentence(check):
    dangerous = isinstance(check, UnsafePickle)
    (finding,) = check(named(*(f"a.b{i}" for i in range(5000)), dangerous=dangerous))
    assert len(finding.message) < 1000
    assert "more" in finding.message
    assert finding.value == 5000


def test_healthy_layers_have_none_of_these():
    case = Case((layer("fc1"), layer("fc2", 1)))
    assert not [f for check in CHECKS for f in check()(case)]
