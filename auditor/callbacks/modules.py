"""What a trainer wraps around a model, and whether its weights are whole.

Told by names of classes and attributes, so that no library has to be there to be asked.
"""

from typing import Any

WRAPPERS = {"DistributedDataParallel", "DataParallel"}


def inner(model: Any) -> Any:  # noqa: ANN401 - a torch module, and torch is not imported here
    """The model itself, without what makes it parallel or compiled: its names are the user's."""
    while True:
        if type(model).__name__ in WRAPPERS:
            model = model.module
        elif hasattr(model, "_orig_mod"):
            model = model._orig_mod
        else:
            return model


def sharded(model: Any) -> str:  # noqa: ANN401 - as above
    """How the weights are parted among processes, in words; empty where they are whole."""
    if any(type(part).__name__ == "FullyShardedDataParallel" for part in model.modules()):
        return "the model is sharded by FSDP"
    for parameter in model.parameters():
        if type(parameter).__name__ == "DTensor" or hasattr(parameter, "placements"):
            return "the model is sharded (DTensor)"
        if hasattr(parameter, "ds_id"):
            return "the model is sharded by DeepSpeed ZeRO 3"
    return ""
