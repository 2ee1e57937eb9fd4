"""What is left out where memory or time is short, and in which order the rest is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from auditor.estimates import peak_bytes
from auditor.measuring import Bench, Measured, measure_version
from auditor.memory import Passing
from auditor.records import Settings
from auditor.sources.folder import files_at
from auditor.weights import Inventory, Tensor, opened

SETTINGS = Settings(bootstrap=0, mp_fit=False)
SHAPES = {"a.weight": (40, 30), "b.weight": (400, 300), "c.weight": (90, 20), "d.bias": (40,)}
PLENTY = 2**30


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    arrays = {name: rng.standard_normal(shape, np.float32) for name, shape in SHAPES.items()}
    save_file(arrays, tmp_path / "model.safetensors")
    return tmp_path


@contextmanager
def inventory(folder: Path) -> Iterator[Inventory]:
    with opened(files_at(folder), "here") as found:
        yield found


def measured(folder: Path, budget: int = PLENTY, seconds: float | None = None) -> Measured:
    bench = Bench(Passing(), SETTINGS, budget, workers=1, time_budget=seconds)
    with inventory(folder) as found:
        return measure_version(found, None, bench)


def reasons(found: Measured) -> dict[str, str]:
    return {skip.name: skip.reason for skip in found.skipped}


def test_what_does_not_fit_into_memory_is_not_read(folder):
    with inventory(folder) as found:
        needed = {t.name: peak_bytes(t, SETTINGS, pair=False) for t in found.tensors}
    limit = needed["b.weight"] - 1
    result = measured(folder, limit)
    (skip,) = (skip for skip in result.skipped if skip.name == "b.weight")
    assert not skip.read
    assert skip.is_matrix
    assert skip.reason.startswith("needs 6")
    assert skip.reason.endswith("MiB; raise it")
    assert {layer.name for layer in result.layers} == {"a.weight", "c.weight"}
    assert len(measured(folder, limit + 1).layers) == 3


def test_without_time_nothing_is_started(folder):
    result = measured(folder, seconds=1e-6)
    assert result.layers == ()
    said = "not measured within the time budget of 1e-06 s"
    assert reasons(result) == dict.fromkeys(SHAPES, said)
    assert not any(skip.read for skip in result.skipped)


def test_with_time_enough_nothing_is_left_out(folder):
    result = measured(folder, seconds=3600.0)
    assert len(result.layers) == 3
    assert reasons(result) == {"d.bias": "vector"}


def order_read(folder: Path, *, seconds: float | None, verified: bool = True) -> list[str]:
    """Names of the tensors, as they were read."""
    read: list[str] = []

    def noted(tensor: Tensor) -> Tensor:
        def values() -> bytes | memoryview:
            read.append(tensor.name)
            return tensor.read()

        return replace(tensor, read=values)

    with inventory(folder) as found:
        files = tuple(replace(file, verified=verified) for file in found.reading.files)
        told = replace(
            found,
            tensors=tuple(map(noted, found.tensors)),
            reading=replace(found.reading, files=files),
        )
        bench = Bench(Passing(), SETTINGS, PLENTY, workers=1, time_budget=seconds)
        measure_version(told, None, bench)
    return read


def test_the_longest_come_first_and_in_parts_the_order_of_the_file(folder):
    in_file = [tensor.name for tensor in _tensors(folder)]
    assert order_read(folder, seconds=None)[0] == "b.weight"
    assert order_read(folder, seconds=None, verified=False) == in_file


def test_with_a_limit_the_most_parameters_for_the_time_come_first(folder):
    matrices = [name for name in order_read(folder, seconds=3600.0) if name != "d.bias"]
    assert matrices == ["b.weight", "c.weight", "a.weight"]


def _tensors(folder: Path) -> tuple[Tensor, ...]:
    with inventory(folder) as found:
        return found.tensors
