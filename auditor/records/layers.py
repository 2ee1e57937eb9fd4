"""What a layer is, what is measured on it, and how far it is from its baseline."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.records.versions import ModelVersion

FloatArray = NDArray[np.float64]
Matrix = NDArray[np.floating[Any]]  # (rows, cols), float16, float32 or float64


@dataclass(frozen=True, slots=True)
class Module:
    """What is known of the module that holds a tensor, where its architecture is."""

    kind: str  # conv1d, conv2d, conv3d, linear, embedding, rnn, other
    shape: tuple[int, ...]  # that the tensor has there
    groups: int = 1  # of a convolution: parts of the channels that do not mix
    transposed: bool = False  # a convolution from its output back to its input
    position: int | None = None  # in the architecture's own order
    tied: str = ""  # name of the tensor it shares its values with, the first of them


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A tensor as one or more matrices, in memory only while it is measured.

    With the options ``pool=False`` and ``split_qkv`` it is a part of a tensor, and its name
    ends in that part. The slices of a ``lora`` only have the spectra of its matrices, which
    are products of two thin ones; `matrices` makes them.
    """

    name: str
    kind: str  # dense, embedding, head, qkv, rnn, conv1d-3d, convtranspose1d-3d, ...
    dtype: str  # as stored: float32, bfloat16, ...
    shape: tuple[int, ...]  # as stored, of a slice its tensor's; of a lora the product's
    slices: tuple[Matrix, ...]  # each (rows, cols), all of one shape, all finite
    positions: int = 1  # slices, one after the other, that have their rows and columns in common
    part: str = ""  # "[0]" of a slice, "[q]" of a fused projection; empty: the whole tensor
    product: Callable[[], tuple[Matrix, ...]] | None = None  # of a lora

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        """The slices, or what a pair of factors multiplies to: as large as what it changes."""
        return self.product() if self.product else self.slices


PARTS = ("factor of", "codes of", "scale of", "zero point of", "part of")  # of another layer
UNTIMELY = "not measured within the time budget"  # a reason, with the budget behind it
NOT_MATRICES = ("tied to", "integer index", "not selected", *PARTS)  # nothing was left out


@dataclass(frozen=True, slots=True)
class Skip:
    """A tensor that has no spectrum here, and why; still part of the account."""

    name: str
    shape: tuple[int, ...]
    reason: str  # "vector", "scalar", "integer index", "tied to x", "non-finite", "unreadable: ..."
    dtype: str = ""
    read: bool = True  # False: its values were wanted and could not be read or checked
    non_finite: int = 0  # how many values are nan or infinite
    all_zero: bool = False

    @property
    def parameters(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def is_matrix(self) -> bool:
        """Whether its parameters count towards how much of the model was looked at."""
        return len(self.shape) >= 2 and not self.reason.startswith(NOT_MATRICES)

    @property
    def is_untimely(self) -> bool:
        """Whether it was left out for lack of time."""
        return self.reason.startswith(UNTIMELY)


@dataclass(frozen=True, slots=True)
class Trap:
    """A correlation trap: an eigenvalue of the randomised matrix beyond its edge."""

    eigenvalue: float
    edge: float
    entries: tuple[tuple[int, int, float], ...]  # (row, column, value) of what makes it


@dataclass(frozen=True, slots=True)
class Histogram:
    """Densities of eigenvalues on equal bins of log10(eigenvalue), for drawing.

    `density` and `twin` are fractions of all eigenvalues a bin, the random twin's on the
    same bins; eigenvalues of zero are in no bin.
    """

    lo: float  # lower edge of the first bin, an eigenvalue
    hi: float  # upper edge of the last bin
    density: tuple[float, ...]
    twin: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Phase:
    """How far a layer's training has come, by the shape of its spectrum."""

    name: str  # rank-collapse, random-like, heavy-tailed, ..., undetermined
    reason: str  # the numbers it rests on, in one sentence


@dataclass(frozen=True, slots=True)
class Measurement:
    """Every number of one layer. Depends on the tensor's values and the settings only."""

    status: str  # success, zero, too few eigenvalues, no tail
    n: int  # larger side of a matrix
    m: int  # smaller side
    num_evals: int
    metrics: Mapping[str, float]  # column name -> value, nan where undefined
    traps: tuple[Trap, ...] = ()
    spectrum: Histogram | None = None
    phase: Phase | None = None  # None in audits of a time before phases


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What is kept of a layer once its weights are gone."""

    measurement: Measurement
    eigenvalues: tuple[FloatArray, ...]  # of every slice, ascending, in units of weight squared


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """A layer of an audited version with what was measured on it."""

    name: str
    index: int  # position in the model's order, from 0
    block: int | None  # first number in the name
    kind: str
    dtype: str
    shape: tuple[int, ...]  # as stored; of a part its own
    digest: str  # of the tensor: SHA-256 over shape, dtype and C-order bytes; tells parts apart
    measured: Measurement
    verified: bool = True  # its bytes belong to a file whose digest was checked or computed
    values: int | None = None  # stored ones where its shape does not tell: of a pair of factors

    @property
    def parameters(self) -> int:
        """Number of values."""
        return self.values or int(np.prod(self.shape, dtype=np.int64))

    @property
    def metrics(self) -> Mapping[str, float]:
        """Column name -> value, nan where undefined."""
        return self.measured.metrics


@dataclass(frozen=True, slots=True)
class LayerChange:
    """One layer against the same layer of the baseline."""

    name: str
    before: LayerRecord
    distances: Mapping[str, float]  # nan where undefined or where the baseline's bytes are gone


@dataclass(frozen=True)
class Comparison:
    """A version against its baseline; layers matched by name and shape, or equal digest.

    Or by the name that llama.cpp has for them.
    """

    baseline: ModelVersion
    layers: tuple[LayerChange, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()  # (before, after)
    note: str = ""  # which distances are missing and why

    def change(self, name: str) -> LayerChange | None:
        """The comparison of one layer, None where the baseline has no such layer."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, LayerChange]:
        return {layer.name: layer for layer in self.layers}
