import math

import pytest

from auditor import checks
from auditor.checks.base import Case
from auditor.checks.values import AllZero, NonFinite, UnsafePickle
from auditor.records import Measurement, PickleGlobal, Reading, Severity, Skip
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


def test_healthy_layers_have_none_of_these():
    case = Case((layer("fc1"), layer("fc2", 1)))
    assert not [f for check in (NonFinite, AllZero, UnsafePickle) for f in check()(case)]
