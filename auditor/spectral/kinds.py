"""What a tensor is, by its name, its shape and its module; and the order layers stand in."""

import math
import re
from collections.abc import Iterable, Mapping

from auditor.naming import natural
from auditor.records import Module

LONGEST_BLOCK = 9  # digits; a longer number is no position of a block

CONVOLUTIONS = {3: "conv1d", 4: "conv2d", 5: "conv3d"}
RECURRENT = ("weight_ih", "weight_hh", "weight_hr", "recurrent_kernel")  # beginnings of names
VALUES = frozenset({"weight", "kernel"})  # what a layer's matrix is called, in torch and Keras
FUSED = frozenset(
    {
        "attn_qkv",
        "c_attn",
        "in_proj_weight",
        "qkv",
        "qkv_proj",
        "query_key_value",
        "to_qkv",
        "w_pack",
        "wqkv",
    }
)
WRAPPERS = frozenset({"module", "model", "net", "_orig_mod"})
HEADS = frozenset(
    {"head", "heads", "lm_head", "classifier", "score", "fc", "logits", "cls", "qa_outputs"}
    | {"embed_out", "final_fc", "output_layer", "prediction_head"}
)
EMBEDDINGS = frozenset(
    {"wte", "wpe", "shared", "emb", "embed_in", "embed_tokens", "embed_positions"}
    | {"tok_emb", "pos_emb"}
    | {"cls_token", "dist_token", "mask_token", "token_types"}
)
EMBEDDING_ENDS = ("embd", "embed", "embedding", "embeddings")  # the first as llama.cpp has it
EXPERT_END = "exps"  # ffn_up_exps: one matrix for each expert, in llama.cpp's names
STACK_ENDS = ("attn_k_b", "attn_v_b")  # one matrix for each head, in llama.cpp's names
ROLES = {  # of a layer in a block, by what its modules are called
    "attention": ("attn", "attention", "q_proj", "k_proj", "v_proj", "o_proj", "qkv"),
    "mlp": ("mlp", "ffn", "feed_forward", "feedforward", "gate_proj", "up_proj", "down_proj"),
}
KINDS = (  # of layers: all that `kind_of` gives, and a pair of factors
    *("dense", "embedding", "head", "qkv", "rnn", "experts", "lora"),
    *("conv1d", "conv2d", "conv3d", "depthwise"),
    *("convtranspose1d", "convtranspose2d", "convtranspose3d"),
)
BETWEEN = 1  # neither embedding nor head: where `_group` puts all other layers


def order(names: Iterable[str], positions: Mapping[str, int] | None = None) -> list[str]:
    """Names in the order of the model: embeddings, then by dotted part, then the head.

    Digits compare as numbers, so that layer 10 comes after layer 9. Where the architecture
    gives `positions`, they come first, and a name without one stays behind its neighbour.

    Examples
    --------
    >>> order(["lm_head.weight", "h.10.fc.weight", "h.9.fc.weight", "wte.weight"])
    ['wte.weight', 'h.9.fc.weight', 'h.10.fc.weight', 'lm_head.weight']
    >>> order(["decoder.fc", "encoder.fc", "encoder.fc.b"], {"encoder.fc": 0, "decoder.fc": 1})
    ['encoder.fc', 'encoder.fc.b', 'decoder.fc']
    """
    found = sorted(names, key=lambda name: (_group(name), natural(name), name))
    known = positions or {}
    places: dict[str, int] = {}
    last = -1
    for name in found:
        places[name] = last = known.get(name, last)
    return sorted(found, key=places.__getitem__)


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


def kind_of(name: str, shape: tuple[int, ...], module: Module | None = None) -> str:
    """What acts through a tensor of two dimensions or more.

    A convolution whose module is not known to mix channels counts as depthwise where each
    of its kernels has one channel: the same shape also belongs to one that reads a grey image.

    Examples
    --------
    >>> kind_of("h.0.attn.c_attn.weight", (768, 2304)), kind_of("stem.weight", (64, 3, 7, 7))
    ('qkv', 'conv2d')
    """
    if len(shape) == 2:
        return _flat(name, module)
    if is_stack(name, shape, module):
        return "experts" if _is_expert(name) else _flat(name, module)
    is_mixing = module is not None and module.groups == 1
    if shape[1] == 1 and math.prod(shape[2:]) > 1 and not is_mixing:
        return "depthwise"
    plain = CONVOLUTIONS[len(shape)]
    is_transposed = module is not None and module.transposed
    return plain.replace("conv", "convtranspose") if is_transposed else plain


def is_stack(name: str, shape: tuple[int, ...], module: Module | None = None) -> bool:
    """Whether a tensor of three dimensions or more holds matrices, and no kernels."""
    if module is not None:
        return not module.kind.startswith("conv")
    of_heads = any(part.endswith(STACK_ENDS) for part in name.lower().split("."))
    return len(shape) == 3 and (of_heads or _is_expert(name))


def is_embedding(name: str) -> bool:
    """Whether the module that holds a tensor is an embedding by its name."""
    last = _parts(name)[-1]
    return last in EMBEDDINGS or last.endswith(EMBEDDING_ENDS)


def is_fused(name: str) -> bool:
    """Whether query, key and value are projected by this one tensor, by its name.

    Examples
    --------
    >>> is_fused("h.0.attn.c_attn.weight"), is_fused("layers.0.self_attn.q_proj.weight")
    (True, False)
    """
    return _parts(name)[-1] in FUSED


def is_head(name: str) -> bool:
    """Whether a tensor is the model's last layer, by its name."""
    return _group(name) > BETWEEN


def _is_expert(name: str) -> bool:
    """Whether a tensor belongs to experts, by its name."""
    parts = name.lower().split(".")
    return any("expert" in part or part.endswith(EXPERT_END) for part in parts)


def _flat(name: str, module: Module | None) -> str:
    """What a tensor of two dimensions is."""
    if name.rpartition(".")[2].startswith(RECURRENT):
        return "rnn"
    if is_fused(name):
        return "qkv"
    if module is not None and module.kind == "embedding":
        return "embedding"
    return ("embedding", "dense", "head")[_group(name)]


def _group(name: str) -> int:
    """0 embedding, 1 in between, 2 head."""
    parts = _parts(name)
    if is_embedding(name):
        return 0
    is_last = parts[0] in HEADS or parts == ["output"]  # the latter as Llama was published
    return BETWEEN + is_last


def _parts(name: str) -> list[str]:
    """Dotted parts in lower case, without wrappers in front and ``weight`` or so at the end."""
    parts = name.lower().split(".")
    start = next((i for i, part in enumerate(parts) if part not in WRAPPERS), 0)
    end = len(parts) - 1 if parts[-1] in VALUES and len(parts) - start > 1 else len(parts)
    return parts[start:end]


def role_of(name: str) -> str:
    """What a layer does in a transformer's block by its name: attention, mlp; else nothing.

    Examples
    --------
    >>> role_of("model.layers.0.self_attn.q_proj.weight"), role_of("h.0.mlp.c_fc.weight")
    ('attention', 'mlp')
    >>> role_of("layer1.0.conv1.weight")
    ''
    """
    for part in reversed(_parts(name)):
        for role, words in ROLES.items():
            if any(word in part for word in words):
                return role
    return ""
