"""The Python API: ``auditor.smooth`` and ``auditor.sharpen``, always of a copy."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, TypeVar

import numpy as np

from auditor.errors import UsageError
from auditor.given import place, tensor_of
from auditor.records import FloatArray, Layer, Matrix
from auditor.spectral.matrices import cut
from auditor.transforms import RULES, Keep, sharpened, smoothed
from auditor.weights.tensors import Tensor

Model = TypeVar("Model")
Change = Callable[[Sequence[Matrix]], Sequence[Matrix]]


def smooth(model: Model, keep: Keep) -> Model:
    """A copy in which every matrix has only its strongest directions.

    Parameters
    ----------
    model
        A ``torch.nn.Module``, a state dict (name -> tensor or array), or one tensor or array.
        It stays as it is.
    keep
        A whole number k: the best approximation of rank k, of each slice of a convolution.
        A fraction such as 0.9, or ``"90%"``: the fewest eigenvalues that hold this share of
        the sum of a layer's. ``"alpha_min"``: those in the tail of its power-law fit.
        ``"detX"``: the largest, up to where their product is 1.

    Returns
    -------
    of the type of `model`
        Values of the types they had. What has no spectrum (biases, integers, what is not
        finite) and layers for which the rule is undefined are as they were.

    Raises
    ------
    UsageError
        If `model` is none of these, or `keep` is no rule.

    Examples
    --------
    >>> import numpy as np
    >>> noisy = np.diag([3.0, 2.0, 0.1])
    >>> smooth(noisy, 2).round(12).diagonal().tolist()
    [3.0, 2.0, 0.0]
    """
    return _transformed(model, partial(smoothed, keep=_rule(keep)))


def sharpen(model: Model, *, seed: int = 0) -> Model:
    """A copy without correlation traps: huge entries that no structure explains.

    Parameters
    ----------
    model
        A ``torch.nn.Module``, a state dict (name -> tensor or array), or one tensor or array.
        It stays as it is.
    seed
        Of the random orders that traps are found in.

    Returns
    -------
    of the type of `model`
        Values of the types they had; matrices without a trap are as they were, bit by bit.

    Raises
    ------
    UsageError
        If `model` is none of these.
    """
    return _transformed(model, partial(sharpened, seed=seed))


def _rule(keep: object) -> Keep:
    """A rule as it was meant: ``"90%"`` is 0.9."""
    if isinstance(keep, str) and keep in RULES:
        return keep
    if isinstance(keep, int | np.integer) and not isinstance(keep, bool) and keep >= 1:
        return int(keep)
    share = _share(keep)
    if not 0.0 < share <= 1.0:
        raise UsageError(
            f"found keep={keep!r}; expected a rank of 1 or more, a share such as 0.9 or '90%', "
            f"or one of {', '.join(RULES)}"
        )
    return share


def _share(keep: object) -> float:
    """A fraction, or a percentage in words; 0 for anything else."""
    if isinstance(keep, float | np.floating):
        return float(keep)
    if isinstance(keep, str) and keep.endswith("%"):
        try:
            return float(keep[:-1]) / 100.0
        except ValueError:
            return 0.0
    return 0.0


def _transformed(model: Model, change: Change) -> Model:
    _values(model)  # refuses what is no model before it is copied
    copied = deepcopy(model)
    done = set()
    for name, value in _values(copied):
        tensor = tensor_of(name, value)
        if tensor and place(value) not in done:  # tied weights are one
            done.add(place(value))
            _transform(tensor, value, change)
    return copied


def _values(model: object) -> list[tuple[str, Any]]:
    """What a model holds, by name."""
    if hasattr(model, "state_dict") and not isinstance(model, type):
        model = model.state_dict()
    if isinstance(model, Mapping):
        return [(str(name), value) for name, value in model.items()]
    if isinstance(model, np.ndarray) or hasattr(model, "data_ptr"):
        return [("weight", model)]
    raise UsageError(
        f"found a {type(model).__name__}; expected a torch module, a state dict, a tensor or "
        "an array"
    )


def _transform(tensor: Tensor, value: Any, change: Change) -> None:  # noqa: ANN401 - of any library
    """Put the changed slices of a tensor into it; leave alone what has no spectrum."""
    array = tensor.array(tensor.read())
    if array.dtype.kind != "f":
        return
    whole = array.astype(np.float64)
    layer = cut(tensor.name, whole, tensor.dtype)
    if not isinstance(layer, Layer):
        return
    is_changed = False
    for matrix, changed in zip(layer.slices, change(layer.slices), strict=True):
        if changed is not matrix:
            matrix[...] = changed
            is_changed = True
    if is_changed:
        _write(value, whole)


def _write(value: Any, array: FloatArray) -> None:  # noqa: ANN401 - of any library
    if isinstance(value, np.ndarray):
        value[...] = array
        return
    import torch  # noqa: PLC0415 - the caller has it

    value.detach().copy_(torch.from_numpy(array))
