"""Seeded models with the shapes of known ones."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from auditor.records import Layer
from auditor.spectral.matrices import cut

Array = NDArray[np.float32]
Shapes = Mapping[str, tuple[int, ...]]

SEED = 20260105
RANK_SHARE = 8  # one direction in so many is learned


def gpt2(blocks: int, *, positions: bool) -> Shapes:
    """Blocks of a GPT-2 small, and its embedding of positions."""
    block = {
        "attn.c_attn.weight": (768, 2304),
        "attn.c_proj.weight": (768, 768),
        "mlp.c_fc.weight": (768, 3072),
        "mlp.c_proj.weight": (3072, 768),
    }
    found = {f"h.{i}.{name}": shape for i in range(blocks) for name, shape in block.items()}
    return {"embed.weight": (1024, 768), **found} if positions else found


def minilm() -> Shapes:
    """The matrices of all-MiniLM-L6-v2: three embeddings, six blocks and the pooler."""
    block = {
        **{f"attention.{part}.weight": (384, 384) for part in ("query", "key", "value", "output")},
        "intermediate.weight": (1536, 384),
        "output.weight": (384, 1536),
    }
    return {
        "word_embed.weight": (30522, 384),
        "position_embed.weight": (512, 384),
        "type_embed.weight": (2, 384),
        **{f"layer.{i}.{name}": shape for i in range(6) for name, shape in block.items()},
        "pooler.weight": (384, 384),
    }


def resnet20() -> Shapes:
    """The convolutions and the classifier of a ResNet20 for 32 by 32 images."""
    found: dict[str, tuple[int, ...]] = {"conv1.weight": (16, 3, 3, 3)}
    width = 16
    for stage, out in enumerate((16, 32, 64)):
        for block in range(3):
            found[f"layer{stage}.{block}.conv1.weight"] = (out, width, 3, 3)
            found[f"layer{stage}.{block}.conv2.weight"] = (out, out, 3, 3)
            width = out
    return {**found, "fc.weight": (10, 64)}


MODELS: Mapping[str, Shapes] = {
    "GPT-2 small": gpt2(12, positions=True),
    "4 blocks of GPT-2": gpt2(4, positions=False),
    "MiniLM": minilm(),
    "ResNet20": resnet20(),
    "one 4096×4096": {"fc.weight": (4096, 4096)},
}


def weights(model: str) -> dict[str, Array]:
    """Noise, and directions in it whose strength falls as a power."""
    rng = np.random.default_rng(SEED)
    return {name: _weight(rng, shape) for name, shape in MODELS[model].items()}


def _weight(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    rows, cols = shape[0], int(np.prod(shape[1:]))
    noise = rng.standard_normal((rows, cols), np.float32) / np.float32(np.sqrt(max(rows, cols)))
    rank = max(1, min(rows, cols) // RANK_SHARE)
    left, right = (rng.standard_normal(size, np.float32) for size in ((rows, rank), (rank, cols)))
    strength = 4.0 * (np.arange(rank) + 1.0) ** -0.5 / np.sqrt(rows * cols)
    noise += (left * strength.astype(np.float32)) @ right
    return noise.reshape(shape)


def matrices(tensors: Mapping[str, Array]) -> list[Array]:
    """The matrices whose spectra an analysis takes, larger side first."""
    layers = [cut(name, value, "float32") for name, value in tensors.items()]
    slices = [part for layer in layers if isinstance(layer, Layer) for part in layer.slices]
    return [part if part.shape[0] >= part.shape[1] else part.T for part in slices]
