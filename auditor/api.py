"""The Python API: ``auditor.analyze(model)`` gives the layer table of anything with weights."""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from auditor import document
from auditor.config.options import Options, chosen
from auditor.errors import UsageError
from auditor.measuring import Bench, Progress, measure_version, quiet
from auditor.memory import Passing
from auditor.policy import MIN_COVERAGE
from auditor.records import LayerRecord, Reading, Settings, Skip
from auditor.refs import find
from auditor.weights import Inventory, opened
from auditor.weights.tensors import Tensor, is_decodable

if TYPE_CHECKING:
    import pandas as pd

MEMORY = 8 * 1024**3
MEANS = (  # what the reference's summary has, by its names
    *("log_norm", "alpha", "alpha_weighted", "log_alpha_norm", "log_spectral_norm"),
    *("stable_rank", "mp_softrank"),
)


@dataclass(frozen=True, slots=True)
class Analysis:
    """Every layer of a model with everything measured on it; no judgement."""

    layers: tuple[LayerRecord, ...]
    skipped: tuple[Skip, ...]
    reading: Reading
    settings: Settings

    @property
    def details(self) -> "pd.DataFrame":
        """One row per layer, in model order, with the reference tool's column names.

        Undefined values are NaN; `status` says why.
        """
        import pandas as pd  # noqa: PLC0415 - slow to import, and only needed here

        rows = [_row(layer) for layer in self.layers]
        return pd.DataFrame(rows, columns=list(rows[0]) if rows else ["name"])

    def summary(self) -> dict[str, Any]:
        """Mean, median and percentiles of each metric over the layers where it is defined.

        In the convention ``weightwatcher``: the reference's plain means, by its names.
        """
        found = document.summary(self.layers)
        if self.settings.convention == "weightwatcher":
            return {name: found[name]["mean"] for name in MEANS if name in found}
        return found

    def to_dict(self) -> dict[str, Any]:
        """What ``auditor analyze --json`` prints."""
        return {
            **document.table(self.layers, self.skipped),
            "analyzer": document.analyzer(self.settings),
        }

    @property
    def complete(self) -> bool:
        """Whether every file was parsed and nearly all parameters of matrices were read."""
        share = document.share_read(self.layers, self.skipped)
        return not self.reading.failures and share >= MIN_COVERAGE


def analyze(  # noqa: PLR0913 - the options of the public API, by keyword
    model: object,
    *,
    convention: str = "auditor",
    layers: Sequence[str] = (),
    intervals: bool = False,
    bootstrap: int = 100,
    goodness_of_fit: bool = False,
    mp_fit: bool = False,
    randomize: bool = False,
    detX: bool = False,
    vectors: bool = False,
    cumulants: bool = False,
    pool: bool = True,
    split_qkv: bool = False,
    fit: str = "PL",
    fix_fingers: str | None = None,
    xmax: float | str | None = None,
    min_evals: int = 8,
    min_tail: int = 8,
    precision: str = "float64",
    seed: int = 0,
    progress: Progress = quiet,
) -> Analysis:
    """Measure every layer of a model.

    Parameters
    ----------
    model
        A ``torch.nn.Module``, a state dict (name -> tensor or array), the path of a weight
        file or folder, or a reference such as ``models:/digits/3``. Nothing of it is changed
        or executed.
    convention
        ``auditor``, or ``weightwatcher`` for numbers that agree with the reference tool's.
    layers
        Patterns of the tensors to analyse, such as ``h.*.mlp.*``; those after ``!`` are left
        out. None: all.
    intervals
        Also the 95 % interval of α, by refitting resampled spectra.
    bootstrap
        How many of them.
    goodness_of_fit
        Also, with intervals, the plausibility of every layer's power law and its likelihood
        against a truncated power law, a lognormal and an exponential.
    mp_fit
        Also the Marchenko-Pastur bulk and its spikes.
    randomize
        Also the random twin of every layer and its correlation traps.
    detX
        Also where the product of the eigenvalues is 1, and how far from the tail that is.
    vectors
        Also entropy and localisation of the singular vectors of bulk and tail.
    cumulants
        Also free cumulants and log capacities.
    pool
        False: every slice of a convolution or stack of experts is a layer of its own.
    split_qkv
        True: fused query, key and value are three layers.
    fit
        ``PL``, or ``TPL`` for a power law with an exponential cut-off.
    fix_fingers
        ``clip_xmax`` drops single large eigenvalues, ``xmin_peak`` looks for the beginning of
        the tail near the peak of the spectrum.
    xmax
        Where the tail ends: an eigenvalue, or ``force`` for the largest one.
    min_evals
        Layers with fewer eigenvalues get no power-law fit.
    min_tail
        Fewest eigenvalues of a tail.
    precision
        ``float64``, or ``float32`` for eigenvalues in half the memory and fewer digits.
    seed
        Of everything drawn at random.
    progress
        Called as ``progress(done, total, name)`` after every tensor.

    Raises
    ------
    UsageError
        If `model` is nothing that has weights, an option does not fit, or no layer is called
        as `layers` asks.
    """
    given = {name: value for name, value in locals().items() if name in Options.model_fields}
    settings = chosen(given).settings
    bench = Bench(Passing(), settings, MEMORY, None, progress)
    with _inventory(model) as inventory:
        measured = measure_version(inventory, None, bench)
        return Analysis(measured.layers, measured.skipped, inventory.reading, settings)


@contextmanager
def _inventory(model: object) -> Iterator[Inventory]:
    if isinstance(model, str | os.PathLike):
        named = find(os.fspath(model), None)
        with opened(named.files(), named.version.uri) as inventory:
            yield inventory
        return
    if hasattr(model, "state_dict") and not isinstance(model, type):
        model = model.state_dict()
    if not isinstance(model, Mapping):
        raise UsageError(
            f"found a {type(model).__name__}; expected a torch module, a state dict, "
            "a path or a models:/ reference"
        )
    inventory = _in_memory(model)
    if not inventory.tensors:
        raise UsageError(
            f"found a mapping without one array that can be read, its keys are {_few(model)}; "
            "expected names and tensors: of a checkpoint, pass the state dict inside"
        )
    yield inventory


def _few(state: Mapping[str, Any]) -> str:
    shown = [repr(name)[:40] for name in list(state)[:5]]
    return ", ".join(shown) + (" …" if len(state) > 5 else "") if shown else "none"


def _in_memory(state: Mapping[str, Any]) -> Inventory:
    """Tensors of a state dict; those that share their memory are counted once."""
    if len({str(name) for name in state}) < len(state):
        raise UsageError("two keys of the state dict are the same as text; rename one of them")
    tensors: list[Tensor] = []
    skipped: list[Skip] = []
    first: dict[tuple[object, ...], str] = {}
    for name, value in state.items():
        tensor = _tensor(str(name), value)
        if tensor is None:
            reason = f"unreadable: a {_kind(value)} is no plain array in memory"
            shape = tuple(getattr(value, "shape", ()))
            skipped.append(Skip(str(name), shape, reason, read=False))
            continue
        place = _place(value)
        if tensor.nbytes and place in first:
            skipped.append(Skip(tensor.name, tensor.shape, f"tied to {first[place]}", tensor.dtype))
            continue
        first[place] = tensor.name
        tensors.append(tensor)
    total = sum(tensor.nbytes for tensor in tensors)
    return Inventory(tuple(tensors), tuple(skipped), Reading(files=(), bytes_read=total))


def _place(value: Any) -> tuple[object, ...]:  # noqa: ANN401 - a tensor or an array
    if hasattr(value, "data_ptr"):
        return value.data_ptr(), tuple(value.shape), tuple(value.stride()), value.dtype
    return value.ctypes.data, value.shape, value.strides, value.dtype


def _tensor(name: str, value: Any) -> Tensor | None:  # noqa: ANN401 - whatever a dict may hold
    """A dense array with values; None for what is sparse, quantised, on no device, or no array."""
    if hasattr(value, "data_ptr"):
        dtype = str(value.dtype).removeprefix("torch.")
        dense = str(value.layout) == "torch.strided" and value.device.type != "meta"
        read: Callable[[], bytes] = partial(_torch_bytes, value)
    elif isinstance(value, np.ndarray):
        dtype, dense = value.dtype.name, True
        read = partial(_numpy_bytes, value)
    else:
        return None
    if not dense or not is_decodable(dtype):
        return None
    return Tensor(name, tuple(value.shape), dtype, "", read)


def _kind(value: object) -> str:
    """What a value is, with the element type and layout of an array."""
    parts = (getattr(value, part, None) for part in ("dtype", "layout", "device"))
    return " ".join([type(value).__name__, *(str(part) for part in parts if part is not None)])


def _torch_bytes(value: Any) -> bytes:  # noqa: ANN401 - torch is not imported here
    flat = value.detach().cpu().contiguous().reshape(-1)
    import torch  # noqa: PLC0415 - the caller has it

    return bytes(flat.view(torch.uint8).numpy())


def _numpy_bytes(value: np.ndarray[Any, Any]) -> bytes:
    return value.astype(value.dtype.newbyteorder("<")).tobytes()


def _row(layer: LayerRecord) -> dict[str, Any]:
    measured = layer.measured
    return {
        "layer_id": layer.index,
        "name": layer.name.rpartition(".")[0].rpartition(".")[2] or layer.name,
        "longname": layer.name.removesuffix(".weight"),
        "layer_type": layer.kind,
        "N": measured.n,
        "M": measured.m,
        "Q": measured.n / measured.m,
        "num_evals": measured.num_evals,
        "rf": math.prod(layer.shape[2:]) if layer.kind.startswith("conv") else 1,
        "has_esd": True,
        "status": measured.status,
        **measured.metrics,
    }
