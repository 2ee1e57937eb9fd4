import math
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from auditor import analyze, checks
from auditor.audit import measure
from auditor.checks.base import Case, was_made
from auditor.checks.values import CHECKS, AllZero, Constant, DeadRows, NonFinite, sides
from auditor.records import Layer, LayerRecord, Measurement, Module, Settings, Severity, Skip
from auditor.spectral.matrices import cut
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


# --- one value everywhere -----------------------------------------------------------------------


def measured(name, weights, index=0):
    """A layer as it is measured, with nothing made up."""
    found = cut(name, weights, weights.dtype.name)
    assert isinstance(found, Layer)
    made = measure(found, Settings(bootstrap=0)).measurement
    digest = sha256(weights.tobytes()).hexdigest()
    of = (found.kind, found.dtype, weights.shape, digest)
    return LayerRecord(name, index, None, *of, measured=made)


def of_everything(*layers):
    return checks.examine(Case(layers), [check() for check in checks.ALL])


@pytest.mark.parametrize("shape", [(64, 32), (64, 32, 3, 3)])
def test_a_matrix_of_one_value_is_critical_and_named_once(shape):
    (finding,) = of_everything(measured("fc.weight", np.full(shape, 0.1, np.float32)))
    assert (finding.check, finding.severity) == ("constant", Severity.CRITICAL)
    size = f"{math.prod(shape):,}"
    assert finding.message == f"fc.weight holds one value everywhere: {size} values"


def test_of_experts_it_says_how_many(rng):
    experts = rng.normal(size=(4, 64, 32))
    experts[[1, 3]] = 0.5
    (finding,) = Constant()(Case((measured("mlp.experts.up_proj", experts),)))
    assert "one value everywhere in 2 of its 4 matrices" in finding.message
    assert finding.value == 2.0


@pytest.mark.parametrize("shape", [(1, 64), (64, 1), (32, 1, 3, 3)])
def test_gains_and_averaging_filters_are_information(shape):
    (finding,) = Constant()(Case((measured("gamma", np.ones(shape)),)))
    assert finding.severity is Severity.INFO


def test_an_audit_from_before_the_column_has_no_such_finding():
    found = layer("fc")
    columns = {k: v for k, v in found.metrics.items() if k not in {"dead_rows", "constant"}}
    old = Case((replace(found, measured=replace(found.measured, metrics=columns)),))
    for check in (Constant(), DeadRows()):
        assert not list(check(old))
        assert not was_made(check, old)


# --- rows and columns of zeros ------------------------------------------------------------------


def with_zeros(rng, shape, rows=0, columns=0):
    weights = rng.normal(size=shape)
    weights[:rows] = 0.0
    weights[:, shape[1] - columns :] = 0.0
    return weights


def test_rows_and_columns_are_both_counted(rng):
    (finding,) = DeadRows()(Case((measured("fc.weight", with_zeros(rng, (40, 30), 5, 2)),)))
    assert finding.message == "fc.weight: 5 of 40 rows and 2 of 30 columns are all zero"
    assert finding.evidence == {"dead_rows": 5.0, "dead_columns": 2.0}
    assert finding.value == 5 / 40


@pytest.mark.parametrize(
    ("rows", "columns", "severity"),
    [(4, 0, Severity.INFO), (5, 0, Severity.WARNING), (0, 4, Severity.WARNING)],
    ids=["a tenth of the rows", "more", "more of the columns"],
)
def test_a_few_are_information_and_many_a_warning(rows, columns, severity, rng):
    weights = with_zeros(rng, (40, 30), rows, columns)
    (finding,) = DeadRows()(Case((measured("fc.weight", weights),)))
    assert finding.severity is severity


def test_the_padding_row_of_an_embedding_is_information(rng):
    embedding = measured("wte.weight", with_zeros(rng, (500, 16), rows=1))
    (finding,) = DeadRows()(Case((embedding,)))
    assert finding.severity is Severity.INFO


def test_zeros_scattered_by_pruning_are_no_finding(rng):
    weights = rng.normal(size=(40, 30)) * (rng.random((40, 30)) < 0.5)
    assert not list(DeadRows()(Case((measured("fc.weight", weights),))))


def test_a_lost_expert_is_told_by_its_rows(rng):
    experts = rng.normal(size=(4, 64, 32))
    experts[1] = 0.0
    (finding,) = DeadRows()(Case((measured("mlp.experts.up_proj", experts),)))
    assert "64 of 256 rows and 32 of 128 columns" in finding.message


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("shape", [(8, 6), (8, 6, 3), (8, 6, 3, 3), (8, 1, 3, 3), (5, 8, 6)])
def test_the_sides_are_those_of_the_stored_tensor(shape, groups):
    """Of whatever is all zero, as many rows are dead as there are."""
    weights = np.zeros(shape)
    module = Module("conv2d", shape, groups) if len(shape) == 4 else None
    name = "mlp.experts.up" if shape[0] == 5 else "c.weight"
    found = cut(name, weights, "float64", module)
    assert isinstance(found, Layer)
    made = measure(found, Settings(bootstrap=0)).measurement
    layer = LayerRecord(name, 0, None, found.kind, "float64", shape, "", measured=made)
    dead = (made.metrics["dead_rows"], made.metrics["dead_columns"])
    assert sides(layer) == dead


def test_the_pruned_channels_of_a_real_network_are_named(data):
    path = data / "weights" / "distiller_resnet20" / "ch_regularized_dense.safetensors"
    found = analyze(str(path), intervals=False, mp_fit=False, randomize=False)
    warned = [f for f in DeadRows()(Case(found.layers)) if f.severity is Severity.WARNING]
    assert len(warned) == 7
    assert "0 of 16 rows and 8 of 16 columns" in warned[1].message


def test_healthy_layers_have_none_of_these():
    case = Case((layer("fc1"), layer("fc2", 1)))
    assert not [f for check in CHECKS for f in check()(case)]
