"""Which models are of one architecture."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auditor import METRIC_SET
from auditor.naming import module
from auditor.records import LayerRecord, Profile, Settings

CONVOLUTIONS = ("conv", "depthwise")  # their kinds begin so; a kernel is behind two axes


@dataclass(frozen=True, slots=True)
class Member:
    """One audit a profile was built from."""

    source: str
    model: str
    version: str
    audit: str  # its id
    weights: str  # their digest


@dataclass(frozen=True, slots=True)
class Family:
    """A profile, and the models it is for."""

    profile: Profile
    modules: tuple[str, ...]  # what `family` says of them
    metric_set: int
    convention: str
    members: tuple[Member, ...]


def family(layers: Iterable[LayerRecord]) -> tuple[str, ...]:
    """The kinds of modules a model is made of, sorted: the same for any depth and width.

    A module is its name with ``#`` for every number, its kind, and the size of its kernel.
    """
    return tuple(sorted({_module(layer) for layer in layers}))


def fitting(
    families: Sequence[Family], layers: Sequence[LayerRecord], settings: Settings
) -> Profile | None:
    """The first profile that is for models with these layers, measured like these; else None."""
    modules = family(layers)
    for one in families:
        alike = (one.metric_set, one.convention) == (METRIC_SET, settings.convention)
        if one.modules == modules and alike:
            return one.profile
    return None


def _module(layer: LayerRecord) -> str:
    is_convolution = layer.kind.startswith(CONVOLUTIONS)
    kernel = "×".join(map(str, layer.shape[2:])) if is_convolution else ""
    return f"{module(layer.name)} {layer.kind} {kernel}".rstrip()
