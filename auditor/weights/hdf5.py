"""``.h5``: what Keras saved before ``.keras``, its weights alone, and HDF5 of any other kind."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from auditor.errors import WeightsError
from auditor.records import Skip
from auditor.weights.formats import Blob, Contents, Format
from auditor.weights.hdf5_datasets import Dataset
from auditor.weights.hdf5_tree import Named, Tree, look
from auditor.weights.hdf5_values import array
from auditor.weights.keras_config import Described, parse
from auditor.weights.keras_layout import Layout, as_it_is
from auditor.weights.keras_names import Called, called, is_keras, of_model
from auditor.weights.tensors import Bytes, Tensor
from auditor.weights.views import Unread

ENDS = (".h5", ".hdf5")
SIGNATURE = b"\x89HDF\r\n\x1a\n"


def read(file: Blob) -> Contents:
    """The tensors of one file, in the order of their bytes.

    Raises
    ------
    WeightsError
        If the file cannot be parsed, or points to anything outside of it.
    """
    tree = look(file)
    return contents(file, tree, parse(tree.config, file.name))


def contents(file: Blob, tree: Tree, model: Described) -> Contents:
    """The tensors of a file that was looked at; Keras' ones in PyTorch's layout.

    Raises
    ------
    WeightsError
        If two of its datasets have one name.
    """
    kept, skipped = (of_model(tree) if is_keras(tree) else tree.found), []
    if len(kept) < len(tree.found):
        reason = "state of the training, not part of the model"
        skipped.append(Skip("optimizer", (), reason, read=False))
    tensors: list[Tensor] = []
    first: dict[int, str] = {}
    for named, one in zip(kept, _named(tree, kept, model), strict=True):
        part = _part(file, named.dataset, one)
        if (original := first.setdefault(named.address, one.name)) != one.name:
            skipped.append(Skip(one.name, part.shape, f"tied to {original}", part.dtype))
        elif isinstance(part, Tensor):
            tensors.append(part)
        else:
            skipped.append(part)
    return Contents(tuple(tensors), tuple(skipped), model.globals)


def _named(tree: Tree, kept: Sequence[Named], model: Described) -> Sequence[Called]:
    """Every dataset with a name of its own: where Keras' names are not, the file's own."""
    if is_keras(tree):
        found = called(tree, kept, model)
        if len({one.name for one in found}) == len(found):
            return found
        raw = ["/".join(named.path) for named in kept]
        found = [Called(name, one.layout) for name, one in zip(raw, found, strict=True)]
    else:
        found = [Called(".".join(n.path), as_it_is(n.dataset.shape)) for n in kept]
    if len({one.name for one in found}) < len(found):
        raise WeightsError("has two datasets that come to one name; rename one of them")
    return found


def _part(file: Blob, dataset: Dataset | Unread, one: Called) -> Tensor | Skip:
    if isinstance(dataset, Unread):
        return _skip(one.name, dataset, dataset.dtype)
    if isinstance(one.layout, Unread):
        return _skip(one.name, one.layout, dataset.element.label)
    read = partial(_bytes, file, dataset, one.layout)
    label, shape = dataset.element.label, one.layout.shape
    return Tensor(one.name, shape, label, file.name, read, stored=dataset.stored)


def _skip(name: str, unread: Unread, dtype: str) -> Skip:
    return Skip(name, unread.shape, f"unreadable: {unread.reason}", dtype, read=False)


def _bytes(file: Blob, dataset: Dataset, layout: Layout) -> Bytes:
    """The values in C order and little-endian, as `layout` has them."""
    found = array(file, dataset.values, dataset.element, dataset.shape).transpose(layout.axes)
    plain = np.ascontiguousarray(found, found.dtype.newbyteorder("<"))
    return plain.reshape(-1).view(np.uint8).data


def _matches(file: Blob, head: bytes) -> bool:
    return head.startswith(SIGNATURE) or file.name.lower().endswith(ENDS)


HDF5 = Format("HDF5", _matches, read)
