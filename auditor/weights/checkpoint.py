"""From what a pickle says to named tensors: state dicts, modules, checkpoints.

Names are those of ``state_dict()``. Nothing here knows where the numbers lie.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from auditor.errors import WeightsError
from auditor.records import Skip
from auditor.weights.pickles import Global, Node
from auditor.weights.torch_values import rebuilt
from auditor.weights.views import Unread, View
from auditor.weights.wrappers import unwrapped

CHOSEN = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "module",
    "net",
    "network",
    "weights",
    "params",
    # a checkpoint with averaged weights alone; beside others they are a copy
    "ema",
    "ema_state_dict",
    "model_ema",
    "ema_model",
    "state_dict_ema",
    "params_ema",
)
TRAINING = re.compile(r"^optim|optimizer|(^|_)schedulers?(_|$)|rng_states?$", re.IGNORECASE)
OPTIMIZER = {"state", "param_groups"}  # what every torch.optim.Optimizer's state dict has
DEEPSPEED = ("ds_version", "ds_config", "zero_stage")
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
        If there is no tensor of a model in it, or it is nested too deeply to be one.
    """
    walk = _Walk()
    beside: list[Skip] = []
    _must_be_whole(value, walk)
    while chosen := _chosen(value, walk):
        reason = f"stands beside {chosen!r} in the checkpoint, not part of the model"
        others = ((key, part) for key, part in mapping(value).items() if key != chosen)
        beside.extend(_skip(key, reason) for key, part in others if any(walk.named(part)))
        value = mapping(value)[chosen]
    named = dict(walk.named(value))
    reason = "state of the training, not part of the model"
    beside.extend(_skip(name, reason) for name, found in named.items() if found is None)
    tensors, copies = unwrapped({name: found for name, found in named.items() if found})
    if not tensors:
        raise WeightsError(_without_tensors(beside))
    return Found(tensors, (*beside, *copies))


def _must_be_whole(value: object, walk: "_Walk") -> None:
    """Refuse the share of a model that one process of DeepSpeed's ZeRO keeps."""
    entries = mapping(value)
    inner = {**entries, **mapping(entries.get("optimizer_state_dict"))}
    if any(key in inner for key in DEEPSPEED):
        views = (view for _, view in walk.named(entries.get(_chosen(value, walk) or "module")))
        if all(view is None or 0 in view.shape for view in views):
            raise WeightsError(
                "holds one process's share of a DeepSpeed ZeRO checkpoint; run the "
                "zero_to_fp32.py in its folder and audit what that writes"
            )


def _without_tensors(beside: Sequence[Skip]) -> str:
    if beside:
        return f"holds no weights: {beside[0].name[:200]!r} is {beside[0].reason}"
    return "holds no tensor: neither a state dict nor a module"


def _chosen(value: object, walk: "_Walk") -> str | None:
    """The key of a checkpoint under which its model lies."""
    entries = mapping(value)
    for key in CHOSEN:
        part = entries.get(key)
        if isinstance(part, Node) and rebuilt(part) is None and walk.holds_tensor(part):
            return key
    return None


def _skip(name: str, reason: str) -> Skip:
    return Skip(name[:NAME_LIMIT], (), reason, read=False)


class _Walk:
    """A walk over a value that any pickle may have made: shared, endless, or huge."""

    def __init__(self) -> None:
        self._left = VISITS_LIMIT

    def named(
        self, value: object, name: str = "", depth: int = 0
    ) -> Iterator[tuple[str, View | Unread | None]]:
        """Every tensor below a value, with its dotted name; None for the state of an optimizer."""
        self._left -= 1 + len(name) // 100  # long names cost memory
        if self._left < 0 or depth > DEPTH_LIMIT or len(name) > NAME_LIMIT:
            raise WeightsError("is nested too deeply or too widely to be a model")
        tensor = rebuilt(value)
        if tensor is not None:
            yield name or "tensor", tensor
        elif not _is_training(name, value):
            yield from self._below(value, name, depth)
        elif any(self._below(value, name, depth)):
            yield name or "the whole file", None

    def _below(
        self, value: object, name: str, depth: int
    ) -> Iterator[tuple[str, View | Unread | None]]:
        for key, child in _children(value):
            yield from self.named(child, f"{name}.{key}" if name else key, depth + 1)

    def holds_tensor(self, value: object) -> bool:
        """Whether there is a tensor of a model below a value."""
        return any(found is not None for _, found in self.named(value))


def _is_training(name: str, value: object) -> bool:
    """Whether a container holds the state of an optimizer, a schedule or a random generator."""
    if not isinstance(value, Node | list | tuple) or "_parameters" in _state(value):
        return False
    last = name.rpartition(".")[2]
    return bool(TRAINING.search(last)) or mapping(value).keys() >= OPTIMIZER


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
        yield from mapping(value).items()


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
