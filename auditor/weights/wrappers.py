"""What training leaves around a model's names: wrappers, and averaged copies beside them."""

from collections.abc import Mapping

from auditor.errors import WeightsError
from auditor.records import Skip
from auditor.weights.views import Unread, View

WRAPPERS = (  # of torch.compile, of fully sharded training, of activation checkpointing
    "_orig_mod.",
    "_fsdp_wrapped_module.",
    "_checkpoint_wrapped_module.",
)
AVERAGES = ("model_ema.", "ema_model.", "module_ema.", "ema.")  # before the name they average
AVERAGED = "n_averaged"  # the counter of torch.optim.swa_utils.AveragedModel
FLAT = "_flat_param"  # all parameters of a block in one vector, cut among processes

Found = Mapping[str, View | Unread]


def unwrapped(found: Found) -> tuple[dict[str, View | Unread], list[Skip]]:
    """Tensors under the names that the model itself gives them.

    Parameters
    ----------
    found
        By the name in the file.

    Returns
    -------
    tensors
        By name. The names stay as they are where two would become one.
    copies
        The exponential moving averages that lie among the weights they are made of.

    Raises
    ------
    WeightsError
        If the names are those of one process's share of a model.
    """
    if any(name.endswith(FLAT) for name in found):
        raise WeightsError(
            "holds one process's share of a model (FSDP), flattened; "
            "gather a full state dict and save that"
        )
    renamed = {_bare(name): view for name, view in found.items()}
    tensors = renamed if len(renamed) == len(found) else dict(found)
    if all(name.startswith("module.") for name in tensors if name != AVERAGED):
        tensors.pop(AVERAGED, None)
    copies = _copies(tensors)
    reason = "a moving average (EMA) of the weights beside it, counted once"
    for name in copies:
        del tensors[name]
    return tensors, [Skip(name, (), reason, read=False) for name in copies]


def _bare(name: str) -> str:
    for wrapper in WRAPPERS:
        name = name.replace(wrapper, "")
    return name


def _copies(tensors: Found) -> list[str]:
    """Names of averages whose plain tensor is there too, in the same shape."""
    plain: dict[str, tuple[int, ...]] = {}
    for name, view in tensors.items():
        # some averages are named without the dots, and without the model's own attribute
        for known in (name, name.replace(".", "")):
            plain[known] = view.shape
            plain[known.removeprefix("model").removeprefix(".")] = view.shape
    averages = (
        (name, name.removeprefix(prefix))
        for prefix in AVERAGES
        for name in tensors
        if name.startswith(prefix)
    )
    return [name for name, inner in averages if plain.get(inner) == tensors[name].shape]
