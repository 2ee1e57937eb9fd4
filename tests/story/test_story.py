"""What was done to a model is what its story tells: planted changes, in plain sentences."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import auditor
from auditor.story import Nature, tell
from tests.story.makers import in_int8, merged, pruned, transformer


@pytest.fixture(scope="module")
def base():
    return transformer()


def story(before, after):
    return auditor.compare(before, after).story


def natures(found):
    return {move.nature for move in found.moves}


def test_a_merged_adapter_is_recognised(base):
    found = story(base, merged(base, rank=4))
    assert found.sentences[:3] == (
        "4 of 18 layers changed, all in attention.",
        "14 are frozen, the same in every value: model.layers.0–3.mlp.down_proj.weight (4), "
        "model.layers.0–3.mlp.up_proj.weight (4), "
        "model.layers.0–3.self_attn.o_proj.weight (4), and 2 more.",
        "The change has rank 4 in each of the 4: a merged low-rank adapter (LoRA) looks like this.",
    )
    assert [group.label for group in found.parts] == ["attention", "embedding", "head", "mlp"]
    assert found.parts[0].share == pytest.approx(1.0)


def test_an_adapter_is_recognised_in_half_precision(base):
    one = {name: torch.from_numpy(w).to(torch.bfloat16) for name, w in base.items()}
    wide = {name: w.to(torch.float32).numpy() for name, w in one.items()}
    two = {name: torch.from_numpy(w).to(torch.bfloat16) for name, w in merged(wide, rank=8).items()}
    found = story(one, two)
    assert natures(found) == {Nature.FROZEN, Nature.LOW_RANK}
    ranks = {move.distances["delta_directions"] for move in found.moves if move.is_changed}
    assert ranks == {8.0}


def test_the_same_weights_changed_nothing(base):
    found = story(base, dict(base))
    assert found.sentences == ("Nothing changed: all 18 layers are the same in every value.",)
    assert math.isnan(found.parts[0].share)


@pytest.mark.parametrize(("kind", "most"), [("float16", 2**-11), ("bfloat16", 2**-8)])
def test_what_fewer_bits_explain_is_told_as_their_cost(base, kind, most):
    half = {name: torch.from_numpy(w).to(getattr(torch, kind)) for name, w in base.items()}
    found = story(base, half)
    assert natures(found) == {Nature.ROUNDED}
    [cost] = found.costs
    assert (cost.before, cost.after, cost.bits, cost.layers) == ("float32", kind, 16.0, 18)
    assert 0.0 < cost.relative <= cost.worst.relative < most
    assert cost.decibels == pytest.approx(-20.0 * math.log10(cost.relative), abs=0.1)
    assert cost.moved == 0
    assert found.sentences[0] == "Nothing changed beyond rounding, in all 18 layers."
    assert found.sentences[1].startswith(f"18 layers are stored as {kind}, not float32: an error")


def test_wider_types_with_the_same_values_are_said_to_cost_nothing(base):
    half = {name: torch.from_numpy(w).to(torch.float16) for name, w in base.items()}
    wide = {name: w.to(torch.float32) for name, w in half.items()}
    assert story(half, wide).sentences == (
        "Nothing changed: all 18 layers are the same in every value.",
        "18 layers are stored as float32, not float16, with the same values.",
    )


def test_eight_bits_cost_what_rounding_to_them_costs(base):
    found = story(base, in_int8(base))
    assert natures(found) == {Nature.ROUNDED}
    [cost] = found.costs
    errors = []
    for weight in base.values():
        step = np.abs(weight).max(axis=1, keepdims=True) / 127.0
        errors.append(np.linalg.norm(weight - step * np.round(weight / step)))
    relative = [e / np.linalg.norm(w) for e, w in zip(errors, base.values(), strict=True)]
    assert cost.relative == pytest.approx(np.median(relative), rel=1e-3)
    assert cost.worst.relative == pytest.approx(max(relative), rel=1e-3)


def test_what_changed_besides_is_told_from_what_was_rounded(base):
    half = {name: torch.from_numpy(w).to(torch.float16) for name, w in merged(base).items()}
    found = story(base, half)
    assert found.sentences[0] == "4 of 18 layers changed beyond rounding, all in attention."
    assert "rank 4 in each of the 4" in found.sentences[2]


def test_a_change_beyond_rounding_is_not_taken_for_rounding(base):
    half = {name: torch.from_numpy(1.01 * w).to(torch.float16) for name, w in base.items()}
    assert Nature.ROUNDED not in natures(story(base, half))


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_pruning_is_recognised(base, share):
    found = story(base, pruned(base, share))
    moved = [move for move in found.moves if move.is_changed]
    assert {move.nature for move in moved} == {Nature.PRUNED}
    assert len(moved) == 16
    assert f"{100 * share:.0f} % of the entries in the median became zero" in found.sentences[2]


def test_another_seed_left_nothing_of_the_first(base):
    found = story(base, transformer(seed=1))
    assert natures(found) == {Nature.UNRELATED}
    assert "two trainings from different seeds" in found.sentences[1]


def test_a_factor_is_told(base):
    name = "model.layers.2.mlp.up_proj.weight"
    found = story(base, {**base, name: 1.5 * base[name]})
    assert found.sentences[2] == f"Every entry was multiplied by 1.50 in {name}, and nothing else."


def test_several_things_done_at_once_are_told_apart(base):
    both = merged(base)
    both["model.layers.0.mlp.up_proj.weight"] = 2.0 * base["model.layers.0.mlp.up_proj.weight"]
    both["lm_head.weight"] = transformer(seed=5)["lm_head.weight"]
    found = story(base, both)
    by_nature = {nature: sum(m.nature is nature for m in found.moves) for nature in Nature}
    assert by_nature == dict.fromkeys(Nature, 0) | {
        Nature.FROZEN: 12,
        Nature.LOW_RANK: 4,
        Nature.SCALED: 1,
        Nature.UNRELATED: 1,
    }
    assert any("rank 4 in 4 of them" in sentence for sentence in found.sentences)


def test_shares_of_the_change_are_those_of_its_squares(base, rng):
    names = list(base)[1:4]
    after = dict(base)
    for factor, name in enumerate(names, 1):
        after[name] = base[name] + factor * rng.normal(size=base[name].shape)
    squares = {name: float(np.square(after[name] - base[name]).sum()) for name in base}
    found = {move.name: move.share for move in story(base, after).moves}
    total = sum(squares.values())
    assert found == pytest.approx({name: square / total for name, square in squares.items()})


def test_nothing_in_common_is_said():
    found = story({"a.weight": np.eye(9)}, {"b.weight": 2 * np.eye(7)})
    assert found.sentences[0] == "The two have no layer in common, by name and shape."
    assert len(found.sentences) == 3


def test_from_zero_to_anything_is_infinitely_far(rng):
    after = {"a.weight": rng.normal(size=(20, 20))}
    [move] = story({"a.weight": np.zeros((20, 20))}, after).furthest
    assert move.relative == math.inf
    assert move.decibels == -math.inf


@pytest.fixture(scope="module")
def mixed(base):
    """Adapters, pruning and a factor together."""
    after = pruned(merged(base), 0.1)
    return auditor.compare(base, {**after, "lm_head.weight": 2.0 * base["lm_head.weight"]})


@given(order=st.permutations(range(18)))
def test_the_order_of_layers_tells_nothing(mixed, order):
    layers = [mixed.analysis.layers[i] for i in order]
    changes = tuple(mixed.comparison.layers[i] for i in reversed(order))
    found = tell(layers, replace(mixed.comparison, layers=changes))
    assert found.sentences == mixed.story.sentences
    assert found.parts == mixed.story.parts


def test_there_and_back_the_same_layers_changed_as_much(base):
    after = merged(base, part="mlp.up_proj")
    there, back = story(base, after), story(after, base)
    assert [m.nature for m in there.moves] == [m.nature for m in back.moves]
    for one, two in zip(there.moves, back.moves, strict=True):
        assert one.share == pytest.approx(two.share, nan_ok=True)
        assert one.distances["d_alpha"] == pytest.approx(-two.distances["d_alpha"], nan_ok=True)
        assert one.is_alpha_moved == two.is_alpha_moved


def test_json_has_the_story_too(base):
    found = auditor.compare(base, merged(base)).to_dict()
    assert found["story"]["sentences"][0].startswith("4 of 18")
    assert found["story"]["parts"][0]["part"] == "attention"
    row = next(row for row in found["layers"] if row["name"].endswith("0.self_attn.q_proj.weight"))
    assert (row["nature"], row["part"], row["delta_directions"]) == ("low-rank", "attention", 4.0)
