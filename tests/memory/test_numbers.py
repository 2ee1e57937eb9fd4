import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from auditor.memory.numbers import from_json, to_json
from auditor.records import Histogram, Measurement, Phase, Trap

numbers = st.floats() | st.integers(-(2**40), 2**40)
finite = st.floats(allow_nan=False, allow_infinity=False)
fractions = st.lists(finite, max_size=4).map(tuple)
entries = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), finite), max_size=3)
traps = st.builds(Trap, eigenvalue=finite, edge=finite, entries=entries.map(tuple))
measurements = st.builds(
    Measurement,
    status=st.text(),
    n=st.integers(1, 2**40),
    m=st.integers(1, 2**40),
    num_evals=st.integers(0, 2**40),
    metrics=st.dictionaries(st.text(), numbers, max_size=5),
    traps=st.lists(traps, max_size=2).map(tuple),
    spectrum=st.none()
    | st.builds(Histogram, lo=finite, hi=finite, density=fractions, twin=fractions),
    phase=st.none() | st.builds(Phase, name=st.text(), reason=st.text()),
)


@given(measurement=measurements)
def test_measurement_survives_json_to_the_last_bit(measurement):
    text = json.dumps(to_json(measurement), allow_nan=False)
    found = from_json(json.loads(text))
    assert repr(found) == repr(measurement)  # unlike ==, nan is nan and -0.0 is not 0.0


def test_undefined_is_null_in_json():
    metrics = {"alpha": math.nan, "entropy": 0.5}
    written = to_json(Measurement("success", 3, 2, 2, metrics))["metrics"]
    assert written == {"alpha": None, "entropy": 0.5}


def test_numbers_of_numpy_are_written_as_any_others():
    metrics = {"a": np.float64(1.5), "b": float(np.float32("nan"))}
    found = from_json(json.loads(json.dumps(to_json(Measurement("success", 3, 2, 2, metrics)))))
    assert found.metrics["a"] == 1.5
    assert math.isnan(found.metrics["b"])
