"""What a caller gives as a model: a module, a state dict, a path, a reference."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from auditor.architecture.building import build
from auditor.architecture.modules import modules_of
from auditor.config.models import Limits
from auditor.errors import UsageError
from auditor.fetching import Space, ranged
from auditor.memory import Passing
from auditor.records import ModelVersion, Module, Reading, Skip, VersionId
from auditor.refs import find
from auditor.wall.jobs import (
    Against,
    Desk,
    Examined,
    Job,
    Memory,
    Progress,
    Terms,
    any_weights,
    at_leisure,
)
from auditor.wall.process import Child
from auditor.weights import Inventory, opened
from auditor.weights.tensors import Bytes, Tensor, is_decodable

Place = str | os.PathLike[str]  # a path, or a reference
PLACE = (str, os.PathLike)
UNDATED = datetime.fromtimestamp(0, UTC)  # what is compared here has no place among versions


def examined(
    model: object, before: object, terms: Terms, progress: Progress, memory: Memory | None = None
) -> Examined:
    """Read and measure a model, and how far it is from another one.

    Paths and references are read and measured in a process of their own, as audits are. What
    is in the caller's memory is measured where it is, and so is a path that is compared with
    it.

    Parameters
    ----------
    model, before
        As for `auditor.compare`; None for `before` where there is nothing to compare with.
    memory
        Of what was measured before; None for what this call alone measures.

    Raises
    ------
    UsageError
        If one of them is nothing that has weights.
    """
    desk = Desk(memory or Passing(), progress, any_weights, build, at_leisure)
    if isinstance(model, PLACE) and isinstance(before, (*PLACE, type(None))):
        with Child() as child:  # it imports what it needs while the model is looked up
            return child.run(_job(model, before, terms), desk)
    from auditor.wall.working import measured  # noqa: PLC0415 - only for what is in memory

    with ExitStack() as stack:
        inventory = stack.enter_context(inventory_of(model))
        other = None if before is None else stack.enter_context(inventory_of(before))
        named = None if other is None else (_unnumbered(called(before)), other)
        return measured(inventory, named, terms, desk)


def _job(model: Place, before: Place | None, terms: Terms) -> Job:
    """What is to be read of paths and references."""
    named = find(os.fspath(model), None)
    files, fetch = named.files(), partial(ranged, terms=terms, space=Space(Path(), Limits().disk))
    against = None
    if before is not None:
        base = find(os.fspath(before), None).files()
        version = _unnumbered(called(before))
        against = Against(version, base, ranged=fetch(base), needed=True)
    return Job(files, named.version.uri, terms, against, ranged=fetch(files))


def _unnumbered(name: str) -> ModelVersion:
    """What is compared with, which is no version of anything."""
    return ModelVersion(VersionId("", name, ""), UNDATED, uri=name, location="")


def called(model: object) -> str:
    """A path or reference as it was given; of what is in memory only its type."""
    if isinstance(model, PLACE):
        return str(os.fspath(model))
    return f"a {type(model).__name__} in memory"


@contextmanager
def inventory_of(model: object) -> Iterator[Inventory]:
    """The tensors of a module, a state dict, or what a path or reference names.

    Raises
    ------
    UsageError
        If `model` is nothing that has weights.
    """
    if isinstance(model, PLACE):
        named = find(os.fspath(model), None)
        with opened(named.files(), named.version.uri) as inventory:
            yield inventory
        return
    modules: Mapping[str, Module] = {}
    if hasattr(model, "state_dict") and not isinstance(model, type):
        modules = _modules(model)
        model = model.state_dict()
    if not isinstance(model, Mapping):
        raise UsageError(
            f"found a {type(model).__name__}; expected a torch module, a state dict, "
            "a path or a models:/ reference"
        )
    inventory = _in_memory(model)
    if not inventory.tensors:
        raise UsageError(
            f"found a mapping without one array that can be read, its keys are {_few(model)}; "
            "expected names and tensors: of a checkpoint, pass the state dict inside"
        )
    yield replace(inventory, modules=modules)


def _modules(model: Any) -> dict[str, Module]:  # noqa: ANN401 - whatever has a state dict
    """What holds each tensor; the order of their names stays that of files."""
    if not hasattr(model, "named_modules"):
        return {}
    return {name: replace(module, position=None) for name, module in modules_of(model).items()}


def _few(state: Mapping[str, Any]) -> str:
    shown = [repr(name)[:40] for name in list(state)[:5]]
    return ", ".join(shown) + (" …" if len(state) > 5 else "") if shown else "none"


def _in_memory(state: Mapping[str, Any]) -> Inventory:
    """Tensors of a state dict; those that share their memory are counted once."""
    if len({str(name) for name in state}) < len(state):
        raise UsageError("two keys of the state dict are the same as text; rename one of them")
    tensors: list[Tensor] = []
    skipped: list[Skip] = []
    first: dict[tuple[object, ...], str] = {}
    for name, value in state.items():
        tensor = tensor_of(str(name), value)
        if tensor is None:
            reason = f"unreadable: a {_kind(value)} is no plain array in memory"
            shape = tuple(getattr(value, "shape", ()))
            skipped.append(Skip(str(name), shape, reason, read=False))
            continue
        where = place(value)
        if tensor.nbytes and where in first:
            skipped.append(Skip(tensor.name, tensor.shape, f"tied to {first[where]}", tensor.dtype))
            continue
        first[where] = tensor.name
        tensors.append(tensor)
    total = sum(tensor.nbytes for tensor in tensors)
    return Inventory(tuple(tensors), tuple(skipped), Reading(files=(), bytes_read=total))


def place(value: Any) -> tuple[object, ...]:  # noqa: ANN401 - a tensor or an array
    """Where its values lie in memory, and as what: equal for tied weights."""
    if hasattr(value, "data_ptr"):
        return value.data_ptr(), tuple(value.shape), tuple(value.stride()), value.dtype
    return value.ctypes.data, value.shape, value.strides, value.dtype


def tensor_of(name: str, value: Any) -> Tensor | None:  # noqa: ANN401 - whatever a dict may hold
    """A dense array with values; None for what is sparse, quantised, on no device, or no array."""
    if hasattr(value, "data_ptr"):
        dtype = str(value.dtype).removeprefix("torch.")
        dense = str(value.layout) == "torch.strided" and value.device.type != "meta"
        read: Callable[[], Bytes] = partial(_torch_bytes, value)
    elif isinstance(value, np.ndarray):
        dtype, dense = value.dtype.name, True
        read = partial(_numpy_bytes, value)
    else:
        return None
    if not dense or not is_decodable(dtype):
        return None
    return Tensor(name, tuple(value.shape), dtype, "", read)


def _kind(value: object) -> str:
    """What a value is, with the element type and layout of an array."""
    parts = (getattr(value, part, None) for part in ("dtype", "layout", "device"))
    return " ".join([type(value).__name__, *(str(part) for part in parts if part is not None)])


def _torch_bytes(value: Any) -> memoryview:  # noqa: ANN401 - torch is not imported here
    """Of a tensor, without a copy where it lies on the processor as it is."""
    flat = value.detach().cpu().contiguous().reshape(-1)
    import torch  # noqa: PLC0415 - the caller has it

    return _plain(flat.view(torch.uint8).numpy())


def _numpy_bytes(value: np.ndarray[Any, Any]) -> memoryview:
    little = value.astype(value.dtype.newbyteorder("<"), copy=False)
    return _plain(np.ascontiguousarray(little).reshape(-1).view(np.uint8))


def _plain(octets: np.ndarray[Any, Any]) -> memoryview:
    return octets.data.toreadonly()
