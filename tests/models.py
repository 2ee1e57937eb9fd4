"""Small real models on disk, and configurations that watch them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from auditor.records import FloatArray

DAY = 86_400
START = 1_767_225_600  # 2026-01-01, so that modification times tell the versions apart


def weights(seed: int = 0, /, **changed: FloatArray) -> dict[str, FloatArray]:
    """Three layers with structure of their own and a bias; float32."""
    rng = np.random.default_rng(seed)
    made: dict[str, Any] = {
        "fc1.weight": structured(rng, 96, 64),
        "fc2.weight": structured(rng, 64, 64),
        "fc2.bias": rng.normal(size=64),
        "head.weight": structured(rng, 10, 64),
        **changed,
    }
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in made.items()}


def collapsed() -> FloatArray:
    """A layer of rank 1."""
    return np.outer(np.ones(64), np.linspace(0.1, 1.0, 64))


def structured(rng: np.random.Generator, rows: int, cols: int) -> FloatArray:
    """Noise with a power-law tail of singular values: what a trained layer looks like."""
    noise = rng.normal(size=(rows, cols)) / np.sqrt(max(rows, cols))
    left, _, right = np.linalg.svd(rng.normal(size=(rows, cols)), full_matrices=False)
    strength = 3.0 * (np.arange(left.shape[1]) + 1.0) ** -0.6
    found: FloatArray = noise + (left * strength) @ right
    return found


def write(folder: Path, tensors: Mapping[str, FloatArray], day: int = 0) -> Path:
    """Write tensors as a version that was made on a day of January 2026."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(dict(tensors), folder / "model.safetensors")
    date(folder / "model.safetensors", day)
    return folder


def date(file: Path, day: int) -> None:
    """Give a file the modification time of a day of January 2026."""
    os.utime(file, (START + day * DAY, START + day * DAY))


def config(at: Path, **changed: str) -> Path:
    """Write a configuration that watches the folder ``models`` beside it; return its path."""
    settings = {
        "policy": "recommended",
        "sources": "[{kind: folder, root: models, history: all, settle: 0}]",
        "sinks": "[{kind: files}]",
        **changed,
    }
    path = at / "config.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in settings.items()))
    return path
