"""Adapters: the two thin factors of a change, alone or added to the weight they change."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.architecture import Architecture
from auditor.architecture.configs import Adapter
from auditor.measuring.targets import find_targets
from auditor.measuring.unit import (
    Read,
    Unit,
    Values,
    Weight,
    as_layer,
    combined,
    skipped,
    weight_of,
)
from auditor.records import Layer, Skip
from auditor.spectral import lora
from auditor.spectral.matrices import non_finite_values
from auditor.weights import Tensor

NAMES = (  # what the names of A and B differ in, one family of tools a row
    ("lora_A", "lora_B"),
    ("lora_embedding_A", "lora_embedding_B"),
    ("lora_down", "lora_up"),
    ("lora.down", "lora.up"),
    (":down", ":up"),
)
TURNED = "lora_embedding_"  # factors of a weight that is stored as (in, out)
BEHIND = re.compile(r"(?P<adapter>(?:\.(?!weight$)[^.]+)?)(?:\.weight)?")  # a factor's name
SAVED = re.compile(r"\.modules_to_save(?:\.[^.]+(?=\.))?")  # whole weights beside the factors
BETWEEN = (".lora_mid.weight", ".dora_scale")  # a third factor, a norm of another kind
Find = Callable[[str], Unit | None]


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """A pair of factors, and what lies beside them."""

    name: str  # of their layer, where they are alone
    module: str  # that they change
    shape: tuple[int, ...]  # of their product
    down: Tensor
    up: Tensor
    alpha: Tensor | None
    magnitudes: Tensor | None  # lengths of the outputs' weights: DoRA
    adapter: Adapter

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of them."""
        beside = (self.alpha, self.magnitudes)
        return (self.down, self.up, *(tensor for tensor in beside if tensor))

    def skips(self, name: str) -> tuple[Skip, ...]:
        """The account of its tensors as parts of the layer `name`."""
        reasons = {self.down.name: "factor of", self.up.name: "factor of"}
        return tuple(skipped(t, f"{reasons.get(t.name, 'scale of')} {name}") for t in self.tensors)


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """The values of factors that are fit for a product."""

    down: NDArray[Any]
    up: NDArray[Any]
    scale: float
    digest: str


def factors_of(tensors: Mapping[str, Tensor], architecture: Architecture) -> list[Factors]:
    """Every pair of factors that fit together; no tensor and no name is in two of them."""
    used: set[str] = set()
    found = []
    for pair in _pairs(tensors, architecture):
        names = {tensor.name for tensor in pair.tensors}
        if not used & names and pair.name not in used | tensors.keys():
            used |= {pair.name, *names}
            found.append(pair)
    return found


def adapted(
    pairs: Sequence[Factors], own: Mapping[str, Unit], baseline: Iterable[Unit]
) -> Iterator[Unit]:
    """A unit for every pair, and for every weight that an adapter replaces as a whole.

    Parameters
    ----------
    pairs
        From `factors_of`.
    own
        The other weights of the version, by name: what they change is looked for here first.
    baseline
        The weights of the baseline: here last. Where several pairs change one weight, or
        what is found does not fit, a pair is a layer of its own.
    """
    finders: tuple[tuple[Find, bool], ...] = (
        (find_targets(own.values()), False),
        (find_targets(baseline), True),
    )
    for find, is_on_baseline in finders:
        found = [(pair, find(_called(pair.module, pair.down))) for pair in pairs]
        times = Counter(unit.name for _, unit in found if unit)
        fitting = [
            (pair, unit)
            for pair, unit in found
            if unit and times[unit.name] == 1 and _turned(pair, unit) is not None
        ]
        for pair, unit in fitting:
            yield _added(pair, unit, is_on_baseline=is_on_baseline)
        done = {pair.name for pair, _ in fitting}
        pairs = [pair for pair in pairs if pair.name not in done]
    yield from map(_alone, pairs)
    yield from _replaced(own, finders[1][0])


def _pairs(tensors: Mapping[str, Tensor], architecture: Architecture) -> Iterator[Factors]:
    for name, down in tensors.items():
        module, up_name, suffix = _counterpart(name)
        up = tensors.get(up_name) if up_name else None
        shape = lora.product_shape(down.shape, up.shape) if up else None
        if up is None or shape is None:
            continue
        adapter = architecture.adapter(down)
        magnitudes = _magnitudes(tensors, module, suffix)
        is_more = any(module + end in tensors for end in BETWEEN)
        if is_more or (magnitudes and math.prod(magnitudes.shape) != shape[0]):
            adapter = replace(adapter, is_addable=False)
        yield Factors(
            name=f"{module}.lora{suffix}",
            module=module,
            shape=shape,
            down=down,
            up=up,
            alpha=_beside(tensors, f"{module}.alpha"),
            magnitudes=magnitudes,
            adapter=adapter,
        )


def _counterpart(name: str) -> tuple[str, str, str]:
    """Module, name of the other factor and which adapter; empty for what is no first factor."""
    for one, other in NAMES:
        head, found, tail = name.rpartition(one)
        behind = BEHIND.fullmatch(tail)
        if found and head and behind:
            return head.rstrip("._"), f"{head}{other}{tail}", behind["adapter"]
    return "", "", ""


def _magnitudes(tensors: Mapping[str, Tensor], module: str, suffix: str) -> Tensor | None:
    name = f"{module}.lora_magnitude_vector{suffix}"
    return _beside(tensors, name) or _beside(tensors, f"{name}.weight")


def _beside(tensors: Mapping[str, Tensor], name: str) -> Tensor | None:
    """A tensor of real numbers, one at least."""
    found = tensors.get(name)
    return found if found and found.nbytes and not found.dtype.startswith("complex") else None


def _called(module: str, tensor: Tensor) -> str:
    """A module's name without that of its file, which tells files of equal names apart."""
    return module.removeprefix(f"{tensor.file}:")


# --- alone --------------------------------------------------------------------------------


def _alone(pair: Factors) -> Unit:
    thin = (math.prod(pair.shape[1:]), pair.down.shape[0])
    return Unit(
        name=pair.name,
        shape=pair.shape,
        tensors=pair.tensors,
        read=partial(_read_alone, pair),
        like=replace(pair.down, name=pair.name, shape=thin, dtype="float64", read_as=""),
        values=math.prod(pair.down.shape) + math.prod(pair.up.shape),
    )


def _read_alone(pair: Factors) -> Read:
    """The layer of two factors; if one of them is unfit, both are skipped."""
    fit = _fit(pair, pair.name)
    if isinstance(fit, tuple):
        return Read("", None, fit)
    skips = pair.skips(pair.name)
    slices = lora.thin(fit.down, fit.up, fit.scale)
    if bad := sum(map(non_finite_values, slices)):
        broken = replace(skips[1], reason="non-finite", non_finite=bad)
        return Read("", None, (skips[0], broken, *skips[2:]))
    product = partial(lora.dense, fit.down, fit.up, fit.scale)
    layer = Layer(pair.name, "lora", pair.down.dtype, pair.shape, slices, product=product)
    return Read(fit.digest, layer, skips)


def _fit(pair: Factors, name: str) -> _Fit | tuple[Skip, ...]:
    """The values of the factors of a layer; the skips of their tensors if one of them is unfit."""
    weights = [weight_of(tensor) for tensor in (pair.down, pair.up)]
    down, up = found = [weight.values() for weight in weights]
    parts = [as_layer(weight, values) for weight, values in zip(weights, found, strict=True)]
    if not all(part.layer for part in parts):
        skips = pair.skips(name)
        unfit = (part.skips or (skip,) for part, skip in zip(parts, skips, strict=False))
        return (*chain.from_iterable(unfit), *skips[2:])
    alpha = float(pair.alpha.array(pair.alpha.read()).flat[0]) if pair.alpha else None
    scale = pair.adapter.scale(pair.module, pair.down.shape[0], alpha)
    digest = combined("lora", *(part.digest for part in parts), repr(scale))
    return _Fit(np.asarray(down.array), np.asarray(up.array), scale, digest)


# --- added to a weight --------------------------------------------------------------------


def _turned(pair: Factors, unit: Unit) -> bool | None:
    """Whether the weight is stored as (in, out); None where the pair cannot be added to it."""
    straight, turned = unit.shape == pair.shape, unit.shape == pair.shape[::-1]
    is_flat = len(pair.shape) == 2
    if not pair.adapter.is_addable or not (straight or (turned and is_flat)):
        return None
    if straight and turned and is_flat:
        return pair.adapter.is_transposed or TURNED in pair.down.name
    return not straight


def _added(pair: Factors, unit: Unit, *, is_on_baseline: bool) -> Unit:
    return Unit(
        name=unit.name,
        shape=unit.shape,
        tensors=pair.tensors if is_on_baseline else (*unit.tensors, *pair.tensors),
        read=partial(_read_added, pair, unit, is_on_baseline=is_on_baseline),
        like=Tensor(unit.name, unit.shape, "float64", pair.down.file, pair.down.read),
        is_on_baseline=is_on_baseline,
    )


def _read_added(pair: Factors, unit: Unit, *, is_on_baseline: bool) -> Read:
    """The layer of a weight with what its adapter adds."""
    weight = unit.weight
    fit = _fit(pair, unit.name)
    if isinstance(fit, tuple) or weight is None:
        spoiled = Skip(unit.name, unit.shape, "unreadable: its adapter is not finite", read=False)
        return Read("", None, (*(fit if isinstance(fit, tuple) else ()), spoiled))
    base = weight.values()
    turned = bool(_turned(pair, unit))
    array = lora.merged(base.array.T if turned else base.array, fit.down, fit.up, fit.scale)
    parts = [base.digest, fit.digest, str(turned)]
    if pair.magnitudes:
        data = pair.magnitudes.read()
        array = lora.renormed(array, np.asarray(pair.magnitudes.array(data)))
        parts.append(pair.magnitudes.digest(data))
    skips = (*(() if is_on_baseline else base.skips), *pair.skips(unit.name))
    values = Values(array.T if turned else array, combined("added", *parts), skips)
    return as_layer(weight, values)


def _replaced(own: Mapping[str, Unit], find: Find) -> Iterator[Unit]:
    """Weights of the baseline that an adapter's file holds anew, under the baseline's name."""
    for name, unit in own.items():
        module = name.removesuffix(".weight")
        target = find(SAVED.sub("", module)) if SAVED.search(module) else None
        if target and target.shape == unit.shape and unit.weight:
            skips = tuple(skipped(tensor, f"part of {target.name}") for tensor in unit.tensors)
            weight = replace(unit.weight, name=target.name)
            yield replace(
                unit,
                name=target.name,
                read=partial(_read_replaced, weight, skips),
                weight=None,
                is_on_baseline=True,
            )


def _read_replaced(weight: Weight, skips: tuple[Skip, ...]) -> Read:
    read = weight.read()
    return replace(read, skips=(*read.skips, *skips))
