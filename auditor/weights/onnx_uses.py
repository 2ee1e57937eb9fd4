"""What an ONNX graph does with a constant: that tells its axis order and its scale.

References
----------
https://onnx.ai/onnx/operators/: inputs and layouts of each operator; the quantised ones of
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from auditor.weights.affine import Spread
from auditor.weights.onnx_graph import TRANSPOSE, Constant, Graph, Node

PASSING = {  # what hands its input 0 on, values or axis order as they are
    "Identity",
    "Cast",
    "CastLike",
    "QuantizeLinear",
    "DequantizeLinear",
    "Slice",
    "Expand",
}
PLACE = re.compile(r"/?(?P<module>.+)/(?P<op>[A-Za-z]+)(_(?P<layer>[0-9]+))?")  # a node's name
RECURRENT = {1: "weight_ih", 2: "weight_hh", 3: "bias"}  # by input; biases are one for both
MOST_PASSED = 16  # nodes between a constant and its use; exporters leave up to 4
PRODUCTS = {  # a matrix product -> which input is its right-hand side, (in, out)
    "MatMul": 1,
    "Gemm": 1,
    "FusedMatMul": 1,
    "MatMulInteger": 1,
    "DynamicQuantizeMatMul": 1,
    "MatMulIntegerToFloat": 1,
    "QLinearMatMul": 3,
    "QGemm": 3,
}
SCALED = {  # an operator -> which inputs are a weight, its scale and its zero point
    "DequantizeLinear": (0, 1, 2),
    "QLinearConv": (3, 4, 5),
    "QLinearMatMul": (3, 4, 5),
    "QGemm": (3, 4, 5),
    "DynamicQuantizeMatMul": (1, 2, 3),
    "MatMulIntegerToFloat": (1, 3, 5),
}
NAMED = "_quantized"  # ONNX Runtime's tool: x_quantized, x_scale and x_zero_point


DIRECTIONS = 2  # forwards and backwards
GATES = {  # a recurrent operator -> PyTorch's order of its gates' rows: ifgo of iofc, rzn of zrh
    "LSTM": (0, 2, 3, 1),
    "GRU": (1, 0, 2),
    "RNN": (0,),
}


@dataclass(frozen=True, slots=True)
class Use:
    """A constant as an input of a node."""

    graph: Graph
    node: Node
    index: int
    turned: bool = False  # its two axes are exchanged on the way there

    @property
    def is_right_hand(self) -> bool:
        """Whether the stored axes are (in, out), those of a matrix product's right side."""
        if PRODUCTS.get(self.node.op) != self.index:
            return False
        return self.turned == bool(self.node.numbers.get("transB"))


@dataclass(frozen=True, slots=True)
class Recipe:
    """With what stored numbers become values."""

    scale: Constant
    zero: Constant | None
    spread: Spread

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether scale and zero point can lie over values of that shape."""
        parts = [part for part in (self.scale, self.zero) if part]
        return all(self.spread.fits(part.shape, shape) for part in parts)


class Uses:
    """Who uses what in a model's graphs."""

    def __init__(self, roots: Sequence[Graph]) -> None:
        self._direct: dict[tuple[int, str], list[Use]] = {}
        for graph in (inner for root in roots for inner in root.walk()):
            for node in graph.nodes.values():
                for index, name in enumerate(node.inputs):
                    home = graph.home(name) if name else None
                    if home:
                        uses = self._direct.setdefault((id(home), name), [])
                        uses.append(Use(graph, node, index))

    def is_right_hand(self, graph: Graph, constant: Constant) -> bool:
        """Whether a matrix is (in, out) to every node it reaches."""
        uses = self._final(graph, constant.name) if len(constant.shape) == 2 else []
        return bool(uses) and all(use.is_right_hand for use in uses)

    def recurrent(self, graph: Graph, constant: Constant) -> str:
        """The one recurrent operator whose weights or biases it is; else empty."""
        inputs = {3: {1, 2}, 2: {3}}.get(len(constant.shape), set())  # W and R, or B
        uses = self._final(graph, constant.name) if inputs else []
        ops = {use.node.op if use.index in inputs else "" for use in uses}
        op = ops.pop() if len(ops) == 1 and constant.shape[0] <= DIRECTIONS else ""
        return op if op in GATES else ""

    def is_state(self, graph: Graph, constant: Constant) -> bool:
        """Whether it is only what recurrent layers start from, zeros as a rule."""
        uses = self._final(graph, constant.name)
        return bool(uses) and all(use.node.op in GATES and use.index > 4 for use in uses)

    def path(self, graph: Graph, constant: Constant) -> str:
        """What PyTorch calls the weight of ``/encoder/fc/MatMul`` or ``/rnn/LSTM_1``; or empty."""
        known = PRODUCTS.keys() | GATES.keys()
        uses = [use for use in self._final(graph, constant.name) if use.node.op in known]
        place = PLACE.fullmatch(uses[0].node.name) if len(uses) == 1 else None
        if place is None or place["op"] != uses[0].node.op:
            return ""
        module, index = place["module"].replace("/", "."), uses[0].index
        if place["op"] in GATES:
            return f"{module}.{RECURRENT.get(index, '')}_l{place['layer'] or 0}"
        return "" if place["layer"] else f"{module}.weight"

    def recipe(self, graph: Graph, constant: Constant) -> Recipe | None:
        """How its numbers become values, if every node that says so says the same."""
        said = {
            self._said(use, constant) for use in self._direct.get((id(graph), constant.name), ())
        }
        said.discard(None)
        return said.pop() if len(said) == 1 else None

    def _said(self, use: Use, constant: Constant) -> Recipe | None:
        weight, *others = SCALED.get(use.node.op, (0, 0, 0))
        if use.node.op in SCALED and use.index == weight:
            names = [use.node.input(index) for index in others]
        elif constant.name.endswith(NAMED):
            base = constant.name.removesuffix(NAMED)
            names = [f"{base}_scale", f"{base}_zero_point"]
        else:
            return None
        scale, zero = (_constant(use.graph, name) for name in names)
        return Recipe(scale, zero, _spread(use, len(constant.shape))) if scale else None

    def _final(self, graph: Graph, name: str) -> list[Use]:
        return list(self._reached(graph, name, turned=False, far=0))

    def _reached(self, graph: Graph, name: str, *, turned: bool, far: int) -> Iterator[Use]:
        """The nodes a value reaches, past those that hand it on as it is or transposed."""
        for use in self._direct.get((id(graph), name), ()):
            flips = use.node.op == TRANSPOSE and use.node.perm in {(), (1, 0)}
            if use.index or not (flips or use.node.op in PASSING) or far == MOST_PASSED:
                yield replace(use, turned=turned)
                continue
            for output in use.node.outputs:
                yield from self._reached(use.graph, output, turned=turned != flips, far=far + 1)


def _constant(graph: Graph, name: str) -> Constant | None:
    home = graph.home(name) if name else None
    return home.constants.get(name) if home else None


def _spread(use: Use, dimensions: int) -> Spread:
    """Along which axis a node has a scale each: the outputs', unless it says another."""
    node = use.node
    if node.op == "DequantizeLinear":
        axis = node.numbers.get("axis", 1)
        return Spread(axis + dimensions if axis < 0 else axis, node.numbers.get("block_size", 0))
    is_turned = node.op in PRODUCTS and not node.numbers.get("transB")
    return Spread(dimensions - 1 if is_turned else 0)
