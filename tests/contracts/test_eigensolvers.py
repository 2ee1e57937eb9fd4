"""What every eigensolver must do, on every device that is here."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from scipy import linalg

from auditor.executors.gpu import Together, Torch
from auditor.spectral.eigenvalues import Eigensolver, lapack, spectra

SOLVERS: dict[str, Eigensolver] = {
    "lapack": lapack,
    "torch on cpu": Together(Torch("cpu")),
    "torch on cuda": Together(Torch("cuda")),
}


@pytest.fixture(params=SOLVERS)
def solve(request: pytest.FixtureRequest) -> Eigensolver:
    if "cuda" in request.param and not torch.cuda.is_available():
        pytest.skip("torch sees no GPU here")
    return SOLVERS[request.param]


def grams(rng: np.random.Generator, *shape: int) -> np.ndarray:
    w = rng.normal(size=shape)
    return w.mT @ w


def test_the_textbook_case(solve):
    np.testing.assert_allclose(solve(np.array([[2.0, 1.0], [1.0, 2.0]])), [1.0, 3.0], rtol=1e-14)


@pytest.mark.parametrize("shape", [(1, 1), (7, 7), (1, 5, 5), (9, 16, 16), (2, 3, 4, 4)])
def test_a_stack_of_any_shape_gives_ascending_values_of_each(solve, shape, rng):
    gram = grams(rng, *shape)
    found = solve(gram)
    assert found.shape == shape[:-1]
    assert found.dtype == np.float64
    true = np.array([linalg.eigvalsh(one) for one in gram.reshape(-1, *shape[-2:])])
    np.testing.assert_allclose(found, true.reshape(shape[:-1]), rtol=1e-9, atol=1e-12)
    assert (np.diff(found) >= 0.0).all()


def test_the_stack_is_left_as_it_was(solve, rng):
    gram = grams(rng, 3, 6, 6)
    before = gram.copy()
    solve(gram)
    np.testing.assert_array_equal(gram, before)


def test_single_precision_stays_single(solve, rng):
    gram = grams(rng, 2, 8, 8)
    found = solve(gram.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, lapack(gram), rtol=1e-3)


def test_every_thread_gets_its_own_values(solve, rng):
    stacks = [grams(rng, 1 + i % 3, 5 + i % 4, 5 + i % 4) for i in range(60)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(solve, stacks))
    for values, gram in zip(found, stacks, strict=True):
        np.testing.assert_allclose(values, lapack(gram), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_spectra_are_those_of_the_processor(solve, precision, rng):
    slices = rng.normal(size=(6, 30, 20))
    slices[1, :, 3] = 0.0
    slices[2, :, 0] = slices[2, :, 1]
    slices[4] *= 1e-30
    tolerance = 1e-6 if precision == "float64" else 1e-3
    found = spectra(tuple(slices), solve, precision=precision)
    for values, same in zip(found, spectra(tuple(slices)), strict=True):
        np.testing.assert_allclose(values, same, rtol=tolerance, atol=1e-9 * same[-1])
