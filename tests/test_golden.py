"""The convention ``weightwatcher`` against the reference tool's own tables, on real weights.

Where the two differ on purpose the test names the fault of the reference; the list is in
`FAULTS`, and a layer is let off only for the columns that its fault touches.
"""

import csv
import math
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from auditor.audit import measure
from auditor.records import Layer, Settings
from auditor.spectral.matrices import cut

pytestmark = pytest.mark.data

REFERENCE = Settings(convention="weightwatcher", bootstrap=0)
MODELS = [
    "distiller_resnet20/4D_regularized_5Lremoved",
    "distiller_resnet20/4D_regularized_5Lremoved_finetuned",
    "distiller_resnet20/ch_regularized_dense",
    "distiller_resnet20/channel_regularized_resnet20",
    "distiller_resnet20/channel_regularized_resnet20_finetuned",
    "distiller_resnet20/dense",
    "dtln/dtln_norm_40h",
    "kws_mcu/CNN_S",
    "kws_mcu/DNN_S",
    "kws_mcu/DS_CNN_S",
    "kws_mcu/GRU_S",
    "mlperf_tiny/ad_autoencoder",
    "mlperf_tiny/ic_resnet8",
    "resnet_cifar10/resnet20",
    "resnet_cifar10/resnet56",
    "silero_vad/v5_2024-06",
    "silero_vad/v5_half_fp16",
    "stories260k/stories260K",
    "ulfd_trajectory/RFB_epoch000",
    "ulfd_trajectory/RFB_epoch040",
    "ulfd_trajectory/RFB_epoch499",
]
COUNTS = {"N", "M", "num_evals", "matrix_rank", "rank_loss", "weak_rank_loss", "num_pl_spikes"}
FITTED = {"alpha", "D", "xmin", "xmax", "sigma", "num_pl_spikes", "alpha_weighted"}
NORMS = {"norm", "log_norm", "spectral_norm", "log_spectral_norm", "lambda_max", "sv_max"}
COLUMNS = COUNTS | FITTED | NORMS | {"log_alpha_norm", "stable_rank", "entropy", "sv_min"}
TOLERANCES = dict.fromkeys(COUNTS, 0.0) | {"sv_min": 1e-6}  # as small as 1e-6 of sv_max

FAULTS = {
    "failed fit is -1, logs of zero are infinite": FITTED
    | {"log_norm", "log_spectral_norm", "log_alpha_norm"},
    "sv_min of a convolution is not the smallest": {"sv_min"},
    "a depthwise convolution is cut into vectors": COLUMNS,
}


def table(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        return {row["longname"]: row for row in csv.DictReader(lines)}


def layers(path: Path) -> dict[str, Layer]:
    """The analysed tensors by the name that the reference gives them."""
    cuts = [cut(name, array, array.dtype.name) for name, array in load_file(path).items()]
    return {part.name.removesuffix(".weight"): part for part in cuts if isinstance(part, Layer)}


def faulty(layer: Layer) -> set[str]:
    """Columns in which the reference is wrong for this layer."""
    names = set()
    if not any(matrix.any() for matrix in layer.slices):
        names.add("failed fit is -1, logs of zero are infinite")
    if len(layer.shape) > 2:
        names.add("sv_min of a convolution is not the smallest")
    if layer.kind == "depthwise":
        names.add("a depthwise convolution is cut into vectors")
    return set().union(*(FAULTS[name] for name in names))


def ours(layer: Layer) -> dict[str, float]:
    measured = measure(layer, REFERENCE).measurement
    shape = {"N": measured.n, "M": measured.m, "num_evals": measured.num_evals}
    return {**measured.metrics, **shape}


@pytest.mark.parametrize("model", MODELS)
def test_agrees_with_the_reference_on(model, data):
    rows = table(data / "golden" / f"{model}__default.csv")
    found = layers(data / "weights" / f"{model}.safetensors")
    assert rows.keys() <= found.keys()
    for name, row in rows.items():
        values = ours(found[name])
        for column in sorted(COLUMNS - faulty(found[name])):
            theirs = float(row[column] or "nan")
            tolerance = TOLERANCES.get(column, 1e-9)
            assert values[column] == pytest.approx(theirs, rel=tolerance, abs=0, nan_ok=True), (
                f"{name}: {column}"
            )


def test_a_layer_of_zeros_is_no_over_trained_layer(data):
    model = "distiller_resnet20/4D_regularized_5Lremoved"
    rows = table(data / "golden" / f"{model}__default.csv")
    found = layers(data / "weights" / f"{model}.safetensors")
    failed = [name for name, row in rows.items() if row["status"] == "failed"]
    assert len(failed) == 5
    for name in failed:
        measurement = measure(found[name], REFERENCE).measurement
        assert (rows[name]["alpha"], rows[name]["warning"]) == ("-1.0", "over-trained")
        assert measurement.status == "zero"
        assert measurement.metrics["norm"] == 0.0
        assert not math.isfinite(measurement.metrics["alpha"])
        assert math.isnan(measurement.metrics["log_spectral_norm"])
