"""``.onnx``: a protocol buffer of a graph, its initialisers and constants.

Read without the onnx package: its classes hold a whole model in memory, values and all, and
follow external data to wherever it points. A dozen fields are needed, so the messages are
walked where they lie (`protobuf_wire`), and values are read one tensor at a time.

The graph tells how its weights are meant: what only matrix products use on their right is
(in, out) and handed over as PyTorch's (out, in); integers with a scale are handed over as the
values they stand for; recurrent weights by direction, their gates in PyTorch's order.
Constants of a graph inside a node have that graph's path before their name.
"""

import math
import re
from collections.abc import Iterator
from functools import partial
from itertools import chain, islice

from auditor.errors import WeightsError
from auditor.records import Skip
from auditor.weights.affine import PACKED, UNSCALED
from auditor.weights.formats import Blob, Contents, Format
from auditor.weights.lens import TEXTS_LIMIT
from auditor.weights.onnx_graph import GRAPH, Constant, Graph, parse
from auditor.weights.onnx_layout import Stored, by_direction, turned
from auditor.weights.onnx_uses import NAMED, Recipe, Uses
from auditor.weights.onnx_values import KINDS, Held, held
from auditor.weights.protobuf_wire import LENGTH, VARINT, Wire
from auditor.weights.tensors import FLOAT8, Tensor, is_decodable
from auditor.weights.unsupported import POINTER

SCALABLE = {"int8", "uint8", "int16", "uint16", "int32", *FLOAT8, *PACKED}  # by a scale
SCALES = {"float32", "float16", "bfloat16", "float64", "float8_e8m0fnu"}  # types of a scale
FIELDS = {1: VARINT, 5: VARINT, **dict.fromkeys((2, 3, 4, 6, 7, 8, 14, 20, 25, 26), LENGTH)}
FIRST = 64  # fields of a model within which its graph comes, whoever wrote it
VERSIONS = range(3, 64)  # of the format; 1 and 2 are older than ONNX 1.0, 14 is today's
ANONYMOUS = re.compile(r"onnx::\w+_[0-9]+")  # what PyTorch calls a weight it has transposed
LONG = TEXTS_LIMIT  # characters of all names with their paths
SPARSE = "unreadable: a sparse tensor is not read here; store it dense"


def read(file: Blob) -> Contents:
    """The tensors of one file: initialisers, and constants that can be weights.

    Raises
    ------
    WeightsError
        If the file is no ONNX model, cut off, or states sizes it has not; if its external
        data lies outside its folder or is not there.
    """
    roots = parse(Wire(file), file.size)
    reader = _Reader(file, roots)
    found = list(chain.from_iterable(reader.layers(*one) for one in reader.constants()))
    names = [one.name for one in found]
    if len(set(names)) < len(names):
        raise WeightsError("two of its tensors have one name")
    return Contents(
        tensors=tuple(one for one in found if isinstance(one, Tensor)),
        skipped=tuple(one for one in found if isinstance(one, Skip)),
        beside=tuple(reader.opened),
    )


class _Reader:
    """Turns the constants of one file's graphs into tensors."""

    def __init__(self, file: Blob, roots: list[Graph]) -> None:
        self._file = file
        self._roots = roots
        self._uses = Uses(roots)
        self.opened: dict[str, Blob] = {}  # other files with values
        self._recipes: dict[int, Recipe] = {}
        self._parts: dict[int, str] = {}  # what is a scale or zero point, and of what
        if sum(len(graph.path) + len(constant.name) for graph, constant in self.constants()) > LONG:
            raise WeightsError("its names, with their graphs' paths, are longer than any model's")
        for graph, constant in self.constants():
            if KINDS.get(constant.kind) in SCALABLE:
                self._note(graph, constant)
        self._named = {graph.path + constant.name for graph, constant in self.constants()}

    def constants(self) -> Iterator[tuple[Graph, Constant]]:
        """Every constant with its graph, the main graph's first."""
        for graph in chain.from_iterable(root.walk() for root in self._roots):
            for constant in graph.constants.values():
                yield graph, constant

    def layers(self, graph: Graph, constant: Constant) -> Iterator[Tensor | Skip]:
        """What a constant is handed over as; nothing of one that is no weight."""
        name, dtype = self._name(graph, constant), KINDS.get(constant.kind, "")
        part, recipe = self._parts.get(id(constant)), self._recipes.get(id(constant))
        reason = self._unfit(constant, dtype, recipe)
        if part:
            yield Skip(name, constant.shape, part, dtype)
        elif constant.name not in graph.initialisers and not self._is_weight(graph, constant):
            return
        elif reason:
            yield Skip(name, constant.shape, reason, dtype, read=False)
        else:
            yield from self._tensors(graph, constant, name, self._stored(constant, recipe))

    def _note(self, graph: Graph, constant: Constant) -> None:
        recipe = self._uses.recipe(graph, constant)
        if recipe is None:
            return
        self._recipes[id(constant)] = recipe
        label = (graph.path + constant.name).removesuffix(NAMED)
        self._parts.setdefault(id(recipe.scale), f"scale of {label}")
        if recipe.zero:
            self._parts.setdefault(id(recipe.zero), f"zero point of {label}")

    def _is_weight(self, graph: Graph, constant: Constant) -> bool:
        """Whether a node's constant can be one: a matrix, or a vector of real numbers."""
        if len(constant.shape) >= 2:
            return not self._uses.is_state(graph, constant)
        return "float" in KINDS.get(constant.kind, "") and math.prod(constant.shape) > 1

    def _unfit(self, constant: Constant, dtype: str, recipe: Recipe | None) -> str:
        """Why a constant cannot be read; empty if it can."""
        if constant.sparse:
            return SPARSE
        if not is_decodable(dtype) and dtype not in PACKED:
            return f"unreadable: no reader for element type {dtype or constant.kind}"
        if recipe and not (recipe.fits(constant.shape) and _is_sound(recipe)):
            shape = "×".join(map(str, recipe.scale.shape))
            return f"quantised with a scale or zero point that does not fit it, of shape {shape}"
        return UNSCALED if dtype in PACKED and recipe is None else ""

    def _stored(self, constant: Constant, recipe: Recipe | None) -> Stored:
        values = self._held(constant)
        if recipe is None:
            return Stored(values)
        zero = self._held(recipe.zero) if recipe.zero else None
        return Stored(values, self._held(recipe.scale), zero, recipe.spread)

    def _held(self, constant: Constant) -> Held:
        return held(self._file, constant, self._beside)

    def _beside(self, name: str) -> Blob:
        other = self._file.beside(name)
        if other is self._file:
            raise WeightsError("its external data points into the model file itself")
        self.opened[other.name] = other
        return other

    def _tensors(
        self, graph: Graph, constant: Constant, name: str, stored: Stored
    ) -> Iterator[Tensor]:
        """One tensor, or one for each direction of a recurrent layer."""
        make = partial(stored.tensor, self._file.name)
        operator = self._uses.recurrent(graph, constant)
        if operator:
            for end, shape, cut in by_direction(operator, constant.shape):
                yield make(name + end, shape, cut)
        elif self._uses.is_right_hand(graph, constant):
            yield make(name, constant.shape[::-1], turned)
        else:
            yield make(name, constant.shape)

    def _name(self, graph: Graph, constant: Constant) -> str:
        """As PyTorch would call it, where the file tells; else as the file does."""
        name = graph.path + constant.name
        if constant.name.endswith(NAMED) and id(constant) in self._recipes:
            better = name.removesuffix(NAMED)
        elif ANONYMOUS.fullmatch(constant.name):
            better = self._uses.path(graph, constant)
        else:
            return name
        if not better or better in self._named:
            return name
        self._named.add(better)
        return better


def _is_sound(recipe: Recipe) -> bool:
    """Whether scale and zero point are of types that can be such."""
    zero = recipe.zero
    if recipe.scale.sparse or KINDS.get(recipe.scale.kind) not in SCALES:
        return False
    return zero is None or (not zero.sparse and KINDS.get(zero.kind) in SCALABLE | SCALES)


def _matches(file: Blob, head: bytes) -> bool:
    """By its name, or by its first fields: version, producer, graph; there is no magic."""
    if head.startswith(POINTER):
        return False
    if file.name.lower().endswith(".onnx"):
        return bool(head)
    is_message = len(head) > 1 and head[0] == 8 and head[1] in VERSIONS
    return is_message and _leads_to_a_graph(file)


def _leads_to_a_graph(file: Blob) -> bool:
    try:
        for field in islice(Wire(file).fields(0, file.size), FIRST):
            if FIELDS.get(field.number) != field.kind:
                return False
            if field.number == GRAPH:
                return True
    except WeightsError:
        return False
    return False


ONNX = Format("ONNX", _matches, read)
