"""Under which key a layer's numbers and spectrum are kept."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

from auditor import METRIC_SET
from auditor.records import Layer, LayerRecord, Settings


def measurement_key(layer: Layer, digest: str, settings: Settings) -> str:
    """Same values, same cut, same settings, same metric set: same numbers.

    Parameters
    ----------
    layer
        How it was cut: number and shape of its slices, how many of them are positions of one
        kernel, and whether it is a Conv2d, which the reference's convention scales.
    digest
        Of the layer: of its tensors, their scale, and which part of them it is.
    settings
        Those that choose layers or distances change no number of a layer.
    """
    cut = f"{len(layer.slices)}:{_shape(*layer.slices[0].shape)}:{layer.positions}"
    return _key(digest, f"{cut}:{layer.kind == 'conv2d'}", METRIC_SET, settings)


def possible_keys(layer: LayerRecord, settings: Settings, metric_set: int) -> Iterator[str]:
    """Keys that an audited layer's spectrum can be kept under, one of which is right.

    An audit does not say which side of its matrices is the longer one, nor how many of them
    are positions of one kernel; a few keys cover all that can be.
    """
    n, m = layer.measured.n, layer.measured.m
    count = max(1, layer.measured.num_evals // max(1, m))
    positions = [p for p in range(1, count + 1) if count % p == 0]
    middles = [*(f":{p}" for p in reversed(positions)), ""]  # without: as until metric set 3
    for shape in dict.fromkeys((_shape(n, m), _shape(m, n))):
        for middle in middles:
            cut = f"{count}:{shape}{middle}:{layer.kind == 'conv2d'}"
            yield _key(layer.digest, cut, metric_set, settings)


def _shape(rows: int, cols: int) -> str:
    return f"{rows}x{cols}"


def _key(digest: str, cut: str, metric_set: int, settings: Settings) -> str:
    numeric = replace(settings, layers=(), more_distances=False)
    return sha256(f"{digest}|{cut}|{metric_set}|{numeric!r}".encode()).hexdigest()
