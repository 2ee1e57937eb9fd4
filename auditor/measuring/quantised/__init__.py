"""Quantised weights, back to the values they stand for where the recipe is known.

To add one: write its formula as a function of arrays in `auditor.spectral.quantised`, beside
the others here a function that says from names and shapes (`Parts`) what they stand for
(`Meaning`), and a row of `RECIPES`. The first row that fits a tensor counts: its name ends in
``codes``, its element type is among ``dtypes``, and the parts it ``needs`` lie beside it.
"""

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from auditor.architecture import Architecture
from auditor.errors import WeightsError
from auditor.measuring.quantised import scaled, tables, words
from auditor.measuring.quantised.recipe import Meaning, Parts, Recipe
from auditor.measuring.unit import Read, Unit, Values, Weight, combined, skipped
from auditor.records import Skip
from auditor.weights import Tensor

RECIPES: tuple[Recipe, ...] = (*words.RECIPES, *tables.RECIPES, *scaled.RECIPES)
PACKED = (  # ends of names of codes, of methods whose layout is not known here too
    *(".qweight", ".weight_packed", "_blocks", ".W_q", ".q_weight", ".Qidxs", ".codes"),
    *(".weight._data", "._weight_qdata"),
)
CODES = frozenset({"int8", "uint8", "int16", "uint16", "int32", "uint32"})
SAID = {"scale": "scale of", "zero": "zero point of"}  # all else is a part
ADVICE = "save its weights as floats, or audit the model it was made from"


def quantised(tensors: Mapping[str, Tensor], architecture: Architecture) -> Iterator[Unit]:
    """Weights stored as codes, each with all that lies beside it.

    What is quantised in a way that nobody has written down here is skipped, as not read.
    """
    matrices = [tensor for tensor in tensors.values() if len(tensor.shape) >= 2]
    explained: set[str] = set()
    for tensor in matrices:
        config = architecture.quantisation(tensor)
        recipe, parts = next(_fitting(tensor, tensors, config), (None, None))
        if recipe and parts:
            explained |= {tensor.name, *(part.name for part in parts.others.values())}
            yield _unit(recipe, parts, architecture)
    for tensor in matrices:
        if tensor.name not in explained and tensor.dtype in CODES:
            yield from _unexplained(tensor, architecture.quantisation(tensor))


def _fitting(
    tensor: Tensor, tensors: Mapping[str, Tensor], config: Mapping[str, object]
) -> Iterator[tuple[Recipe, Parts]]:
    for recipe in RECIPES:
        if tensor.dtype not in recipe.dtypes or not tensor.name.endswith(recipe.codes):
            continue
        module = _module(tensor.name, recipe)
        found = {
            what: one
            for what, ends in recipe.parts.items()
            if (one := _first(tensors, module, ends)) and one is not tensor
        }
        parts = Parts(tensor, found, config)
        if all(what in found for what in recipe.needs) and recipe.applies(parts):
            yield recipe, parts


def _module(name: str, recipe: Recipe) -> str:
    return name.removesuffix(recipe.codes or ".weight")


def _first(tensors: Mapping[str, Tensor], module: str, ends: tuple[str, ...]) -> Tensor | None:
    """What is stored beside a weight under one of these names: real numbers, one at least."""
    found = (tensors.get(module + end) for end in ends)
    return next((t for t in found if t and t.nbytes and not t.dtype.startswith("complex")), None)


def _unexplained(tensor: Tensor, config: Mapping[str, object]) -> Iterator[Unit]:
    """Codes that no recipe fits, by their name or because the model is said to be quantised."""
    stated = config.get("quant_method")
    is_stated = isinstance(stated, str) and stated.isprintable() and bool(stated)
    method = str(stated)[:40] if is_stated else "a method that is not named"
    if tensor.name.endswith(PACKED) or (is_stated and not tensor.name.endswith("bias")):
        reason = f"quantised by {method}, whose recipe is not known here; {ADVICE}"
        yield _unread(tensor.name, (tensor,), (skipped(tensor, reason, read=False),))


def _unit(recipe: Recipe, parts: Parts, architecture: Architecture) -> Unit:
    codes, tensors = parts.codes, (parts.codes, *parts.others.values())
    is_renamed = recipe.named is not None
    name = _module(codes.name, recipe) + (recipe.named or "") if is_renamed else codes.name
    beside = tuple(
        skipped(tensor, f"{SAID.get(what, 'part of')} {name}")
        for what, tensor in parts.others.items()
    )
    try:
        meaning = recipe.meaning(parts)
    except WeightsError as error:
        reason = f"quantised ({recipe.name}): {error}"
        return _unread(name, tensors, (skipped(codes, reason, read=False), *beside))
    if is_renamed:
        beside = (skipped(codes, f"codes of {name}"), *beside)
    module = architecture.modules.get(name)
    made = partial(_values, recipe, parts, meaning, beside)
    dtype = meaning.dtype or codes.dtype
    weight = Weight(name, meaning.shape, dtype, module, made)
    like = Tensor(name, meaning.shape, "float64", codes.file, codes.read)
    return Unit(name, meaning.shape, tensors, weight.read, like, weight=weight)


def _values(recipe: Recipe, parts: Parts, meaning: Meaning, beside: tuple[Skip, ...]) -> Values:
    arrays, digests = {}, []
    for what, tensor in (("codes", parts.codes), *parts.others.items()):
        data = tensor.read()
        digests.append(tensor.digest(data))
        is_bytes = recipe.is_bytes and what == "codes"
        arrays[what] = np.asarray(np.frombuffer(data, np.uint8) if is_bytes else tensor.array(data))
    made = meaning.values(arrays)
    digest = combined("quantised", recipe.name, meaning.recipe, *digests)
    return Values(made, digest, beside)


def _unread(name: str, tensors: tuple[Tensor, ...], skips: tuple[Skip, ...]) -> Unit:
    """A unit of which it is known before that it has no layer."""
    first = tensors[0]
    return Unit(name, first.shape, tensors, lambda: Read("", None, skips), first)
