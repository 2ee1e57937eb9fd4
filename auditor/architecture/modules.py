"""Which module holds which tensor, of a model that is there as an object."""

from collections.abc import Iterator
from typing import Any

from auditor.records import Module

WEIGHT_NORM = (  # how the halves of a weight are called now and were called before
    (".parametrizations.weight.original0", ".weight_g"),
    (".parametrizations.weight.original1", ".weight_v"),
)
INSIDE = ".parametrizations."


def modules_of(model: Any) -> dict[str, Module]:  # noqa: ANN401 - a torch module
    """The module of every tensor in ``model.state_dict()``, in that order."""
    owners = dict(model.named_modules(remove_duplicate=False))
    first: dict[int, str] = {}
    found = {}
    for position, (name, value) in enumerate(model.state_dict(keep_vars=True).items()):
        owner = owners.get(name.partition(INSIDE)[0] if INSIDE in name else _owner(name))
        if owner is None or not hasattr(value, "shape"):
            continue
        original = first.setdefault(id(value), name)
        found[name] = Module(
            **_described(owner, tuple(value.shape)),
            position=position,
            tied=original if original != name else "",
        )
    return found


def plain_name(name: str) -> str:
    """A tensor's name as files have it, whichever way its weight is normalised."""
    for now, before in WEIGHT_NORM:
        name = name.replace(now, before)
    return name


def _owner(name: str) -> str:
    return name.rpartition(".")[0]


def _described(owner: Any, shape: tuple[int, ...]) -> dict[str, Any]:  # noqa: ANN401
    """Kind of a module, as far as it explains a tensor of this shape."""
    kind = next(_kinds(owner, shape), "other")
    if not kind.startswith("conv"):
        return {"kind": kind, "shape": shape}
    return {
        "kind": kind,
        "shape": shape,
        "groups": owner.groups,
        "transposed": owner.transposed,
    }


def _kinds(owner: Any, shape: tuple[int, ...]) -> Iterator[str]:  # noqa: ANN401
    from torch import nn  # noqa: PLC0415 - slow to import, and the caller has it
    from torch.nn.modules.conv import _ConvNd  # noqa: PLC0415

    if isinstance(owner, _ConvNd):
        ends = (owner.out_channels, owner.in_channels)
        rows, cols = reversed(ends) if owner.transposed else ends
        if shape == (rows, cols // owner.groups, *owner.kernel_size):
            yield f"conv{len(owner.kernel_size)}d"
    elif isinstance(owner, nn.Embedding | nn.EmbeddingBag):
        yield "embedding"
    elif isinstance(owner, nn.RNNBase | nn.RNNCellBase):
        yield "rnn"
    elif isinstance(owner, nn.Linear):
        yield "linear"
