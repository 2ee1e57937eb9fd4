"""From a tensor to the matrices whose spectra are taken; nothing disappears silently.

A dense weight is one matrix. A convolution is one matrix (out × in) for each position of its
kernel, a stack of experts one for each expert. The matrices are views: nothing is copied and
the stored precision is kept.
"""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditor.naming import natural
from auditor.records import Layer, Matrix, Skip

MOST_SLICES = 4096  # more kernel positions or experts than any model has: one matrix instead
MOST_DIMENSIONS = 5
LARGEST = 2.0**480  # beyond it a sum of squares is infinite in float64
LONGEST_BLOCK = 9  # digits; a longer number is no position of a block

CONVOLUTIONS = {3: "conv1d", 4: "conv2d", 5: "conv3d"}
WRAPPERS = frozenset({"module", "model", "net", "_orig_mod"})
HEADS = frozenset(
    {"head", "heads", "lm_head", "classifier", "score", "fc", "logits", "cls", "qa_outputs"}
    | {"embed_out", "final_fc", "output_layer", "prediction_head"}
)
EMBEDDINGS = frozenset(
    {"wte", "wpe", "shared", "emb", "embed_tokens", "embed_positions", "tok_emb", "pos_emb"}
    | {"cls_token", "dist_token", "mask_token"}
)
EMBEDDING_ENDS = ("embed", "embedding", "embeddings")


def cut(name: str, array: NDArray[Any], dtype: str) -> Layer | Skip:
    """Cut a tensor into the matrices it acts by, or say why it has none.

    Parameters
    ----------
    name
        Of the tensor; decides only between readings of one and the same shape: experts or
        convolution, and the kind that reports show.
    array : any shape
        The values, floats narrower than float32 already widened.
    dtype
        As stored, before any widening.

    Returns
    -------
    Layer or Skip
        A layer's slices are views of `array`, all of one shape and finite. A value whose
        square does not fit float64 (above 2**480) counts as non-finite.
    """
    values = _trimmed(name, array)
    reason = _unfit(values)
    if reason is not None:
        return _skip(name, array, dtype, reason)
    if non_finite := _non_finite(values):
        return Skip(name, array.shape, "non-finite", dtype, non_finite=non_finite)
    kind = _kind(name, values.shape)
    return Layer(name, kind, dtype, array.shape, _slices(values, kind))


def order(names: Iterable[str]) -> list[str]:
    """Names in the order of the model: embeddings, then by dotted part, then the head.

    Digits compare as numbers, so that layer 10 comes after layer 9.

    Examples
    --------
    >>> order(["lm_head.weight", "h.10.fc.weight", "h.9.fc.weight", "wte.weight"])
    ['wte.weight', 'h.9.fc.weight', 'h.10.fc.weight', 'lm_head.weight']
    """
    return sorted(names, key=lambda name: (_group(name), natural(name), name))


def block(name: str) -> int | None:
    """First number in a name, the position of its block; None where there is none.

    Examples
    --------
    >>> block("model.layers.12.mlp.up_proj.weight")
    12
    """
    found = re.search(r"[0-9]+", name)
    if found is None or len(found.group()) > LONGEST_BLOCK:
        return None
    return int(found.group())


def _trimmed(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """The array without leading axes of 1 where the name says it is an embedding, not a conv."""
    if array.ndim < 3 or not _is_embedding(name):
        return array
    first = next((i for i, side in enumerate(array.shape) if side != 1), array.ndim - 1)
    return array.reshape(array.shape[first:])


def _unfit(values: NDArray[Any]) -> str | None:
    """Why an array has no spectrum, judged without its values unless it holds integers."""
    if values.dtype.kind in "biu" and values.ndim > 1 and values.size:
        return _integers(values)
    reasons = (
        (values.size == 0, "empty"),
        (values.ndim == 0, "scalar"),
        (values.ndim == 1, "vector"),
        (values.dtype.kind != "f", f"{values.dtype.name} values, only real ones are analysed"),
        (
            values.ndim > MOST_DIMENSIONS,
            f"{values.ndim} dimensions, at most {MOST_DIMENSIONS} are analysed",
        ),
    )
    return next((reason for applies, reason in reasons if applies), None)


def _integers(values: NDArray[Any]) -> str:
    """An index or mask, or weights quantised to a byte; only the latter count as unread."""
    if values.dtype.kind == "b" or values.dtype.itemsize > 1:
        return "integer index"
    is_mask = bool(values.min() >= 0 and values.max() <= 1)
    return "integer index" if is_mask else "quantised integers without a known scale"


def _skip(name: str, array: NDArray[Any], dtype: str, reason: str) -> Skip:
    """A skip with the account of its values: biases and normalisations are checked too."""
    if array.dtype.kind not in "fc" or array.size == 0:
        return Skip(name, array.shape, reason, dtype, read=not reason.startswith("quantised"))
    return Skip(
        name,
        array.shape,
        reason,
        dtype,
        read=array.ndim < 2 or (array.dtype.kind == "f" and array.ndim <= MOST_DIMENSIONS),
        non_finite=int(array.size - np.count_nonzero(np.isfinite(array))),
        all_zero=not array.any(),
    )


def _non_finite(values: NDArray[Any]) -> int:
    """How many values are nan, infinite, or have a square that is."""
    largest = max(float(values.max()), -float(values.min()))  # nan if any value is
    if largest <= LARGEST:
        return 0
    limit = min(LARGEST, float(np.finfo(values.dtype).max))
    return int(values.size - np.count_nonzero(np.abs(values) <= limit))


def _kind(name: str, shape: tuple[int, ...]) -> str:
    """What acts through the tensor."""
    if len(shape) > 2:
        if len(shape) == 3 and any("expert" in part for part in name.lower().split(".")):
            return "experts"
        depthwise = shape[1] == 1 and np.prod(shape[2:], dtype=np.int64) > 1
        return "depthwise" if depthwise else CONVOLUTIONS[len(shape)]
    return ("embedding", "dense", "head")[_group(name)]


def _slices(values: NDArray[Any], kind: str) -> tuple[Matrix, ...]:
    """The matrices of a tensor, as views."""
    if values.ndim == 2:
        return (values,)
    rows = values.shape[0]
    if kind == "experts":
        stack = values
    elif kind == "depthwise":
        return (values.reshape(rows, -1),)
    else:
        stack = np.moveaxis(values.reshape(*values.shape[:2], -1), 2, 0)
    if len(stack) > MOST_SLICES:
        return (values.reshape(rows, -1),)
    return tuple(stack)


def _group(name: str) -> int:
    """0 embedding, 1 in between, 2 head."""
    parts = _parts(name)
    if _is_embedding(name):
        return 0
    is_head = parts[0] in HEADS or parts == ["output"]  # the latter as Llama was published
    return 2 if is_head else 1


def _is_embedding(name: str) -> bool:
    """Whether the module that holds the tensor is an embedding by its name."""
    last = _parts(name)[-1]
    return last in EMBEDDINGS or last.endswith(EMBEDDING_ENDS)


def _parts(name: str) -> list[str]:
    """Dotted parts in lower case, without wrappers in front and ``weight`` at the end."""
    parts = name.lower().split(".")
    start = next((i for i, part in enumerate(parts) if part not in WRAPPERS), 0)
    end = len(parts) - 1 if parts[-1] == "weight" and len(parts) - start > 1 else len(parts)
    return parts[start:end]
