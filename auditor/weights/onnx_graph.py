"""What of an ONNX model its reader needs: graphs, nodes, and where constants lie.

References
----------
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto: names and numbers of the fields
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from auditor.errors import WeightsError
from auditor.weights.protobuf_wire import LENGTH, VARINT, Field, Wire, must_be, only
from auditor.weights.tensors import DIMENSIONS, whole_numbers

DEPTH = 32  # of graphs in graphs; protobuf's own limit of 100 messages is reached at 33
GRAPH = 7  # the field of a model
CONSTANT, TRANSPOSE = "Constant", "Transpose"
NUMBERS = ("transB", "axis", "block_size")  # attributes that say how a weight is meant
MOST_ENTRIES = 64  # of external data; five keys are defined
FLOAT_DATA, INT32_DATA, INT64_DATA, RAW_DATA, DOUBLE_DATA, UINT64_DATA = 4, 5, 7, 9, 10, 11
HOLDERS = (FLOAT_DATA, INT32_DATA, INT64_DATA, RAW_DATA, DOUBLE_DATA, UINT64_DATA)


@dataclass(frozen=True, slots=True)
class Constant:
    """A TensorProto: what it is and where its values lie."""

    name: str
    shape: tuple[int, ...]
    kind: int  # TensorProto.DataType
    holder: int = 0  # number of the field with the values; 0: none
    start: int = 0  # of the values in the file
    size: int = 0  # bytes of them, as encoded
    external: tuple[tuple[str, str], ...] | None = None  # keys and values, where in another file
    sparse: bool = False


@dataclass(slots=True, eq=False)
class Node:
    """An operator and what it is applied to."""

    op: str
    name: str  # or one made up; once in its graph
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    numbers: dict[str, int] = field(default_factory=dict)  # the `NUMBERS` it has
    perm: tuple[int, ...] = ()  # of a Transpose

    def input(self, index: int) -> str:
        """Name of an input; empty where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else ""


@dataclass(slots=True, eq=False)
class Graph:
    """A graph or function, its constants by name, and the graphs inside its nodes."""

    step: str  # from the graph it is in; empty for the main graph
    parent: "Graph | None" = None
    constants: dict[str, Constant] = field(default_factory=dict)
    initialisers: set[str] = field(default_factory=set)  # the constants that no node gives
    nodes: dict[str, Node] = field(default_factory=dict)
    inner: list["Graph"] = field(default_factory=list)
    given: set[str] = field(default_factory=set)  # what its nodes give

    @property
    def path(self) -> str:
        """What stands before the names of its constants; empty for the main graph."""
        return (self.parent.path if self.parent else "") + self.step

    def home(self, name: str) -> "Graph | None":
        """The nearest graph, from here outwards, that has a value of this name."""
        graph: Graph | None = self
        while graph and name not in graph.constants and name not in graph.given:
            graph = graph.parent
        return graph

    def walk(self) -> Iterator["Graph"]:
        """The graph itself and all inside it."""
        yield self
        for graph in self.inner:
            yield from graph.walk()

    def add(self, constant: Constant) -> None:
        """Take a constant in; a name that is there already is a `WeightsError`."""
        if constant.name in self.constants:
            raise WeightsError(f"two tensors are called {constant.name[:200]!r}")
        self.constants[constant.name] = constant


def parse(wire: Wire, size: int) -> list[Graph]:
    """The main graph and the functions of a model that fills a file of `size` bytes.

    Raises
    ------
    WeightsError
        If it is no ONNX model, cut off, or nested deeper than any graph.
    """
    parts = wire.collect(Field(0, LENGTH, 0, 0, size), {1, GRAPH, 25})
    version, main = only(parts[1]), only(parts[GRAPH])
    if version is None or main is None:
        raise WeightsError("has no version and graph; it is no ONNX model or cut off")
    must_be(VARINT, version)
    found = Graph("")
    _fill(wire, main, found, 1)
    return [found, *(_function(wire, span) for span in parts[25])]


def _function(wire: Wire, span: Field) -> Graph:
    parts = wire.collect(span, {1, 7, 10})
    domain, name = wire.text(parts[10]), wire.text(parts[1])
    graph = Graph(f"{domain}.{name}/" if domain else f"{name}/")
    for node in parts[7]:
        _node(wire, node, graph, 1)
    return graph


def _fill(wire: Wire, span: Field, graph: Graph, depth: int) -> None:
    """Put what a GraphProto has into `graph`."""
    if depth > DEPTH:
        raise WeightsError(f"has graphs nested more than {DEPTH} deep; no real model has")
    must_be(LENGTH, span)
    for part in wire.fields(span.start, span.end):
        if part.number == 1:
            _node(wire, part, graph, depth)
        elif part.number in {5, 15}:
            found = _constant(wire, part) if part.number == 5 else _sparse(wire, part)
            graph.add(found)
            graph.initialisers.add(found.name)


def _node(wire: Wire, span: Field, graph: Graph, depth: int) -> None:
    parts = wire.collect(span, {1, 2, 3, 4, 5})
    op, name = wire.text(parts[4]), wire.text(parts[3])
    inputs, outputs = (tuple(wire.text([one]) for one in parts[n]) for n in (1, 2))
    given = set(outputs) - {""}
    if again := given & graph.given:
        raise WeightsError(f"two nodes give {min(again)[:200]!r}; in no graph is that allowed")
    graph.given |= given
    if not name or name in graph.nodes:  # neither is forbidden
        name = f"{name or op}#{len(graph.nodes)}"
    if name in graph.nodes:
        raise WeightsError(f"two nodes are called {name[:200]!r}")
    node = graph.nodes[name] = Node(op, name, inputs, outputs)
    for attribute in parts[5]:
        _attribute(wire, attribute, node, graph, depth)


def _attribute(wire: Wire, span: Field, node: Node, graph: Graph, depth: int) -> None:
    """Keep a number that says what weights are, a constant, or the graphs inside a node."""
    wanted = {1, 3, 5, 6, 8, 10, 11, 22} if node.op == TRANSPOSE else {1, 3, 5, 6, 10, 11, 22}
    parts = wire.collect(span, wanted)
    name = wire.text(parts[1])
    if name in NUMBERS and parts[3]:
        node.numbers[name] = sum(wire.numbers(parts[3], 1))
    elif name == "perm" and node.op == TRANSPOSE:
        node.perm = wire.numbers(parts[8], DIMENSIONS)
    label = node.outputs[0] if node.op == CONSTANT and node.outputs else f"{node.name}/{name}"
    for called, tensor in _numbered(label, (*parts[5], *parts[10])):
        graph.add(_constant(wire, tensor, called))
    for called, sparse in _numbered(label, parts[22]):
        graph.add(_sparse(wire, sparse, called))
    for called, inside in _numbered(f"{node.name}/{name}", (*parts[6], *parts[11])):
        inner = Graph(f"{called}/", graph)
        graph.inner.append(inner)
        _fill(wire, inside, inner, depth + 1)


def _numbered(label: str, spans: Sequence[Field]) -> Iterator[tuple[str, Field]]:
    """Distinct names for what one attribute holds; long ones are not repeated as they are."""
    for index, span in enumerate(spans):
        yield (f"{label[:200]}_{index}" if index else label), span


def _constant(wire: Wire, span: Field, name: str = "") -> Constant:
    """A TensorProto; `name` takes the place of its own."""
    parts = wire.collect(span, {1, 2, 3, 8, 13, 14, *HOLDERS})
    name = name or wire.text(parts[8])
    label = f"tensor {name[:200]!r}"
    shape = whole_numbers(wire.numbers(parts[1], DIMENSIONS), f"the shape of {label}")
    kind = sum(wire.numbers(parts[2], 1))
    if 1 in wire.numbers(parts[14], 1):
        return Constant(name, shape, kind, external=_entries(wire, parts[13]))
    held = [part for number in HOLDERS for part in parts[number] if part.start < part.end]
    if len(held) > 1 or parts[3]:
        raise WeightsError(f"{label} has its values in several pieces; save it again with onnx")
    if not held:
        return Constant(name, shape, kind)
    (place,) = held
    must_be(LENGTH, place)
    return Constant(name, shape, kind, place.number, place.start, place.end - place.start)


def _entries(wire: Wire, spans: Sequence[Field]) -> tuple[tuple[str, str], ...]:
    if len(spans) > MOST_ENTRIES:
        raise WeightsError(f"a tensor has {len(spans)} entries of external data")
    pairs = (wire.collect(span, {1, 2}) for span in spans)
    return tuple((wire.text(pair[1]), wire.text(pair[2])) for pair in pairs)


def _sparse(wire: Wire, span: Field, name: str = "") -> Constant:
    """A SparseTensorProto, of which only name, shape and type are used."""
    parts = wire.collect(span, {1, 3})
    values = only(parts[1])
    inside = _constant(wire, values, name) if values else Constant(name, (), 0)
    shape = whole_numbers(wire.numbers(parts[3], DIMENSIONS), "the shape of a sparse tensor")
    return Constant(inside.name, shape, inside.kind, sparse=True)
