import numpy as np
import pytest

from auditor.records import Settings
from auditor.spectral.spectrum import Spectrum, roundoff
from tests.spectral import oracles


@pytest.mark.parametrize(("dtype", "numpy_name"), [("float32", "float32"), ("float16", "float16")])
def test_roundoff_is_the_spacing_of_the_stored_type(dtype, numpy_name):
    assert roundoff(dtype) == np.finfo(numpy_name).eps


def test_double_precision_has_no_roundoff_of_its_own():
    assert roundoff("float64") == 0.0
    assert roundoff("bfloat16") == 2.0**-7  # 8 bits of precision, one of them implied


def test_slices_are_pooled_in_ascending_order():
    slices = (np.array([1.0, 5.0]), np.array([2.0, 3.0]))
    s = Spectrum(slices, n=2, m=2, roundoff=0.0, settings=Settings())
    np.testing.assert_array_equal(s.eigenvalues, [1.0, 2.0, 3.0, 5.0])
    assert s.largest == 5.0


def test_plausibility_is_asked_only_where_a_rule_is_about_to_judge(rng):
    def of(alpha: float) -> Spectrum:
        values = oracles.pareto(rng, 300, alpha)
        return Spectrum((values,), n=300, m=300, roundoff=0.0, settings=Settings())

    assert of(3.5).plausibility is None
    heavy = of(1.4)
    assert heavy.interval is not None
    assert heavy.interval.hi < 2.0
    assert heavy.plausibility is not None
    assert 0.0 <= heavy.plausibility <= 1.0


def test_a_layer_with_too_few_eigenvalues_has_no_tail(rng):
    values = oracles.pareto(rng, 9, 2.5)
    few = Spectrum((values,), n=9, m=9, roundoff=0.0, settings=Settings(min_evals=10))
    assert (few.tail, few.interval, few.plausibility) == (None, None, None)
    assert Spectrum((values,), n=9, m=9, roundoff=0.0, settings=Settings(min_evals=9)).tail
