"""A version against its baseline: who is matched with whom, and how far apart they are."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from auditor.records import FloatArray, LayerChange, LayerRecord, Matrix
from auditor.spectral.distances import spectral_distances, weight_distances

WEIGHTS = ("delta_W", "relative", "cosine")
SPECTRA = ("esd_js", "esd_wasserstein", "esd_zeros")


@dataclass(frozen=True, slots=True)
class Sides:
    """Both tensors of a pair, as far as they are at hand; matrices are read on demand."""

    weights: Callable[[], tuple[Sequence[Matrix], Sequence[Matrix]]] | None
    spectra: tuple[Sequence[FloatArray], Sequence[FloatArray]] | None


def change(before: LayerRecord, after: LayerRecord, sides: Sides) -> LayerChange:
    """Every distance from `before` to `after` (second minus first).

    Equal digests are distance 0 without a look at the weights. ``delta_W``, ``relative``
    and ``cosine`` need both weights, ``esd_*`` both spectra; they are nan where those are
    not at hand. ``d_alpha_error`` is the standard error of ``d_alpha``.
    """
    far: Mapping[str, float] = dict.fromkeys((*WEIGHTS, *SPECTRA), math.nan)
    if before.digest == after.digest:
        far = dict.fromkeys(far, 0.0)
    else:
        if sides.weights:
            far = {**far, **weight_distances(*sides.weights())}
        if sides.spectra:
            far = {**far, **spectral_distances(*sides.spectra, after.measured.n)}
    return LayerChange(after.name, before, {**far, **_differences(before, after)})


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
