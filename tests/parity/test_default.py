"""Default columns of the reference tool on drawn layers."""

import numpy as np
from hypothesis import assume, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from tests.parity.agreement import disagreements, is_swapped
from tests.parity.models import trained

SIDES = st.integers(1, 40)
KERNELS = st.integers(1, 4)
SHAPES = st.one_of(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES, KERNELS, KERNELS))


@limits(deadline=None, derandomize=True, max_examples=150)
@given(
    shape=SHAPES,
    seed=st.integers(0, 2**32 - 1),
    decay=st.floats(0.2, 2.0),
    scale=st.sampled_from([1e-3, 0.02, 1.0, 30.0]),
    rank=st.sampled_from([0, 3, 40]),
)
def test_agrees_on_any_layer(shape, seed, decay, scale, rank, reference):
    assume(not is_swapped(shape))
    rng = np.random.default_rng(seed)
    weights = scale * trained(rng, *shape, decay=decay)
    if len(shape) == 2 and rank:
        weights = trained(rng, shape[0], rank) @ trained(rng, rank, shape[1])
    model = {"layer.weight": weights.astype(np.float32)}
    assert not disagreements(reference.analyze(model), model)
