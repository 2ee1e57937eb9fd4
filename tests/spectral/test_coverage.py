"""What docs/statistics.md promises of intervals, on samples of known exponent."""

import pytest

from benchmarks.coverage import ALPHAS, Cell, rates

FEW = [Cell("spliced", 50, 2.0, draws=150), Cell("spliced", 100, 1.6, draws=150)]
FEW += [Cell("pure", 50, 4.5, draws=150), Cell("spliced", 200, 3.0, draws=100)]
MANY = [Cell(kind, n, a) for kind in ("pure", "spliced") for n in (50, 200) for a in ALPHAS]
MANY += [Cell("spliced", 1000, 2.0)]
WIDE = [pytest.param(cell, marks=pytest.mark.wide) for cell in MANY]


@pytest.mark.parametrize("cell", [*FEW, *WIDE], ids=str)
def test_the_interval_holds_the_exponent_and_a_layer_at_two_is_not_called_over_trained(cell):
    found = rates(cell)
    assert found.covered >= 0.93
    assert found.implausible <= 0.25
    if cell.alpha >= 2.0:
        assert found.called <= 0.03


def test_what_is_over_trained_is_found_where_there_is_enough_of_it():
    found = rates(Cell("spliced", 500, 1.5, draws=40))
    assert found.called >= 0.7


def test_a_point_estimate_would_call_every_third_layer_at_two_over_trained():
    found = rates(Cell("spliced", 200, 2.0, draws=60))
    assert found.below > 0.2
    assert found.called == 0.0
