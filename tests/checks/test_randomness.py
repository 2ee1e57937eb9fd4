import pytest

from auditor.checks.base import Case
from auditor.checks.randomness import CorrelationTraps, RandomLike
from auditor.records import Severity, Trap
from tests.render.factory import layer


@pytest.mark.parametrize(("m", "found"), [(50, True), (49, False)])
def test_untrained_layers_are_named_from_fifty_eigenvalues(m, found):
    case = Case((layer("fc", m=m, random_like=1.0, num_spikes=0.0),))
    assert bool(list(RandomLike()(case))) == found


@pytest.mark.parametrize(
    ("kurtosis", "severity"),
    [(1.8, Severity.WARNING), (3.05, Severity.WARNING), (3.09, Severity.INFO)],
    ids=["uniform", "normal", "heavier"],
)
def test_no_initialisation_has_entries_with_heavy_tails(kurtosis, severity):
    """Entries of 256 by 128: three standard errors above 3 are 3.08."""
    untrained = layer("fc", m=128, random_like=1.0, kurtosis=kurtosis)
    (finding,) = RandomLike()(Case((untrained,)))
    assert finding.severity is severity
    assert ("looks untrained" in finding.message) == (severity is Severity.WARNING)


def test_a_trained_layer_is_not_random_like():
    assert not list(RandomLike()(Case((layer("fc"),))))


@pytest.mark.parametrize(("strength", "severity"), [(2.49, Severity.INFO), (2.5, Severity.WARNING)])
def test_a_trap_warns_from_two_and_a_half_times_the_edge(strength, severity):
    trap = Trap(4.0 * strength, 4.0, ((3, 5, 9.5),))
    (finding,) = CorrelationTraps()(Case((layer("fc", traps=[trap]),)))
    assert finding.severity is severity
    assert finding.evidence["entries"] == [[3, 5, 9.5]]
