"""Low-rank factors: the spectrum of a product that is never made."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.spectral import lora
from auditor.spectral.eigenvalues import eigenvalues
from tests.spectral import oracles

sides = st.integers(1, 9)


@oracles.steady
@given(sides, sides, st.integers(1, 12), st.sampled_from([(), (1,), (2, 3)]), st.integers(0, 99))
def test_thin_matrices_have_the_spectrum_of_the_product(out, inputs, rank, kernel, seed):
    rng = np.random.default_rng(seed)
    down = rng.normal(size=(rank, inputs, *kernel))
    up = rng.normal(size=(out, rank, *(1,) * len(kernel)))
    products = lora.dense(down, up, 0.5)
    thin = lora.thin(down, up, 0.5)
    assert len(thin) == len(products) == np.prod(kernel, dtype=int)
    for small, large in zip(thin, products, strict=True):
        assert min(small.shape) == min(out, inputs, rank)
        assert max(small.shape) == max(out, inputs)
        wanted = np.linalg.svd(large, compute_uv=False)[: min(small.shape)] ** 2
        np.testing.assert_allclose(eigenvalues(small)[::-1], wanted, atol=1e-9 * wanted[0])


def test_the_product_is_the_convolution_of_both(rng):
    down, up = rng.normal(size=(2, 4, 3, 3)), rng.normal(size=(5, 2, 1, 1))
    wanted = 2.0 * np.einsum("or,rikl->oikl", up[:, :, 0, 0], down)
    for i, matrix in enumerate(lora.dense(down, up, 2.0)):
        np.testing.assert_allclose(matrix, wanted[:, :, i // 3, i % 3], rtol=1e-12)


@pytest.mark.parametrize(
    ("down", "up"),
    [
        ((4, 6), (5, 3)),
        ((4, 6, 1, 1), (5, 4)),
        ((4, 6, 3, 3), (5, 4, 3, 3)),
        ((4,), (4,)),
        ((0, 6), (5, 0)),
    ],
)
def test_factors_that_do_not_fit_are_no_pair(down, up):
    assert lora.product_shape(down, up) is None
