"""Layers as parts of a model: copies, and what came, went, or became another since."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.checks.base import Case, name_of
from auditor.checks.structure import (
    CHECKS,
    DtypeChanged,
    DuplicateLayers,
    LayersChanged,
    ShapeChanged,
)
from auditor.records import Comparison, LayerChange, LayerRecord, Severity
from tests.checks.test_values import measured
from tests.render.factory import layer, version


def found(check, *layers, comparison=None):
    return list(check(Case(layers, comparison=comparison)))


# --- copies -------------------------------------------------------------------------------------


def held(values, *names, **about):
    """Layers of one digest under several names."""
    return [replace(layer(name, m=32), digest=values, **about) for name in names]


def test_two_layers_of_the_same_values_are_one_finding_naming_both():
    pair = held("a", "h.0.q.weight", "h.0.k.weight")
    (finding,) = found(DuplicateLayers(), *pair, layer("h.0.v.weight"))
    assert finding.message == "h.0.q.weight and h.0.k.weight hold the same values"
    assert (finding.layer, finding.severity) == ("h.0.q.weight", Severity.WARNING)


def test_many_copies_of_one_layer_are_one_finding():
    names = [f"h.{i}.q.weight" for i in range(12)]
    others = [layer(f"h.{i}.k.weight") for i in range(12)]
    (finding,) = found(DuplicateLayers(), *held("a", *names), *others)
    assert finding.value == 11.0
    assert "and 6 more" in finding.message
    assert finding.evidence["equal"] == names[1:]


def test_an_embedding_and_what_is_tied_to_it_are_no_copies():
    embedding = replace(held("a", "wte.weight")[0], kind="embedding")
    head = replace(held("a", "lm_head.weight")[0], kind="head")
    assert not found(DuplicateLayers(), embedding, head)


def blocks(count, module="h"):
    """Blocks of two layers, each block equal to the others."""
    names = [(f"{module}.{i}.q.weight", f"{module}.{i}.k.weight") for i in range(count)]
    return [one for pair in names for one in (held("q", pair[0])[0], held("k", pair[1])[0])]


def test_blocks_that_were_copied_whole_are_one_piece_of_information():
    (finding,) = found(DuplicateLayers(), *blocks(3))
    assert finding.severity is Severity.INFO
    assert finding.layer is None
    assert finding.message.endswith("h.1 of h.0, h.2 of h.0")


def test_a_target_network_is_a_copy_as_a_whole():
    online = held("a", "q_net.0.weight") + held("b", "q_net.2.weight")
    target = held("a", "q_net_target.0.weight") + held("b", "q_net_target.2.weight")
    (finding,) = found(DuplicateLayers(), *online, *target)
    assert finding.severity is Severity.INFO
    assert "q_net_target of q_net" in finding.message


def test_a_block_that_is_a_copy_but_for_one_layer_was_copied_by_mistake():
    *same, other = blocks(2)
    (finding,) = found(DuplicateLayers(), *same, replace(other, digest="other"))
    assert (finding.severity, finding.layer) == (Severity.WARNING, "h.0.q.weight")


@pytest.mark.parametrize(
    "weights",
    [
        np.zeros((32, 32)),
        np.ones((32, 32)),
        np.eye(32),
        np.diag(np.full(32, -2.0)),
        np.tile([[[[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]]], (32, 1, 1, 1)),
        np.arange(64.0).reshape(64, 1),
        np.arange(49.0).reshape(7, 7) ** 2,
    ],
    ids=["zeros", "ones", "identity", "a multiple of it", "blur", "vector", "small"],
)
def test_what_nothing_was_learned_in_may_be_there_twice(weights):
    assert not found(DuplicateLayers(), measured("a", weights), measured("b", weights))


@pytest.mark.parametrize("shape", [(32, 24), (16, 8, 3, 3), (32, 1, 3, 3)])
def test_what_was_learned_may_not(shape, rng):
    weights = rng.normal(size=shape)
    assert found(DuplicateLayers(), measured("a", weights), measured("b", weights.copy()))
    assert not found(DuplicateLayers(), measured("a", weights), measured("b", -weights))


@given(st.lists(st.text("ab.", max_size=6), unique=True, min_size=1, max_size=8), st.data())
def test_any_names_and_any_copies_are_told_once_each(names, data):
    """Every layer that is no original is in one finding, whatever it is called."""
    digests = [data.draw(st.sampled_from("xyz")) for _ in names]
    layers = [held(digest, name)[0] for name, digest in zip(names, digests, strict=True)]
    findings = found(DuplicateLayers(), *layers)
    alone = [one for one in findings if one.layer is not None]
    assert len({one.layer for one in alone}) == len(alone)
    assert bool(findings) == (len(set(digests)) < len(names))
    assert len(findings) - len(alone) <= 1


# --- what came and what went --------------------------------------------------------------------


def against(added=(), removed=(), changes=()):
    return Comparison(version(number="1"), tuple(changes), added=added, removed=removed)


def test_layers_that_came_and_went_are_named():
    (finding,) = found(LayersChanged(), comparison=against(("lora",), ("fc2", "fc3")))
    assert finding.message == "1 layer added (lora), 2 removed (fc2, fc3)"


def test_a_layer_of_another_shape_neither_came_nor_went():
    grown = layer("wte.weight")
    comparison = against(("wte.weight",), ("wte.weight",))
    assert not found(LayersChanged(), grown, comparison=comparison)
    (finding,) = found(ShapeChanged(), grown, comparison=comparison)
    assert finding.message == "1 layer of another shape: wte.weight is 512 × 256"


def test_what_came_is_told_apart_from_what_changed_its_shape():
    comparison = against(("wte.weight", "new"), ("wte.weight", "old"))
    (reshaped,) = found(ShapeChanged(), layer("wte.weight"), comparison=comparison)
    (changed,) = found(LayersChanged(), layer("wte.weight"), comparison=comparison)
    assert reshaped.value == 1.0
    assert changed.evidence == {"added": ["new"], "removed": ["old"]}


def test_a_tensor_that_is_shown_in_parts_has_one_shape():
    comparison = against(("conv[0]", "conv[1]"), ("conv",))
    parts = (layer("conv[0]"), layer("conv[1]"))
    (finding,) = found(ShapeChanged(), *parts, comparison=comparison)
    assert finding.value == 1.0
    assert not found(LayersChanged(), *parts, comparison=comparison)


def test_names_that_only_look_like_parts_are_names():
    comparison = against(("w[1]",), ("w[0]",))
    assert not found(ShapeChanged(), layer("w[1]"), comparison=comparison)
    (finding,) = found(LayersChanged(), layer("w[1]"), comparison=comparison)
    assert finding.evidence == {"added": ["w[1]"], "removed": ["w[0]"]}


# --- types --------------------------------------------------------------------------------------


def stored_as(*changes):
    """Layers of the version, and their comparison with the baseline's of another type."""
    layers = [replace(layer(f"fc{i}"), dtype=now) for i, (_, now) in enumerate(changes)]
    compared = [
        LayerChange(one.name, replace(one, dtype=then), {"relative": 0.001})
        for one, (then, _) in zip(layers, changes, strict=True)
    ]
    return layers, against(changes=compared)


def test_a_conversion_is_one_finding_that_counts_its_layers():
    layers, comparison = stored_as(*[("float32", "bfloat16")] * 3, ("float32", "float32"))
    (finding,) = found(DtypeChanged(), *layers, comparison=comparison)
    assert finding.message == "3 of 4 layers changed their type: 3 from float32 to bfloat16"
    assert finding.layer is None
    assert finding.evidence["layers"] == ["fc0", "fc1", "fc2"]


def test_several_conversions_are_told_the_most_common_first():
    layers, comparison = stored_as(("float32", "float16"), *[("float32", "q4_k")] * 2)
    (finding,) = found(DtypeChanged(), *layers, comparison=comparison)
    assert finding.message.endswith("2 from float32 to q4_k, 1 from float32 to float16")


def test_the_same_types_are_no_finding():
    layers, comparison = stored_as(("bfloat16", "bfloat16"))
    assert not found(DtypeChanged(), *layers, comparison=comparison)


# --- all of them --------------------------------------------------------------------------------


def test_a_healthy_model_with_its_baseline_has_none_of_these():
    layers, comparison = stored_as(*[("float32", "float32")] * 3)
    assert not [one for check in CHECKS for one in found(check(), *layers, comparison=comparison)]


def test_without_a_baseline_nothing_changed():
    changes = (LayersChanged(), ShapeChanged(), DtypeChanged())
    assert not [one for check in changes for one in found(check, layer("fc"))]


def hostile() -> list[LayerRecord]:
    return [replace(one, name="x" * 10_000 + str(i)) for i, one in enumerate(blocks(2))]


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_names_at_any_length_make_no_endless_sentence(check):
    names = tuple(one.name for one in hostile())
    changes = [LayerChange(one.name, replace(one, dtype="q"), {}) for one in hostile()]
    comparison = against(names, names, changes)
    for finding in found(check(), *hostile(), comparison=comparison):
        assert len(finding.message) < 12_000
