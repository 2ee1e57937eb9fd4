"""What a model's JSON files say of it: attention heads, an adapter's scale, tied weights.

Hostile input: every value is checked where it is used, and what does not fit is not there.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from auditor.errors import WeightsError
from auditor.spectral.fused import Heads

Config = Mapping[str, Any]

NESTING = 3  # a vision model's part of a part of a configuration
DEEPEST = 32
MOST = 1000  # parts of a configuration, or modules with a scale of their own
HEADS = ("num_attention_heads", "n_head", "num_heads", "n_heads", "encoder_attention_heads")
KEY_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv", "kv_n_heads")
HEAD_SIZES = ("head_dim", "kv_channels", "attention_head_size")
WIDTHS = ("hidden_size", "n_embd", "d_model", "hidden_dim", "embed_dim", "dim")
ATTENTION = (
    *(*HEADS, *KEY_HEADS, *HEAD_SIZES, *WIDTHS),
    *("model_type", "multi_query", "new_decoder_architecture"),
)
TURNS = frozenset({"bloom", "gpt_neox", "gpt_neox_japanese", "internlm2", "persimmon"})
APART = frozenset({"chatglm", "glm"})
UNKNOWN = frozenset({"codegen"})  # by the cores of the machine it was trained on
CHANGING = ("pissa", "olora", "loftq", "corda", "lora_ga")  # starts that alter the base


@dataclass(frozen=True, slots=True)
class Adapter:
    """What an ``adapter_config.json`` says of low-rank factors."""

    alpha: float | None = None  # None: as large as the rank
    is_rank_stabilised: bool = False  # divided by the root of the rank, not by the rank
    others: Mapping[str, float] = field(default_factory=dict)  # end of a module's name -> alpha
    is_transposed: bool = False  # whether it was made for weights stored as (in, out)
    is_addable: bool = True  # whether it belongs on the weights that the base was published with

    def scale(self, module: str, rank: int, alpha: float | None) -> float:
        """What the product of two factors is multiplied with.

        Parameters
        ----------
        module
            Name of the module they change.
        rank
            Of the factors.
        alpha
            As stored beside them, which counts before all else.
        """
        if alpha is None:
            named = (a for end, a in self.others.items() if f".{module}".endswith(f".{end}"))
            alpha = next(named, self.alpha)
        if alpha is None:
            return 1.0
        return alpha / (math.sqrt(rank) if self.is_rank_stabilised else rank)


def parse(data: bytes) -> Config:
    """The JSON object in `data`.

    Raises
    ------
    WeightsError
        If there is none.
    """
    try:
        found = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise WeightsError("holds no JSON object")
    if _is_deep(found):
        raise WeightsError(f"is nested more than {DEEPEST} deep, which no configuration is")
    return found


def model_type(config: Config) -> str:
    """Name of the architecture; empty where none is given."""
    found = config.get("model_type")
    return found if isinstance(found, str) else ""


def adapter(config: Config) -> Adapter:
    """What an adapter's configuration says; all defaults where it says nothing."""
    patterns = config.get("alpha_pattern")
    numbers = islice(patterns.items(), MOST) if isinstance(patterns, dict) else ()
    start = config.get("init_lora_weights")
    return Adapter(
        alpha=_positive(config.get("lora_alpha")),
        is_rank_stabilised=config.get("use_rslora") is True,
        others={end: alpha for end, value in numbers if (alpha := _positive(value)) is not None},
        is_transposed=config.get("fan_in_fan_out") is True,
        is_addable=not (isinstance(start, str) and start.lower().startswith(CHANGING)),
    )


def quantisation(config: Config) -> Config:
    """What a model's configuration says of its quantisation; empty where it says nothing."""
    found = config.get("quantization_config") or config.get("compression_config")
    return found if isinstance(found, dict) else {}


def heads(config: Config) -> tuple[Heads, ...]:
    """Every attention that a configuration describes, that of its parts included."""
    found = (_heads(part) for part in islice(_parts(config, NESTING), MOST))
    return tuple(dict.fromkeys(one for one in found if one))


def _is_deep(value: dict[str, Any]) -> bool:
    level: list[dict[str, Any] | list[Any]] = [value]
    for _ in range(DEEPEST):
        inside = (part.values() if isinstance(part, dict) else part for part in level)
        level = [one for part in inside for one in part if isinstance(one, dict | list)]
    return bool(level)


def _parts(config: Config, depth: int) -> Iterator[Config]:
    """A configuration and those inside it, which take over what they do not say themselves."""
    yield config
    if depth:
        own = {key: config[key] for key in ATTENTION if key in config}
        for part in config.values():
            if isinstance(part, dict):
                yield from _parts({**own, **part}, depth - 1)


def _heads(config: Config) -> Heads | None:
    queries, width = _first(config, HEADS), _first(config, WIDTHS)
    if not queries:
        return None
    size = _first(config, HEAD_SIZES) or width // queries
    if not size:
        return None
    plain = Heads(queries, _first(config, KEY_HEADS) or queries, size)
    return _laid_out(plain, model_type(config), config)


def _laid_out(plain: Heads, kind: str, config: Config) -> Heads:
    """The same heads, with the layout that models of this kind have."""
    if kind == "falcon" and config.get("new_decoder_architecture") is True:
        return replace(plain, layout="turns")
    if kind in {"falcon", "gpt_bigcode"}:
        is_single = config.get("multi_query", True) is True
        keys, layout = (1, "apart") if is_single else (plain.queries, "turns")
        return replace(plain, keys=keys, layout=layout)
    kinds = (("turns", TURNS), ("apart", APART), ("unknown", UNKNOWN))
    return replace(plain, layout=next((name for name, of in kinds if kind in of), ""))


def _first(config: Config, names: tuple[str, ...]) -> int:
    """The first of these that is a whole number above 0; 0 where none is."""
    values = (config.get(name) for name in names)
    return next((v for v in values if type(v) is int and 0 < v < 2**31), 0)


def _positive(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0.0 < value < 1e30 else None
