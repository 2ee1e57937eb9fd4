"""Small transformers of which it is known what was done to them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.models import structured

State = dict[str, NDArray[Any]]
BLOCKS = 4
WIDTH = 64
PARTS = {
    "self_attn.q_proj": (WIDTH, WIDTH),
    "self_attn.o_proj": (WIDTH, WIDTH),
    "mlp.up_proj": (96, WIDTH),
    "mlp.down_proj": (WIDTH, 96),
}


def transformer(seed: int = 0) -> State:
    """An embedding, four blocks of four matrices, a head; float32."""
    rng = np.random.default_rng(seed)
    state: State = {"model.embed_tokens.weight": rng.normal(size=(120, WIDTH))}
    for block in range(BLOCKS):
        for part, shape in PARTS.items():
            state[f"model.layers.{block}.{part}.weight"] = structured(rng, *shape)
    state["lm_head.weight"] = structured(rng, 120, WIDTH)
    return {name: value.astype(np.float32) for name, value in state.items()}


def merged(state: State, *, rank: int = 4, part: str = "q_proj", size: float = 0.02) -> State:
    """The same with a low-rank adapter merged into one matrix of every block."""
    rng = np.random.default_rng(1)
    found = dict(state)
    for name, weight in state.items():
        if part in name:
            up, down = (rng.normal(size=shape) for shape in ((len(weight), rank), (rank, WIDTH)))
            found[name] = (weight + size * up @ down[:, : weight.shape[1]]).astype(weight.dtype)
    return found


def pruned(state: State, share: float) -> State:
    """The same without the smallest entries of every matrix in a block."""
    return {
        name: np.where(np.abs(w) < np.quantile(np.abs(w), share), 0, w) if "layers" in name else w
        for name, w in state.items()
    }


def in_int8(state: State) -> State:
    """The same as codes of 8 bits, a scale for every row: as bitsandbytes stores LLM.int8()."""
    found: State = {}
    for name, weight in state.items():
        largest = np.abs(weight).max(axis=1)
        found[name] = np.round(127.0 * weight / largest[:, np.newaxis]).astype(np.int8)
        found[name.removesuffix("weight") + "SCB"] = largest.astype(np.float32)
    return found
