"""A process of its own: a configuration comes in, the modules of its model go out.

The model is made on torch's meta device, where tensors have shapes and no values. Nothing is
fetched, and no code but that of transformers is run.
"""

import json
import sys
from dataclasses import asdict
from typing import Any

from auditor.architecture.modules import modules_of

MEMORY = 3 * 1024**3  # bytes; a model of 5000 tensors takes a tenth
SECONDS = 60  # of a processor
MOST = 500_000  # tensors
LEFT_OUT = frozenset(  # what would ask for code or files from elsewhere
    {"auto_map", "quantization_config", "_name_or_path", "name_or_path"}
    | {"attn_implementation", "_attn_implementation", "_attn_implementation_internal"}
    | {"experts_implementation", "_experts_implementation"}
)


def main() -> None:
    """Read JSON from stdin, write JSON to stdout."""
    _limit()
    told, sys.stdout = sys.stdout, sys.stderr  # libraries may print
    found = modules_of(_model(json.load(sys.stdin.buffer)))
    if len(found) > MOST:
        raise SystemExit(f"{len(found)} tensors are more than any model has")
    json.dump({name: asdict(module) for name, module in found.items()}, told)


def _limit() -> None:
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def _model(values: dict[str, Any]) -> Any:  # noqa: ANN401
    import transformers  # noqa: PLC0415

    plain = {key: value for key, value in values.items() if key not in LEFT_OUT}
    config = transformers.CONFIG_MAPPING[plain["model_type"]].from_dict(plain)
    import torch  # noqa: PLC0415 - only now: for an unknown model it would be in vain

    with torch.device("meta"):
        made = _named(transformers, plain.get("architectures"))
        if made is not None:
            return made(config)
        automatic: Any = transformers.AutoModel
        return automatic.from_config(config, trust_remote_code=False)


def _named(transformers: Any, architectures: object) -> Any:  # noqa: ANN401
    """The class that a configuration names, if it is one of the library's models."""
    name = architectures[0] if isinstance(architectures, list) and architectures else None
    found = getattr(transformers, name, None) if isinstance(name, str) else None
    is_model = isinstance(found, type) and issubclass(found, transformers.PreTrainedModel)
    return found if is_model else None


if __name__ == "__main__":
    main()
