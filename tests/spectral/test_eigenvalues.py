import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from auditor.records import FloatArray, Matrix
from auditor.spectral import eigenvalues as room
from auditor.spectral.eigenvalues import eigenvalues, lapack, spectra
from tests.spectral import oracles


def squared_singular_values(w: Matrix) -> FloatArray:
    singular = np.linalg.svd(w.astype(np.float64), compute_uv=False)
    return np.square(singular[::-1])


def matrix(rng: np.random.Generator, shape: tuple[int, int], singular: FloatArray) -> FloatArray:
    """A matrix of these singular values and random directions."""
    left = np.linalg.qr(rng.normal(size=(shape[0], singular.size)))[0]
    right = np.linalg.qr(rng.normal(size=(shape[1], singular.size)))[0]
    return np.asarray((left * singular) @ right.T)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (5, 9), (9, 5), (40, 40)])
def test_eigenvalues_are_the_squared_singular_values(shape, dtype, rng):
    w = rng.normal(size=shape).astype(dtype)
    found = eigenvalues(w)
    assert found.shape == (min(shape),)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, squared_singular_values(w), rtol=1e-8)


@oracles.steady
@given(w=oracles.weights)
def test_eigenvalues_of_any_matrix_sum_to_its_energy_and_are_those_of_its_transpose(w):
    found = eigenvalues(w)
    assert (np.diff(found) >= 0).all()
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(np.square(w).sum(), rel=1e-12)
    np.testing.assert_allclose(found, eigenvalues(w.T), rtol=1e-6, atol=1e-14 * found[-1])


@pytest.mark.parametrize("exponent", [-480, -20, 20, 400])
def test_scaling_by_a_power_of_two_scales_eigenvalues_exactly(exponent, rng):
    w = rng.normal(size=(12, 7))
    scaled = eigenvalues(np.ldexp(w, exponent))
    np.testing.assert_array_equal(scaled, np.ldexp(eigenvalues(w), 2 * exponent))


@pytest.mark.parametrize("scale", [1e-170, 1e-300, 5e-324])
def test_squares_too_small_for_float64_vanish_without_a_warning(scale, rng):
    with np.errstate(all="raise", under="ignore"):
        found = eigenvalues(scale * np.ceil(rng.random((6, 4))))
    np.testing.assert_array_equal(found, np.zeros(4))


def test_largest_weights_of_all_do_not_overflow():
    assert eigenvalues(np.full((3, 3), 2.0**480))[-1] == pytest.approx(9.0 * 2.0**960)


@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (25, 25)])
def test_small_eigenvalues_are_found_where_the_gram_matrix_cannot_show_them(shape, rng):
    singular = np.logspace(-12, 0, 20)  # eigenvalues down to 1e-24 of the largest
    found = np.sqrt(eigenvalues(matrix(rng, shape, singular)))
    np.testing.assert_allclose(found[-20:], singular, rtol=1e-3)


def test_a_matrix_of_rank_one_has_one_eigenvalue(rng):
    u, v = rng.normal(size=50), rng.normal(size=30)
    found = eigenvalues(np.outer(u, v))
    assert found[-1] == pytest.approx((u @ u) * (v @ v), rel=1e-12)
    np.testing.assert_array_equal(found[:-1], 0.0)


def test_pruned_rows_and_columns_give_zeros_that_are_exact(rng):
    w = rng.normal(size=(20, 12))
    w[:, [1, 5]] = 0.0
    w[10:] = 0.0
    w[3] = 0.0
    found = eigenvalues(w)
    np.testing.assert_array_equal(found[:3], 0.0)
    np.testing.assert_allclose(found[3:], squared_singular_values(w)[3:], rtol=1e-9)


def test_pruned_units_are_taken_out_before_the_decomposition(rng):
    asked = []

    def solve(gram: Matrix) -> Matrix:
        asked.append(gram.shape)
        return lapack(gram)

    w = rng.normal(size=(30, 12))
    w[:, :4] = 0.0
    w[6:] = 0.0
    assert np.count_nonzero(eigenvalues(w, solve)) == 6
    assert asked == [(6, 6)]


def test_a_matrix_of_zeros_has_eigenvalues_of_zero():
    np.testing.assert_array_equal(eigenvalues(np.zeros((4, 3), np.float16)), np.zeros(3))


@pytest.mark.parametrize("deficient", [False, True])
def test_rows_taken_in_blocks_give_the_same_eigenvalues(deficient, rng, monkeypatch):
    w = rng.normal(size=(1000, 8))
    if deficient:
        w[:, 0] = w[:, 1] * (1.0 + 1e-9 * rng.normal(size=1000))
    whole = eigenvalues(w)
    monkeypatch.setattr(room, "BLOCK", 8 * 8 * 64)
    np.testing.assert_allclose(eigenvalues(w), whole, rtol=1e-6)
    np.testing.assert_allclose(whole, squared_singular_values(w), rtol=1e-6)


def test_the_eigensolver_is_the_callers(rng):
    asked = []

    def solve(gram):
        asked.append(gram.shape)
        return np.linalg.eigvalsh(gram)

    w = rng.normal(size=(9, 4))
    np.testing.assert_allclose(eigenvalues(w, solve), eigenvalues(w), rtol=1e-10)
    assert asked == [(4, 4)]


stacks = st.tuples(st.integers(1, 5), oracles.sides, oracles.sides).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=st.floats(-10, 10, width=16))
)


@oracles.steady
@given(stack=stacks)
def test_slices_have_together_the_eigenvalues_that_each_has_alone(stack):
    together = spectra(tuple(stack))
    assert len(together) == len(stack)
    for values, matrix in zip(together, stack, strict=True):
        np.testing.assert_allclose(values, eigenvalues(matrix), rtol=1e-9, atol=0.0)


def test_only_slices_that_the_gram_matrix_cannot_resolve_are_taken_alone(rng):
    asked = []

    def solve(gram):
        asked.append(gram.shape)
        return lapack(gram)

    slices = rng.normal(size=(5, 20, 8))
    slices[1, :, 0] = slices[1, :, 1] * (1.0 + 1e-9 * rng.normal(size=20))
    slices[3, :, 2] = 0.0
    found = spectra(tuple(slices), solve)
    assert asked == [(5, 8, 8), (8, 8), (7, 7)]
    assert found[3][0] == 0.0
    assert np.sqrt(found[1][0]) == pytest.approx(np.sqrt(squared_singular_values(slices[1])[0]))


def test_slices_taken_a_few_at_a_time_give_the_same_eigenvalues(rng, monkeypatch):
    slices = tuple(rng.normal(size=(7, 5, 9)).astype(np.float32))
    asked = []

    def solve(gram):
        asked.append(len(gram))
        return lapack(gram)

    whole = spectra(slices)
    monkeypatch.setattr(room, "BLOCK", 3 * 2 * 8 * 5 * 9)
    for values, same in zip(spectra(slices, solve), whole, strict=True):
        np.testing.assert_array_equal(values, same)
    assert asked == [3, 3, 5]  # the last one is alone, and its Gram matrix no stack


@pytest.mark.parametrize("exponent", [-480, 400])
def test_slices_of_any_scale_stand_beside_each_other(exponent, rng):
    w = rng.normal(size=(12, 7))
    zero, small, plain = spectra((np.zeros((12, 7)), np.ldexp(w, exponent), w))
    np.testing.assert_array_equal(zero, np.zeros(7))
    np.testing.assert_array_equal(small, np.ldexp(plain, 2 * exponent))


def test_slices_of_a_convolution_need_no_copy_in_order(rng):
    kernel = rng.normal(size=(6, 4, 3, 3)).astype(np.float32)
    slices = tuple(np.moveaxis(kernel.reshape(6, 4, 9), 2, 0))
    for values, part in zip(spectra(slices), slices, strict=True):
        np.testing.assert_allclose(values, squared_singular_values(part), rtol=1e-8)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(3, 90, 40), (2, 40, 40), (1, 40, 90)])
def test_single_precision_has_the_digits_it_promises(shape, dtype, rng):
    slices = tuple(rng.normal(size=shape).astype(dtype))
    asked = []

    def solve(gram):
        asked.append(gram.dtype)
        return lapack(gram)

    found = spectra(slices, solve, precision="float32")
    assert set(asked) == {np.dtype(np.float32)}
    for values, matrix in zip(found, slices, strict=True):
        true = squared_singular_values(matrix)
        assert values.dtype == np.float64
        np.testing.assert_allclose(values, true, rtol=1e-2)
        large = true > 0.1 * true[-1]
        np.testing.assert_allclose(values[large], true[large], rtol=1e-5)


def test_single_precision_takes_small_eigenvalues_from_singular_values(rng):
    singular = np.logspace(-4, 0, 20)  # eigenvalues down to 1e-8 of the largest
    found = eigenvalues(matrix(rng, (30, 20), singular), precision="float32")
    np.testing.assert_allclose(found, np.square(singular), rtol=2e-2)


@pytest.mark.parametrize("scale", [1e-140, 1e-44, 1e-30, 1e30, 1e140])
def test_single_precision_neither_overflows_nor_vanishes(scale, rng):
    w = rng.normal(size=(9, 6))
    with np.errstate(all="raise", under="ignore"):
        found = eigenvalues(scale * w, precision="float32")
    np.testing.assert_allclose(found / scale / scale, eigenvalues(w), rtol=1e-4)


def test_lapack_agrees_with_the_textbook_case():
    np.testing.assert_allclose(lapack(np.array([[2.0, 1.0], [1.0, 2.0]])), [1.0, 3.0])
