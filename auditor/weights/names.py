"""What a file of a version is for, told by its name alone."""

import re
from pathlib import PurePosixPath

from auditor.records import Role

READ = (  # for error messages
    *("*.safetensors", "*.pt2", "*.pt", "*.pth", "*.bin", "*.ckpt", "*.gguf", "*.onnx"),
    *("*.keras", "*.h5", "*.npz", "*.npy", "*.tflite"),
)

WEIGHTS = re.compile(
    r"\.(safetensors|pt2?|pth(\.tar)?|th|bin|ckpt|h5|hdf5|keras|onnx|gguf|ggml|pb|tflite|pkl"
    r"|pickle|joblib|skops|np[yz]|msgpack|ot|t7|pdi?params|caffemodel|nemo|cb|lgb|ubj|mlmodel)$",
    re.IGNORECASE,
)
INDEX = re.compile(r"\.(safetensors|bin)\.index(\.\w+)?\.json$", re.IGNORECASE)
NO_WEIGHTS = re.compile(  # files that look like weights and hold something else
    r"^(optimizer|optim|scheduler|scaler|rng_state|training_args|trainer_state|sample_inputs?"
    r"|input_example|serving_input_example|python_model|tokenizer|vocab|processor)\b.*"
    r"|^rng_state_\d+\..*|^saved_model\.pb\.txt$",
    re.IGNORECASE,
)
ASIDE = {"components", "code", "extra_files", "metadata", "__MACOSX", ".git"}  # folders
PIPELINES = frozenset({"model_index.json", "modules.json"})  # list the components beside them
CONFIGS = frozenset(
    {"config.json", "adapter_config.json", "mlmodel", "quant_config.json"}
    | {"quantize_config.json", *PIPELINES}
)


def role_of(name: str) -> Role:
    """What a file is for.

    Parameters
    ----------
    name
        Relative to the version's root, with forward slashes.

    Examples
    --------
    >>> role_of("model/model-00001-of-00002.safetensors"), role_of("optimizer.pt")
    (<Role.WEIGHTS: 'weights'>, <Role.OTHER: 'other'>)
    """
    path = PurePosixPath(name)
    if INDEX.search(path.name):
        return Role.INDEX
    if path.name.lower() in CONFIGS:
        return Role.CONFIG
    if path.name.lower() == "readme.md":
        return Role.CARD
    return Role.WEIGHTS if is_weight_file(name) else Role.OTHER


def leads_out(name: str) -> bool:
    """Whether a file that another one names lies elsewhere than beside it or in a folder below.

    Examples
    --------
    >>> [leads_out(name) for name in ("a/b.bin", "../b.bin", "/etc/passwd", "https://a/b.bin")]
    [False, True, True, True]
    """
    path = PurePosixPath(name)
    is_elsewhere = path.is_absolute() or ".." in path.parts or "://" in name
    return is_elsewhere or not name or not name.isprintable()


def is_weight_file(name: str) -> bool:
    """Whether a file by this name holds weights, in a format that is read here or not."""
    path = PurePosixPath(name)
    if ASIDE & set(path.parts[:-1]) or path.name.startswith("."):
        return False
    return bool(WEIGHTS.search(path.name)) and not NO_WEIGHTS.match(path.name)
