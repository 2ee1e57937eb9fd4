"""From what a pickle says to named tensors: state dicts, modules, checkpoints.

Names are those of ``state_dict()``. Nothing here knows where the numbers lie.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from auditor.errors import WeightsError
from auditor.records import Skip
from auditor.weights.pickles import Global, Node
from auditor.weights.torch_values import rebuilt
from auditor.weights.views import Unread, View

CHOSEN = ("state_dict", "model_state_dict", "model", "module", "net", "weights", "params")
NOT_WEIGHTS = frozenset(
    (
        "optimizer",
        "optimizer_state_dict",
        "optimizer_states",
        "optim",
        "lr_scheduler",
        "lr_schedulers",
    )
)
DEPTH_LIMIT = 100
VISITS_LIMIT = 1_000_000
NAME_LIMIT = 20_000  # characters
TORCHSCRIPT = "__torch__"


@dataclass(frozen=True, slots=True)
class Found:
    """The tensors of a checkpoint, in its order, and what stands beside them."""

    tensors: Mapping[str, View | Unread]
    beside: tuple[Skip, ...]


def find(value: object) -> Found:
    """The model in a pickled value: a tensor, state dict, module, or a checkpoint around one.

    Raises
    ------
    WeightsError
        If there is no tensor in it, or it is nested too deeply to be a model.
    """
    walk = _Walk()
    beside: list[Skip] = []
    while chosen := _chosen(value, walk):
        rest = [(key, other) for key, other in mapping(value).items() if key != chosen]
        reason = f"stands beside {chosen!r} in the checkpoint, not part of the model"
        beside.extend(_beside(rest, walk, reason))
        value = mapping(value)[chosen]
    optimizer = [(key, part) for key, part in mapping(value).items() if key in NOT_WEIGHTS]
    beside.extend(_beside(optimizer, walk, "state of the optimizer, not part of the model"))
    tensors = dict(walk.named(value))
    if not tensors:
        raise WeightsError("holds no tensor: neither a state dict nor a module")
    return Found(tensors, tuple(beside))


def _chosen(value: object, walk: "_Walk") -> str | None:
    """The key of a checkpoint under which its model lies."""
    for key in CHOSEN:
        part = mapping(value).get(key)
        if isinstance(part, Node) and rebuilt(part) is None and any(walk.named(part)):
            return key
    return None


def _beside(parts: Sequence[tuple[str, object]], walk: "_Walk", reason: str) -> Iterator[Skip]:
    for key, part in parts:
        if any(walk.named(part)):
            yield Skip(key[:NAME_LIMIT], (), reason, read=False)


class _Walk:
    """A walk over a value that any pickle may have made: shared, endless, or huge."""

    def __init__(self) -> None:
        self._left = VISITS_LIMIT

    def named(
        self, value: object, name: str = "", depth: int = 0
    ) -> Iterator[tuple[str, View | Unread]]:
        """Every tensor below a value, with its dotted name."""
        self._left -= 1 + len(name) // 100  # long names cost memory
        if self._left < 0 or depth > DEPTH_LIMIT or len(name) > NAME_LIMIT:
            raise WeightsError("is nested too deeply or too widely to be a model")
        tensor = rebuilt(value)
        if tensor is not None:
            yield name or "tensor", tensor
            return
        for key, child in _children(value):
            yield from self.named(child, f"{name}.{key}" if name else key, depth + 1)


def _children(value: object) -> Iterator[tuple[str, object]]:
    """What a module or container has below it, in the order of ``state_dict()``."""
    if isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield str(index), child
        return
    state = _state(value)
    if "_parameters" in state and "_modules" in state:
        transient = _elements(state.get("_non_persistent_buffers_set"))
        yield from mapping(state["_parameters"]).items()
        buffers = mapping(state.get("_buffers"))
        yield from ((key, child) for key, child in buffers.items() if key not in transient)
        yield from mapping(state["_modules"]).items()
    elif _is_torchscript(value):
        yield from state.items()
    else:
        items = mapping(value).items()
        yield from ((key, child) for key, child in items if key not in NOT_WEIGHTS)


def mapping(value: object) -> dict[str, object]:
    """The items of a dict, or of anything pickled like one, whose keys are text or numbers."""
    if not isinstance(value, Node):
        return {}
    pairs = value.items or list(_listed(value))
    return {str(key): item for key, item in pairs if _is_key(key)}


def _is_key(key: object) -> bool:
    """Text, or a number Python agrees to write down: it refuses some with 4,300 digits."""
    return isinstance(key, str) or (type(key) is int and abs(key) < 2**63)


def _listed(value: Node) -> Iterator[tuple[object, object]]:
    """``OrderedDict([[key, value], ...])``, as Python 2 wrote it."""
    listed = value.args[0] if isinstance(value.args, tuple) and value.args else None
    if isinstance(value.maker, Global) and value.maker.name == "OrderedDict":
        for pair in listed if isinstance(listed, list) else ():
            if isinstance(pair, list | tuple) and len(pair) == 2:
                yield pair[0], pair[1]


def _state(value: object) -> dict[str, object]:
    """What ``__dict__`` of an object would hold."""
    merged: dict[str, object] = {}
    for state in value.states if isinstance(value, Node) else ():
        # objects with __slots__ have a pair: their __dict__ and their slots
        merged.update(mapping(state[0] if isinstance(state, tuple) and state else state))
    return merged


def _elements(value: object) -> frozenset[str]:
    """The texts of a set, pickled as an opcode or as a call of ``set([...])``."""
    if not isinstance(value, Node):
        return frozenset()
    listed = value.args[0] if isinstance(value.args, tuple) and value.args else ()
    elements = [key for key, _ in value.items] + list(listed if isinstance(listed, list) else ())
    return frozenset(element for element in elements if isinstance(element, str))


def _is_torchscript(value: object) -> bool:
    return (
        isinstance(value, Node)
        and isinstance(value.maker, Global)
        and value.maker.module.partition(".")[0] == TORCHSCRIPT
    )
