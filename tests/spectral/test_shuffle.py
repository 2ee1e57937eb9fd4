import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.records import FloatArray, Matrix
from auditor.spectral import shuffle
from auditor.spectral.shuffle import take_entries
from tests.spectral.oracles import steady, weights


def ordinary(matrix: Matrix) -> FloatArray:
    """The entries that are not huge, by leaving out those that are until none is left."""
    kept = matrix.astype(np.float64).ravel()
    most = min(matrix.shape) // 4 + 1
    while True:
        reach = max(np.sqrt(matrix.size), 25.0) * kept.var()
        rest = kept[np.square(kept - kept.mean()) <= reach]
        if rest.size == kept.size or rest.size < matrix.size - most or np.ptp(rest) == 0.0:
            return kept
        kept = rest


@steady
@given(weights, st.sampled_from([np.float16, np.float32, np.float64]))
def test_mean_and_sigma_are_those_of_the_entries(w, dtype):
    entries, rest = take_entries([w.astype(dtype)]), ordinary(w)
    unit = 2.0 ** int(entries.exponents[0])
    assert entries.mean[0] * unit == pytest.approx(rest.mean(), abs=1e-9)
    assert entries.sigma[0] * unit == pytest.approx(rest.std(), abs=1e-6)


@pytest.mark.parametrize("huge", [[], [60.0], [1e6, -40.0], [9e3, 1e9, -1e5], [50.0] * 30])
def test_huge_entries_move_neither_mean_nor_sigma(rng, huge):
    w = rng.standard_normal((80, 40)) + 0.3
    w.ravel()[: len(huge)] = huge
    entries = take_entries([w])
    rest, unit = ordinary(w), 2.0 ** int(entries.exponents[0])
    assert rest.size == w.size - (len(huge) if len(huge) <= 11 else 0)
    assert entries.mean[0] * unit == pytest.approx(rest.mean(), rel=1e-6)
    assert entries.sigma[0] * unit == pytest.approx(rest.std(), rel=1e-6)


def test_matrices_taken_together_are_those_taken_alone(rng):
    matrices = [rng.standard_normal((30, 20)) * 10.0**power for power in (-3, 0, 5, 100)]
    matrices[2][4, 5] = 1e12
    together = take_entries(matrices)
    shuffled = together.shuffled((7,), 0)
    grams = together.gram(shuffled, centred=True)
    for i, matrix in enumerate(matrices):
        alone = take_entries([matrix])
        assert alone.mean[0] == together.mean[i]
        assert alone.sigma[0] == together.sigma[i]
        np.testing.assert_array_equal(alone.shuffled((7,), i)[0], shuffled[i])
        np.testing.assert_allclose(alone.gram(shuffled[i : i + 1], centred=True)[0], grams[i])


@pytest.mark.parametrize("centred", [True, False])
def test_gram_matrix_is_the_same_in_any_number_of_blocks(rng, monkeypatch, centred):
    w = rng.standard_normal((200, 30)).astype(np.float32) + 2.0
    entries = take_entries([w])
    whole = entries.gram(w[np.newaxis], centred=centred)
    plain = w.astype(np.float64) - (w.mean(dtype=np.float64) if centred else 0.0)
    np.testing.assert_allclose(whole[0], plain.T @ plain, rtol=1e-9, atol=1e-9)
    monkeypatch.setattr(shuffle, "BLOCK", 500)
    np.testing.assert_allclose(entries.gram(w[np.newaxis], centred=centred), whole, rtol=1e-12)


def test_a_shuffled_matrix_has_the_same_entries_elsewhere(rng):
    w = rng.standard_normal((30, 20))
    (shuffled,) = take_entries([w]).shuffled((1,), 0)
    assert sorted(shuffled.ravel()) == sorted(w.ravel())
    assert np.mean(shuffled == w) < 0.1
