"""Kinds of tensors: how one is made, what is wrong with it, and which check should say so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.calibration import matrices
from benchmarks.calibration.matrices import Array, Make, Rng, tensor
from benchmarks.calibration.shapes import Dims, num_evals

LAYER = "fc.weight"
KIN = 12  # layers of a model whose blocks are alike
SPREAD = 0.05  # of their scales: standard deviation of log10
SMALL = 127  # the most eigenvalues of a layer of such a model
TUNED = 0.05  # fine-tuning changes a layer by so much of its norm


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A version, its baseline if there is one, and the layers of it that count."""

    after: Mapping[str, Array]
    before: Mapping[str, Array] | None = None
    subjects: tuple[str, ...] = (LAYER,)
    entries: frozenset[tuple[int, int]] = frozenset()  # (row, column) of what was planted


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of tensors."""

    name: str
    group: str
    make: Callable[[Rng, Dims], Trial]
    expects: str = ""  # the check that should fire; "" for none
    share: float = 0.25  # of the draws that the first null kinds get
    largest: int | None = None  # eigenvalues a layer may have; None: any
    narrowest: int = 1  # smaller side that a slice must have

    def fits(self, dims: Dims) -> bool:
        """Whether the kind exists in this shape."""
        small_enough = self.largest is None or num_evals(dims) <= self.largest
        return small_enough and min(dims[:2]) >= self.narrowest


def _alone(rng: Rng, dims: Dims, *, make: Make) -> Trial:
    return Trial({LAYER: tensor(rng, dims, make)})


def _halved(rng: Rng, dims: Dims, *, make: Make) -> Trial:
    """Stored in half precision."""
    return Trial({LAYER: tensor(rng, dims, make).astype(np.float16)})


def _retrained(rng: Rng, dims: Dims, *, make: Make) -> Trial:
    """The same from another seed."""
    return Trial({LAYER: tensor(rng, dims, make)}, {LAYER: tensor(rng, dims, make)})


def _tuned(rng: Rng, dims: Dims, *, make: Make) -> Trial:
    before = tensor(rng, dims, make)
    return Trial({LAYER: matrices.fine_tuned(rng, before, relative=TUNED)}, {LAYER: before})


def _trapped(rng: Rng, dims: Dims, *, make: Make, strength: float) -> Trial:
    after, entries = matrices.with_huge_entries(rng, tensor(rng, dims, make), strength=strength)
    return Trial({LAYER: after}, entries=entries)


def _compressed(rng: Rng, dims: Dims, *, rank_share: float) -> Trial:
    """A layer and what is left of it at a lower rank."""
    before = tensor(rng, dims, matrices.power_law(3.0))
    slices = np.moveaxis(before.reshape(*dims[:2], -1), 2, 0).astype(np.float64)
    left, sizes, right = np.linalg.svd(slices, full_matrices=False)
    kept = matrices.kept(sizes.shape[1], rank_share)
    found = (left[:, :, :kept] * sizes[:, None, :kept]) @ right[:, :kept]
    after = np.moveaxis(found, 0, 2).reshape(dims).astype(before.dtype)
    return Trial({LAYER: after}, {LAYER: before})


def _scaled(rng: Rng, dims: Dims, *, factor: float) -> Trial:
    tuned = _tuned(rng, dims, make=matrices.power_law(3.0))
    return Trial({LAYER: tuned.after[LAYER] * np.float32(factor)}, tuned.before)


def _blocks(rng: Rng, dims: Dims, *, make: Make, factor: float = 1.0) -> Trial:
    """A model of twelve alike blocks; with a factor, one of them is scaled by it."""
    scales = 10.0 ** rng.normal(scale=SPREAD, size=KIN)
    chosen = int(rng.integers(KIN))
    scales[chosen] *= factor
    after = {
        f"h.{i}.{LAYER}": tensor(rng, dims, make) * np.float32(scale)
        for i, scale in enumerate(scales)
    }
    names = tuple(after)
    return Trial(after, subjects=names if factor == 1.0 else (names[chosen],))


def _zeroed(rng: Rng, dims: Dims) -> Trial:
    before = tensor(rng, dims, matrices.power_law(3.0))
    return Trial({LAYER: np.zeros_like(before)}, {LAYER: before})


def _diverged(rng: Rng, dims: Dims) -> Trial:
    """One value of all is nan."""
    array = tensor(rng, dims, matrices.power_law(3.0))
    array[np.unravel_index(int(rng.integers(array.size)), dims)] = np.nan
    return Trial({LAYER: array})


SHIFTED = "Gaussian with a mean"  # one spike a slice is the mean's
INDEPENDENT: Mapping[str, Make] = {
    "Gaussian": matrices.gaussian,
    "uniform": matrices.uniform,
    "truncated Gaussian": matrices.truncated,
    SHIFTED: matrices.shifted,
}
HEAVY = matrices.power_law(3.0)
ALIKE = partial(matrices.spiked, strength=4.0)
KINDS: tuple[Kind, ...] = (
    *(
        Kind(name, "null", partial(_alone, make=make), "random_like", share=1.0)
        for name, make in INDEPENDENT.items()
    ),
    Kind("Gaussian in float16", "null", partial(_halved, make=matrices.gaussian), "random_like"),
    Kind(
        "Gaussian, another seed before",
        "null",
        partial(_retrained, make=matrices.gaussian),
        "random_like",
    ),
    Kind(
        "Gaussian, twelve blocks",
        "null",
        partial(_blocks, make=matrices.gaussian),
        "random_like",
        share=0.1,
        largest=SMALL,
    ),
    Kind("Student's t, 5 degrees", "other", partial(_alone, make=matrices.student)),
    Kind("orthogonal", "other", partial(_alone, make=matrices.orthogonal)),
    *(
        Kind(
            f"three directions at {strength:g} ×",
            "learned",
            partial(_alone, make=partial(matrices.spiked, strength=strength)),
        )
        for strength in (2.0, 4.0)
    ),
    *(
        Kind(f"α = {alpha:g}", "heavy", partial(_alone, make=matrices.power_law(alpha)), expected)
        for alpha, expected in (
            *((1.5, "over_trained"), (2.0, ""), (3.0, ""), (4.0, ""), (6.0, "")),
            (8.0, "under_trained"),
        )
    ),
    Kind("α = 3, fine-tuned", "heavy", partial(_tuned, make=HEAVY)),
    Kind("α = 3, another seed before", "heavy", partial(_retrained, make=HEAVY), "large_change"),
    *(
        Kind(
            f"{strength:g} × in {where}",
            "trap",
            partial(_trapped, make=make, strength=strength),
            "correlation_traps",
        )
        for where, make in (("Gaussian", matrices.gaussian), ("α = 3", HEAVY))
        for strength in (1.5, 2.0, 4.0, 8.0)
    ),
    Kind(
        "5 % of the rank, no baseline",
        "rank",
        partial(_alone, make=matrices.power_law(3.0, rank_share=0.05)),
        "rank_collapse",
        narrowest=16,  # one direction of fewer is more than a tenth
    ),
    *(
        Kind(
            f"{100 * share:g} % of the rank",
            "rank",
            partial(_compressed, rank_share=share),
            expected,
        )
        for share, expected in ((0.05, "rank_collapse"), (0.5, "rank_collapse"), (0.9, ""))
    ),
    *(
        Kind(f"× {factor:g}", "scale", partial(_scaled, factor=factor), expected)
        for factor, expected in (
            *((0.1, "scale_collapse"), (0.3, "scale_collapse"), (0.5, "")),
            *((2.0, ""), (3.5, "scale_explosion"), (10.0, "scale_explosion")),
        )
    ),
    *(
        Kind(
            f"× {factor:g}, one of twelve {blocks}",
            "scale",
            partial(_blocks, make=make, factor=factor),
            expected,
            share=0.1,
            largest=SMALL,
        )
        for factor, blocks, make, expected in (
            (0.1, "alike", ALIKE, "scale_collapse"),
            (0.3, "alike", ALIKE, "scale_collapse"),
            (10.0, "alike", ALIKE, "scale_explosion"),
            (0.1, "of α = 3", HEAVY, "scale_collapse"),
            (10.0, "of α = 3", HEAVY, "scale_explosion"),
        )
    ),
    Kind("all zero", "values", _zeroed, "all_zero", share=0.1),
    Kind("one value is nan", "values", _diverged, "non_finite", share=0.1),
)
BY_NAME: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}
