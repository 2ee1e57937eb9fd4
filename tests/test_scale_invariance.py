"""A model times a number, from its weights to the verdict: the rules look at shapes, not sizes."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from auditor.examining import Examiner
from auditor.given import examined
from auditor.memory import Passing
from auditor.policy import preset
from auditor.records import Audit, LayerRecord, ModelVersion, Settings, Verdict, VersionId
from auditor.wall.jobs import Terms, quiet
from auditor.wall.process import here
from tests import models
from tests.parity.models import trained

State = Mapping[str, NDArray[Any]]

NOW = datetime(2026, 3, 2, tzinfo=UTC)
COUNTS = (
    *("num_evals", "matrix_rank", "rank_loss", "weak_rank_loss_rel", "num_pl_spikes"),
    *("num_spikes", "num_traps", "random_like", "detX_num"),
)
EXPONENTS = ("alpha", "alpha_lo", "alpha_hi", "alpha_hill", "sigma", "D", "pl_pvalue")


def audit(state: State, policy: str = "strict") -> Audit:
    """The audit of a state dict, without a baseline."""
    terms = Terms(settings=Settings(detX=True), memory=2**30)
    examiner = Examiner(
        terms, preset(policy), lambda: NOW, Passing(), quiet, here, ranged=lambda _: False
    )
    version = ModelVersion(VersionId("test", "net", "1"), NOW, uri="net", location="net")
    return examiner.judged(version, examined(state, None, terms, quiet), None, NOW)


def times(state: State, scale: float) -> State:
    return {name: (scale * value).astype(value.dtype) for name, value in state.items()}


def values(layer: LayerRecord, names: tuple[str, ...]) -> list[float]:
    found = {**layer.metrics, "num_evals": float(layer.measured.num_evals)}
    return [found[name] for name in names]


def assert_same(found: Audit, expected: Audit) -> None:
    """Every exponent, count and phase, every finding, and the verdict."""
    for one, other in zip(found.layers, expected.layers, strict=True):
        assert one.measured.status == other.measured.status
        assert values(one, COUNTS) == pytest.approx(values(other, COUNTS), abs=0.0, nan_ok=True)
        exponents = pytest.approx(values(other, EXPONENTS), rel=1e-3, nan_ok=True)
        assert values(one, EXPONENTS) == exponents, one.name
        assert one.measured.phase is not None
        assert other.measured.phase is not None
        assert one.measured.phase.name == other.measured.phase.name
    symptoms = [[(f.check, f.layer, f.severity) for f in of.findings] for of in (found, expected)]
    assert symptoms[0] == symptoms[1]
    assert found.verdict == expected.verdict


@pytest.fixture
def state(rng):
    """Layers of every phase and every check: trained, random, collapsed, trapped, a zero one."""
    trap = rng.normal(size=(80, 60))
    trap[17, 31] = 60.0
    spiked = rng.normal(size=(120, 60)) + 3.0 * np.outer(rng.normal(size=120), rng.normal(size=60))
    return {
        **models.weights(),
        "conv.weight": trained(rng, 32, 16, 3, 3).astype(np.float32),
        "heavy.weight": rng.pareto(1.2, size=(100, 80)) * rng.choice([-1.0, 1.0], size=(100, 80)),
        "random.weight": rng.normal(size=(100, 80)),
        "collapsed.weight": models.collapsed(),
        "trapped.weight": trap,
        "spiked.weight": spiked,
        "zero.weight": np.zeros((60, 60), np.float32),
    }


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_a_models_scale_changes_no_exponent_count_phase_or_verdict(scale, state):
    expected = audit(state)
    phases = {layer.measured.phase.name for layer in expected.layers if layer.measured.phase}
    assert len(phases) >= 4
    assert len(expected.findings) >= 4
    assert_same(audit(times(state, scale)), expected)


def test_what_is_in_units_of_weight_does_change(state):
    expected, found = audit(state), audit(times(state, 1e-6))
    for one, other in zip(found.layers, expected.layers, strict=True):
        assert one.metrics["norm"] == pytest.approx(1e-12 * other.metrics["norm"], rel=1e-5)
    weak = [sum(layer.metrics["weak_rank_loss"] for layer in of.layers) for of in (found, expected)]
    assert weak[0] > weak[1]


@pytest.mark.parametrize("policy", ["observe", "recommended"])
def test_a_passing_model_passes_at_every_scale(policy, rng):
    healthy = {f"blocks.{i}.weight": trained(rng, 96, 64) for i in range(10)}
    for scale in (1e-6, 1.0, 1e6):
        assert audit(times(healthy, scale), policy).verdict is Verdict.PASS


@pytest.mark.data
@pytest.mark.parametrize("name", ["resnet_cifar10/resnet20", "stories260k/stories260K"])
def test_the_scale_of_a_real_model_changes_nothing_either(name, data):
    state = load_file(data / "weights" / f"{name}.safetensors")
    expected = audit(state)
    assert not all(math.isnan(layer.metrics["alpha"]) for layer in expected.layers)
    for scale in (2.0**-20, 2.0**20):
        assert_same(audit(times(state, scale)), expected)
