"""Names of a Keras model's weights, from the groups of the HDF5 file they lie in.

Keras before version 3 wrote ``dense/dense/kernel:0``, which is ``dense.kernel`` here: a layer
that is named again further on is named once, and the ``:0`` of TensorFlow goes, as do the signs
that transformers puts into names TensorFlow would refuse (``layer_._0``). Keras 3 writes
``layers/dense/vars/0``: the layer goes by its own name where the file has it, and the variable
by the name that its place has in a layer of that class; where it has none, ``dense.vars.0``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auditor.weights.hdf5_datasets import Dataset
from auditor.weights.hdf5_tree import Named, Path, Tree
from auditor.weights.keras_config import Described
from auditor.weights.keras_layout import Kind, Layout, layout
from auditor.weights.views import Unread

WHOLE = "model_weights"  # the group of a file that has the optimizer and a configuration too
ABOVE = "top_level_model_weights"  # those of no layer
TRAINING = frozenset({"optimizer", "optimizer_weights"})
CONTAINERS = frozenset({"layers", "_layer_checkpoint_dependencies"})
VARIABLES = {  # in the order Keras 3 numbers them; a layer may lack the last ones
    "conv": ("kernel", "bias"),
    "dense": ("kernel", "bias"),
    "embedding": ("embeddings",),
    "cell": ("kernel", "recurrent_kernel", "bias"),
    "separable": ("depthwise_kernel", "pointwise_kernel", "bias"),
}
NORMS = {  # the same, and none may be lacking
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "layer_normalization": ("gamma", "beta"),
    "group_normalization": ("gamma", "beta"),
}
CONVOLUTION = re.compile(r"(separable_|depthwise_)?conv[123]d(_transpose)?")
COUNTED = re.compile(r"_[0-9]+$")
TENSOR = re.compile(r":[0-9]+$")


@dataclass(frozen=True, slots=True)
class Called:
    """A weight by its name, and how it is handed over."""

    name: str
    layout: Layout | Unread


def is_keras(tree: Tree) -> bool:
    """Whether Keras wrote the file."""
    return bool(tree.listed & {(), (WHOLE,)}) or any(_is_numbered(n.path) for n in tree.found)


def of_model(tree: Tree) -> list[Named]:
    """The datasets that are the model's, and not its optimizer's."""
    if (WHOLE,) in tree.listed:
        return [named for named in tree.found if named.path[0] == WHOLE]
    return [named for named in tree.found if named.path[0] not in TRAINING]


def called(tree: Tree, named: Sequence[Named], model: Described) -> list[Called]:
    """A name and a layout for each of the weights, in their order."""
    beside: dict[Path, list[Named]] = {}
    for weight in named:
        beside.setdefault(weight.path[:-1], []).append(weight)
    found = []
    for weight in named:
        shape = weight.dataset.shape
        if _is_numbered(weight.path):
            groups = _groups(weight.path)
            labels = _labels(groups, tree.labels, model.names)
            kind = _class(groups[-1:], labels, model.kinds)
            own = _variable(weight.path[-1], kind, beside[weight.path[:-1]])
        else:
            *labels, own = _folded(weight.path)
            kind = _class((), labels, model.kinds)
        above = _class((), labels[:-1], model.kinds)
        how = layout(_plain(own), shape, labels[-1] if labels else "", kind, above)
        found.append(Called(".".join((*labels, own)), how))
    return found


def _is_numbered(path: Path) -> bool:
    return len(path) > 1 and path[-2] == "vars" and path[-1].isdecimal()


def _plain(own: str) -> str:
    """What a weight is by its name: ``kernel`` of ``kernel_1``, and of Keras 1's ``conv1_W_1``."""
    name = COUNTED.sub("", own.removeprefix("vars."))
    return "kernel" if name.endswith("_W") else name


def _groups(path: Path) -> Path:
    """The groups of a numbered variable; TensorFlow 2.12 joined them as Windows joins folders."""
    return tuple(part for group in path[:-2] for part in group.split("\\"))


def _labels(groups: Path, labels: Mapping[Path, str], names: Mapping[Path, str]) -> list[str]:
    """What the layers on the way to a variable are called."""
    found = []
    for end in range(1, len(groups) + 1):
        here = groups[:end]
        label = labels.get((*here, "vars")) or names.get(here)
        if label or here[-1] not in CONTAINERS:
            found.append(label or here[-1])
    return found


def _folded(path: Path) -> list[str]:
    """The parts of a name, without what TensorFlow and Keras wrote twice."""
    layer, *inner = path[1:] if path[0] == WHOLE else path
    if not inner or layer == ABOVE:
        parts = inner or [layer]
    elif layer in inner[:-1]:
        parts = inner[inner.index(layer) :]
    else:
        parts = [layer, *inner]
    parts[-1] = TENSOR.sub("", parts[-1])
    return [part.rpartition("___")[2].replace("_._", ".") for part in parts]


def _class(group: Path, labels: Sequence[str], kinds: Mapping[str, Kind]) -> Kind:
    """The class of the layer that is called last, by the configuration or by its names."""
    if labels and kinds.get(labels[-1], Kind()).name:
        return kinds[labels[-1]]
    names = [COUNTED.sub("", name) for name in (*group, *labels[-1:])]
    return Kind(next((name for name in names if _family(name)), names[-1] if names else ""))


def _family(kind: str) -> str:
    """Which of the tables' rows fits a class; empty where none does."""
    convolution = CONVOLUTION.fullmatch(kind)
    if convolution:
        return "separable" if convolution[1] == "separable_" else "conv"
    if kind in NORMS:
        return kind
    return next((end for end in ("dense", "embedding", "cell") if kind.endswith(end)), "")


def _variable(number: str, kind: Kind, beside: Sequence[Named]) -> str:
    """What Keras calls a variable that has only a number, or that number.

    A layer with integers is quantised, and has other variables at these places.
    """
    family = _family(kind.name)
    names = VARIABLES.get(family) or NORMS.get(family, ())
    is_whole = len(beside) == len(names) if family in NORMS else len(beside) <= len(names)
    is_quantised = any(_is_whole_numbers(weight.dataset) for weight in beside)
    known = dict(zip(map(str, range(len(names))), names, strict=True))
    return (
        known.get(number, f"vars.{number}") if is_whole and not is_quantised else f"vars.{number}"
    )


def _is_whole_numbers(dataset: Dataset | Unread) -> bool:
    return isinstance(dataset, Dataset) and "int" in dataset.element.label
