"""A version against its baseline: who is matched with whom, and how far apart they are."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from auditor.records import FloatArray, LayerChange, LayerRecord, Matrix
from auditor.spectral.difference import difference, difference_spectrum
from auditor.spectral.distances import spectral_distances, weight_distances
from auditor.spectral.similarity import cka_distance, subspace_overlap, ww_cka
from auditor.spectral.spectrum import roundoff

WEIGHTS = ("delta_W", "relative", "cosine")
SPECTRA = ("esd_js", "esd_wasserstein", "esd_zeros")
MORE = ("cka_distance", "ww_cka", "subspace_overlap", "delta_rank", "delta_alpha")
ADDED = (
    "delta_rank",
    "delta_alpha",
    "delta_alpha_error",
    "delta_directions",
    "delta_entries",
    "delta_zeroed",
)
SAME = {  # between equal weights; all else is 0
    "ww_cka": 1.0,
    "subspace_overlap": 1.0,
    "delta_alpha": math.nan,
    "delta_alpha_error": math.nan,
}

_Distances = Mapping[str, float]
_Pair = tuple[Sequence[Matrix], Sequence[Matrix]]
_Spectra = tuple[Sequence[FloatArray], Sequence[FloatArray]]


@dataclass(frozen=True, slots=True)
class Sides:
    """Both tensors of a pair, as far as they are at hand; matrices are read on demand."""

    weights: Callable[[], _Pair] | None
    spectra: _Spectra | None


def change(
    before: LayerRecord,
    after: LayerRecord,
    sides: Sides,
    *,
    more: bool = False,
    added: bool = False,
) -> LayerChange:
    """Every distance from `before` to `after` (second minus first).

    Equal digests are distance 0, similarity 1, without a look at the weights. ``delta_W``,
    ``relative``, ``cosine`` and what `more` adds need both weights, ``esd_*`` both spectra;
    they are nan where those are not at hand. ``d_alpha_error`` is the standard error of
    ``d_alpha``.

    Parameters
    ----------
    before, after
        The same layer of two versions.
    sides
        What is at hand of both.
    more
        Also the distances that cost more than all else: ``cka_distance``, ``ww_cka``,
        ``subspace_overlap``, ``delta_rank``, ``delta_alpha``.
    added
        Also what `difference` says of what was added, which costs as much as a layer's own
        spectrum does.
    """
    names = (*WEIGHTS, *SPECTRA, *(MORE if more else ()), *(ADDED if added else ()))
    far: _Distances = dict.fromkeys(names, math.nan)
    if before.digest == after.digest:
        far = {name: SAME.get(name, 0.0) for name in names}
    else:
        if sides.weights:
            pair = sides.weights()
            far = {**far, **weight_distances(*pair)}
            far = {**far, **(_further(before, after, sides, pair) if more else {})}
            far = {**far, **_difference(before, after, pair, more=more, added=added)}
        if sides.spectra:
            far = {**far, **spectral_distances(*sides.spectra, after.measured.n)}
    return LayerChange(after.name, before, {**far, **_differences(before, after)})


def _further(before: LayerRecord, after: LayerRecord, sides: Sides, pair: _Pair) -> _Distances:
    """What `more` adds."""
    tails = _tails(before, after, sides.spectra) if sides.spectra else [0] * len(pair[0])
    return {
        "cka_distance": cka_distance(*pair),
        "ww_cka": ww_cka(*(_turned(slices, after.kind) for slices in pair)),
        "subspace_overlap": subspace_overlap(*pair, tails),
    }


def _difference(
    before: LayerRecord, after: LayerRecord, pair: _Pair, *, more: bool, added: bool
) -> _Distances:
    """What was added, as far as that is wanted."""
    if added:
        return difference(*pair, max(roundoff(before.dtype), roundoff(after.dtype)))
    return difference_spectrum(*pair) if more else {}


def _turned(slices: Sequence[Matrix], kind: str) -> Sequence[Matrix]:
    """Slices as the reference has them: those of convolutions with the longer side first."""
    if not kind.startswith("conv") or slices[0].shape[0] >= slices[0].shape[1]:
        return slices
    return [matrix.T for matrix in slices]


def _tails(before: LayerRecord, after: LayerRecord, spectra: _Spectra) -> list[int]:
    """Of every slice the smaller number of eigenvalues in the tail; none without a tail."""
    xmins = [layer.metrics["xmin"] for layer in (before, after)]
    return [min(map(_at_least, pair, xmins)) for pair in zip(*spectra, strict=True)]


def _at_least(values: FloatArray, limit: float) -> int:
    return int(np.count_nonzero(values >= limit))


def _differences(before: LayerRecord, after: LayerRecord) -> dict[str, float]:
    old, new = before.metrics, after.metrics
    errors = (_alpha_error(before), _alpha_error(after))
    return {
        "d_alpha": new["alpha"] - old["alpha"],
        "d_alpha_error": math.hypot(*errors),
        "d_log_spectral_norm": new["log_spectral_norm"] - old["log_spectral_norm"],
        "d_log_norm": new["log_norm"] - old["log_norm"],
        "d_stable_rank": new["stable_rank"] - old["stable_rank"],
    }


def _alpha_error(layer: LayerRecord) -> float:
    """Standard error of α: half of its interval, in standard deviations, else sigma."""
    low, high = (layer.metrics.get(name, math.nan) for name in ("alpha_lo", "alpha_hi"))
    if math.isfinite(low) and math.isfinite(high):
        return (high - low) / (2.0 * 1.96)
    return layer.metrics["sigma"]


@dataclass(frozen=True, slots=True)
class Matching:
    """Names of layers: in both (with equal shape), only here, only in the baseline."""

    both: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]


def match(after: Mapping[str, tuple[int, ...]], before: Mapping[str, tuple[int, ...]]) -> Matching:
    """Match layers by full name and shape; a changed shape is a layer gone and one come."""
    both = tuple(name for name in after if before.get(name) == after[name])
    paired = set(both)
    return Matching(
        both=both,
        added=tuple(name for name in after if name not in paired),
        removed=tuple(name for name in before if name not in paired),
    )


def renames(added: Mapping[str, str], removed: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """(before, after) names of layers whose digests agree; each digest is used once.

    Parameters
    ----------
    added, removed
        Layer name -> tensor digest of the layers without a match by name.
    """
    free = {digest: name for name, digest in removed.items()}
    pairs = []
    for name, digest in added.items():
        if digest in free:
            pairs.append((free.pop(digest), name))
    return tuple(pairs)
