"""Real models: what is found in them alone, and against a version they came from."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from auditor.given import inventory_of
from benchmarks.calibration import reference
from benchmarks.calibration.auditing import Outcome, examine, outcome
from benchmarks.calibration.reference import Flags

BASELINES = {  # within one set
    "distiller_resnet20/ch_regularized_dense": "dense",
    "distiller_resnet20/channel_regularized_resnet20_finetuned": "channel_regularized_resnet20",
    "distiller_resnet20/4D_regularized_5Lremoved_finetuned": "4D_regularized_5Lremoved",
    "ulfd_trajectory/RFB_epoch040": "RFB_epoch000",
    "ulfd_trajectory/RFB_epoch499": "RFB_epoch040",
}
READABLE = (2, 3, 4)  # dimensions of a weight that the reference has a layer for


def models(data: Path) -> Iterator[str]:
    """Every model under the folder of real weights: set/file."""
    for path in sorted(data.glob("weights/*/*.safetensors")):
        yield f"{path.parent.name}/{path.stem}"


def audit(data: Path, name: str) -> list[Outcome]:
    """What an audit without a baseline says about every layer of a model."""
    with inventory_of(_path(data, name)) as inventory:
        found = examine(inventory, None)
    return [outcome(layer, found) for layer in found.layers]


def compare(data: Path, name: str) -> list[Outcome]:
    """The same with the model's entry in `BASELINES` as its baseline."""
    before = _path(data, name).with_stem(BASELINES[name])
    with inventory_of(_path(data, name)) as inventory, inventory_of(before) as baseline:
        found = examine(inventory, baseline)
    return [outcome(layer, found) for layer in found.layers]


def flags(data: Path, name: str) -> Mapping[str, Flags]:
    """What the reference says about every layer that it reads, seed 0."""
    arrays = {
        key: array.astype(np.float32)
        for key, array in load_file(_path(data, name)).items()
        if array.ndim in READABLE and array.dtype.kind == "f"
    }
    return reference.flags(arrays, 0)


def _path(data: Path, name: str) -> Path:
    return data / "weights" / f"{name}.safetensors"
