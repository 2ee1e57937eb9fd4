"""What is measured together: a tensor, one with its scale, or the two factors of an adapter."""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from itertools import chain

from auditor.architecture import Architecture
from auditor.architecture.configs import Adapter
from auditor.naming import is_chosen
from auditor.records import Layer, Module, Skip
from auditor.spectral import lora
from auditor.spectral.matrices import cut, non_finite_values
from auditor.spectral.quantised import dequantise, is_scale
from auditor.weights import Tensor
from auditor.weights.tensors import Bytes

FACTORS = (  # what the names of A and B differ in, one family of tools a row
    ("lora_A", "lora_B"),
    ("lora_embedding_A", "lora_embedding_B"),
    ("lora_down", "lora_up"),
    ("lora.down", "lora.up"),
    (":down", ":up"),
)
BEHIND = re.compile(r"(?P<adapter>(?:\.(?!weight$)[^.]+)?)(?:\.weight)?")  # a factor's name
QUANTISED = frozenset({"int8", "uint8", "float8_e4m3fn", "float8_e5m2"})
SCALES = (".weight_scale", ".scale")
ZEROS = (".weight_zero_point", ".zero_point")
UNSELECTED = "not selected"
PART = re.compile(r"\[(?:[0-9]+|[qkv])\]$")  # behind the name of a tensor shown in parts
COMPARED = 2000  # names that a pattern without a match is held against


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """What the bytes of a unit came to."""

    digest: str  # of all that its layer depends on; empty without a layer
    layer: Layer | None
    skips: tuple[Skip, ...] = ()  # its tensors that are no layer of their own, and why


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """One tensor or several that are one layer; nothing is read before `read` is called."""

    name: str
    shape: tuple[int, ...]  # of the tensor, or of what its factors multiply to
    tensors: tuple[Tensor, ...]
    read: Callable[[], Read]
    like: Tensor  # what takes as much memory and time
    values: int | None = None  # stored ones, where `shape` does not tell

    @property
    def files(self) -> frozenset[str]:
        """Where its tensors lie."""
        return frozenset(tensor.file for tensor in self.tensors)

    def unread(self, reason: str) -> tuple[Skip, ...]:
        """The account of its tensors where one of them cannot be read."""
        return tuple(_skipped(tensor, reason, read=False) for tensor in self.tensors)


def units_of(
    tensors: Sequence[Tensor], architecture: Architecture, patterns: Sequence[str] = ()
) -> tuple[list[Unit], list[Skip]]:
    """What to measure of a model's tensors, and those that nobody asked for.

    Parameters
    ----------
    tensors
        All of them, each name once.
    architecture
        What is known of the model.
    patterns
        Of the names of tensors or layers that are wanted; none: all.
    """
    found = list(_grouped({tensor.name: tensor for tensor in tensors}, architecture))
    if not patterns:
        return found, []
    wanted, skips = [], []
    for unit in found:
        names = (unit.name, *(tensor.name for tensor in unit.tensors))
        if any(is_chosen(name, patterns) for name in names):
            wanted.append(unit)
        else:
            skips += [_skipped(tensor, UNSELECTED) for tensor in unit.tensors]
    return wanted, skips


def is_wanted(name: str, patterns: Sequence[str]) -> bool:
    """Whether a layer, or the tensor it is a part of, is asked for."""
    return is_chosen(name, patterns) or is_chosen(PART.sub("", name), patterns)


def selected(skip: Skip, patterns: Sequence[str]) -> Skip:
    """The account of a tensor, which is short if nobody asked for it."""
    if not patterns or not skip.is_matrix or is_chosen(skip.name, patterns):
        return skip
    return Skip(skip.name, skip.shape, UNSELECTED, skip.dtype)


def no_match(names: Sequence[str], patterns: Sequence[str]) -> str:
    """The sentence for patterns that no name fits, with the names nearest to the first."""
    known = [name[:80] for name in names[:COMPARED]]
    near = difflib.get_close_matches(patterns[0].lstrip("!"), known, n=3, cutoff=0.0)
    asked, shown = ", ".join(patterns), ", ".join(near)
    return f"no layer is called as {asked} asks; among the {len(names)} names there are {shown}"


def _grouped(tensors: Mapping[str, Tensor], architecture: Architecture) -> Iterator[Unit]:
    """Every tensor in one unit, and every unit with a name of its own."""
    used: set[str] = set()
    for unit in (*_adapters(tensors, architecture), *_quantised(tensors, architecture)):
        names = {tensor.name for tensor in unit.tensors}
        if not used & names and (unit.name in names or unit.name not in used | tensors.keys()):
            used |= {unit.name, *names}
            yield unit
    for name, tensor in tensors.items():
        if name not in used:
            read = partial(_read, tensor, architecture.modules.get(name))
            yield Unit(name, tensor.shape, (tensor,), read, like=tensor)


def _read(tensor: Tensor, module: Module | None) -> Read:
    return _as_layer(tensor, tensor.read(), module)


def _as_layer(tensor: Tensor, data: Bytes, module: Module | None) -> Read:
    layer = cut(tensor.name, tensor.array(data), tensor.dtype, module)
    if isinstance(layer, Skip):
        return Read("", None, (layer,))
    return Read(tensor.digest(data), layer)


# --- low-rank factors ---------------------------------------------------------------------


def _adapters(tensors: Mapping[str, Tensor], architecture: Architecture) -> Iterator[Unit]:
    """Pairs of factors, with the scale that may be stored beside them."""
    for name, down in tensors.items():
        module, up_name, suffix = _counterpart(name)
        up = tensors.get(up_name) if up_name else None
        shape = lora.product_shape(down.shape, up.shape) if up else None
        if up is None or shape is None:
            continue
        alpha = _first(tensors, module, (".alpha",))
        scaled = _Factors(f"{module}.lora{suffix}", down, up, alpha, architecture.adapter(down))
        thin = (math.prod(shape[1:]), down.shape[0])
        yield Unit(
            name=scaled.name,
            shape=shape,
            tensors=(down, up, *((alpha,) if alpha else ())),
            read=partial(_read_factors, scaled, module, shape),
            like=replace(down, name=scaled.name, shape=thin, dtype="float64"),
            values=math.prod(down.shape) + math.prod(up.shape),
        )


def _counterpart(name: str) -> tuple[str, str, str]:
    """Module, name of the other factor and which adapter; empty for what is no first factor."""
    for one, other in FACTORS:
        head, found, tail = name.rpartition(one)
        behind = BEHIND.fullmatch(tail)
        if found and head and behind:
            return head.rstrip("._"), f"{head}{other}{tail}", behind["adapter"]
    return "", "", ""


@dataclass(frozen=True, slots=True, eq=False)
class _Factors:
    name: str
    down: Tensor
    up: Tensor
    alpha: Tensor | None
    adapter: Adapter


def _read_factors(pair: _Factors, module: str, shape: tuple[int, ...]) -> Read:
    """The layer of two factors; if one of them is unfit, both are skipped."""
    both = (pair.down, pair.up)
    as_factors = tuple(_skipped(tensor, f"factor of {pair.name}") for tensor in both)
    beside = (_skipped(pair.alpha, f"scale of {pair.name}"),) if pair.alpha else ()
    data = [tensor.read() for tensor in both]
    parts = [_as_layer(tensor, read, None) for tensor, read in zip(both, data, strict=True)]
    if not all(part.layer for part in parts):
        unfit = zip(parts, as_factors, strict=True)
        return Read(
            "", None, (*chain(*(part.skips or (factor,) for part, factor in unfit)), *beside)
        )
    alpha = float(pair.alpha.array(pair.alpha.read()).flat[0]) if pair.alpha else None
    scale = pair.adapter.scale(module, pair.down.shape[0], alpha)
    down, up = (tensor.array(read) for tensor, read in zip(both, data, strict=True))
    slices = lora.thin(down, up, scale)
    if bad := sum(map(non_finite_values, slices)):
        broken = replace(as_factors[1], reason="non-finite", non_finite=bad)
        return Read("", None, (as_factors[0], broken, *beside))
    product = partial(lora.dense, down, up, scale)
    layer = Layer(pair.name, "lora", pair.down.dtype, shape, slices, product=product)
    made = _combined("lora", *(part.digest for part in parts), repr(scale))
    return Read(made, layer, (*as_factors, *beside))


# --- quantised weights --------------------------------------------------------------------


def _quantised(tensors: Mapping[str, Tensor], architecture: Architecture) -> Iterator[Unit]:
    """Weights stored in a byte, with the scale and the zero point stored beside them."""
    for name, weight in tensors.items():
        module = name.removesuffix(".weight")
        scale = _first(tensors, module, SCALES)
        if weight.dtype not in QUANTISED or len(weight.shape) < 2 or scale is None:
            continue
        zero = _first(tensors, module, ZEROS)
        parts = (weight, scale, *((zero,) if zero else ()))
        read = partial(_read_quantised, parts, architecture.modules.get(name))
        like = replace(weight, dtype="float64")
        yield Unit(name, weight.shape, parts, read, like)


def _first(tensors: Mapping[str, Tensor], module: str, ends: Iterable[str]) -> Tensor | None:
    """What is stored beside a weight under one of these names: real numbers, one at least."""
    found = (tensors.get(module + end) for end in ends)
    return next((t for t in found if t and t.nbytes and not t.dtype.startswith("complex")), None)


def _read_quantised(parts: Sequence[Tensor], module: Module | None) -> Read:
    """The layer of the values that are meant."""
    weight, *others = parts
    named = zip(others, ("scale", "zero point"), strict=False)
    beside = tuple(_skipped(other, f"{what} of {weight.name}") for other, what in named)
    unfit = next((o for o in others if not is_scale(o.shape, weight.shape)), None)
    if unfit is not None:
        shape = "×".join(map(str, unfit.shape))
        reason = f"quantised with {unfit.name} of shape {shape}, not one value or one for a row"
        return Read("", None, (_skipped(weight, reason, read=False), *beside))
    data = [tensor.read() for tensor in parts]
    arrays = [t.array(part) for t, part in zip(parts, data, strict=True)]
    layer = cut(weight.name, dequantise(*arrays), weight.dtype, module)
    if isinstance(layer, Skip):
        return Read("", None, (layer, *beside))
    digests = (t.digest(part) for t, part in zip(parts, data, strict=True))
    return Read(_combined("quantised", *digests), layer, beside)


def _combined(*parts: str) -> str:
    return sha256("|".join(parts).encode()).hexdigest()


def _skipped(tensor: Tensor, reason: str, *, read: bool = True) -> Skip:
    return Skip(tensor.name, tensor.shape, reason, tensor.dtype, read)
