"""What PyTorch's own pickles call to make a tensor, re-stated without PyTorch.

References
----------
``torch/_utils.py`` and ``torch/_tensor.py`` of PyTorch 2.13; older forms since 0.4.
"""

from collections.abc import Callable, Sequence

from auditor.errors import WeightsError
from auditor.weights.pickles import Global, Node, Reference
from auditor.weights.tensors import whole_numbers
from auditor.weights.views import Unread, View, checked_view

STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "UntypedStorage": "uint8",
}
PREFIX = "torch._utils._rebuild_"
PARAMETERS = (f"{PREFIX}parameter", f"{PREFIX}parameter_with_state")
SUBCLASS = "torch._tensor._rebuild_from_type_v2"  # (function, type, arguments, state)
SIZES = {  # which argument of a kind that is not read is its shape
    "wrapper_subclass": 2,
    "qtensor": 2,
    "meta_tensor_no_storage": 1,
    "device_tensor_from_numpy": 0,
}
DEPTH = 10  # a parameter around a subclass around a tensor; no real one is deeper


def rebuilt(value: object, depth: int = 0) -> View | Unread | None:
    """The tensor a pickled call would make; None where the value is no tensor.

    Raises
    ------
    WeightsError
        If the call's numbers make no sense.
    """
    if not isinstance(value, Node) or not isinstance(value.maker, Global) or depth > DEPTH:
        return None
    args = value.args if isinstance(value.args, tuple) else ()
    inner = _wrapped(value.maker.path, args)
    if inner is not None:
        return rebuilt(inner, depth + 1)
    if not value.maker.path.startswith(PREFIX):
        return None
    build = BUILDERS.get(value.maker.path.removeprefix(PREFIX))
    return build(args) if build else _foreign(value.maker.path, args)


def _wrapped(path: str, args: Sequence[object]) -> object:
    """The tensor inside a parameter or an instance of a subclass; None where there is none."""
    if path in PARAMETERS and args:
        return args[0]
    if path == SUBCLASS and len(args) == 4:
        return Node(args[0], args[2])
    return None


def _tensor(args: Sequence[object]) -> View | Unread:
    """``_rebuild_tensor`` and ``_v2``: (storage, offset, size, stride, ..., metadata)."""
    return _viewed(args, storage_dtype(args[0] if args else None), metadata=args[6:7])


def _tensor_v3(args: Sequence[object]) -> View | Unread:
    """``_v3`` names its element type; the storage is one of bytes."""
    named = args[6] if len(args) > 6 else None
    return _viewed(args, named.name if isinstance(named, Global) else "", metadata=args[7:8])


def _viewed(args: Sequence[object], dtype: str, metadata: Sequence[object]) -> View | Unread:
    if len(args) < 4:
        return Unread("its pickled description is damaged")
    offset, shape, strides = args[1], _sizes(args[2]), args[3]
    key = storage_key(args[0])
    if key is None or not dtype:
        return Unread("it lies in a storage of unknown kind")
    if any(isinstance(part, Node) and part.items for part in metadata):
        return Unread("it is a lazily conjugated or negated view")
    return checked_view(key, dtype, shape, strides, offset)


def _sizes(value: object) -> object:
    """A tuple of sizes, also where it was pickled as ``torch.Size((...))``."""
    if isinstance(value, Node) and isinstance(value.maker, Global) and value.maker.name == "Size":
        return value.args[0] if isinstance(value.args, tuple) and value.args else value
    return value


def storage_dtype(storage: object) -> str:
    """Element type of a reference to a storage, empty where it is unknown."""
    parts = storage_parts(storage)
    kind = parts[1] if parts else None
    return STORAGES.get(kind.name, "") if isinstance(kind, Global) else ""


def storage_parts(storage: object) -> tuple[object, ...]:
    """(``storage``, type, key, location, length, ...) of a reference to a storage, or ()."""
    where = storage.id if isinstance(storage, Reference) else None
    if isinstance(where, tuple) and len(where) >= 5 and where[0] in ("storage", b"storage"):
        return where
    return ()


def storage_key(storage: object) -> str | None:
    """The name a storage goes by in its file."""
    parts = storage_parts(storage)
    if len(parts) > 5 and parts[5] is not None:
        return None  # a view of a storage, last written by PyTorch 0.3
    key = parts[2] if parts else None
    return key if isinstance(key, str) else None


def _foreign(path: str, args: Sequence[object]) -> Unread:
    """A tensor of a kind that has no plain values: quantised, sparse, nested, on no device."""
    kind = path.removeprefix(PREFIX)
    where = args[0] if args else None
    if isinstance(where, Global) and where.module.startswith("torch.distributed."):
        reason = "one process's share of it is here (FSDP); gather a full state dict and save that"
    else:
        shown = kind.replace("_", " ").strip()[:50]
        reason = f"a {shown} is not read here; save it as a plain dense tensor"
    at = SIZES.get(kind, len(args))
    return Unread(reason, _shape(args[at] if at < len(args) else ()))


def _shape(value: object) -> tuple[int, ...]:
    """Sizes, where they are such; what is not read needs no exact ones."""
    sizes = _sizes(value)
    try:
        return whole_numbers(sizes, "a size")
    except WeightsError:
        return ()


BUILDERS: dict[str, Callable[[Sequence[object]], View | Unread]] = {
    "tensor": _tensor,
    "tensor_v2": _tensor,
    "tensor_v3": _tensor_v3,
}
