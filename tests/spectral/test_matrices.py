import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from auditor.records import Layer, Module, Settings, Skip
from auditor.spectral.fused import Split
from auditor.spectral.kinds import block, order
from auditor.spectral.matrices import cut, divide
from tests.spectral import oracles

Array = NDArray[Any]

LONG = 10_000  # characters a hostile name may have


def layer(name: str, array: Array) -> Layer:
    found = cut(name, array, array.dtype.name)
    assert isinstance(found, Layer)
    return found


def skip(name: str, array: Array) -> Skip:
    found = cut(name, array, array.dtype.name)
    assert isinstance(found, Skip)
    return found


def numbered(*shape: int) -> Array:
    """Every entry differs, so that a test sees where each has gone."""
    return np.arange(1.0, 1.0 + np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_dense_weight_is_one_matrix_in_its_own_precision(dtype):
    w = numbered(5, 3).astype(dtype)
    found = layer("fc1.weight", w)
    assert (found.kind, found.dtype, found.shape) == ("dense", dtype, (5, 3))
    (matrix,) = found.slices
    assert np.shares_memory(matrix, w)
    np.testing.assert_array_equal(matrix, w)


def test_the_stored_type_is_kept_when_the_array_was_widened():
    found = cut("fc.weight", numbered(5, 3), "bfloat16")
    assert found.dtype == "bfloat16"


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((4, 3, 5), "conv1d"), ((4, 3, 2, 5), "conv2d"), ((4, 3, 2, 1, 3), "conv3d")],
)
def test_a_convolution_is_a_matrix_for_each_position_of_its_kernel(shape, kind):
    w = numbered(*shape)
    found = layer("conv.weight", w)
    assert found.kind == kind
    positions = list(np.ndindex(*shape[2:]))
    assert len(found.slices) == len(positions)
    for matrix, position in zip(found.slices, positions, strict=True):
        assert np.shares_memory(matrix, w)
        np.testing.assert_array_equal(matrix, w[(slice(None), slice(None), *position)])


def test_a_pointwise_convolution_is_one_matrix():
    assert [m.shape for m in layer("conv.weight", numbered(4, 3, 1, 1)).slices] == [(4, 3)]


@pytest.mark.parametrize("shape", [(8, 1, 3), (8, 1, 3, 3)])
def test_a_depthwise_convolution_is_all_kernels_as_one_matrix(shape):
    w = numbered(*shape)
    found = layer("conv.weight", w)
    assert found.kind == "depthwise"
    (matrix,) = found.slices
    np.testing.assert_array_equal(matrix, w.reshape(8, -1))


def test_experts_are_a_matrix_each():
    w = numbered(3, 4, 2)
    found = layer("model.layers.0.mlp.experts.gate_up_proj", w)
    assert found.kind == "experts"
    np.testing.assert_array_equal(np.stack(found.slices), w)


def test_a_positional_embedding_is_no_convolution():
    found = layer("vit.pos_embed", numbered(1, 7, 4))
    assert (found.kind, found.shape) == ("embedding", (1, 7, 4))
    assert [m.shape for m in found.slices] == [(7, 4)]
    assert skip("vit.cls_token", numbered(1, 1, 4)).reason == "vector"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("model.embed_tokens.weight", "embedding"),
        ("transformer.wte.weight", "embedding"),
        ("bert.embeddings.word_embeddings.weight", "embedding"),
        ("tok_embeddings.weight", "embedding"),
        ("shared.weight", "embedding"),
        ("lm_head.weight", "head"),
        ("module.fc.weight", "head"),
        ("classifier.6.weight", "head"),
        ("output.weight", "head"),
        ("fc1.weight", "dense"),
        ("encoder.layer.0.output.dense.weight", "dense"),
        ("layers.3.mlp.fc.weight", "dense"),
        ("blocks.0.attn.head_proj.weight", "dense"),
        ("embedder.blocks.0.linear.weight", "dense"),
        ("weight", "dense"),
        ("", "dense"),
        (".", "dense"),
    ],
)
def test_embeddings_and_heads_are_known_by_their_usual_names(name, kind):
    assert layer(name, numbered(6, 3)).kind == kind


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.float32(3.0), "scalar"),
        (np.ones(4, np.float32), "vector"),
        (np.ones((0, 4), np.float32), "empty"),
        (np.arange(6).reshape(2, 3), "integer index"),
        (np.ones((2, 3), bool), "integer index"),
        (np.tri(4, dtype=np.uint8), "integer index"),
        (np.full((2, 3), 7, np.int8), "quantised integers without a known scale"),
        (np.ones((2, 3), complex), "complex128 values, only real ones are analysed"),
        (np.ones((2,) * 6, np.float32), "6 dimensions, at most 5 are analysed"),
    ],
)
def test_what_has_no_spectrum_says_why(array, reason):
    found = cut("x", np.asarray(array), "as stored")
    assert isinstance(found, Skip)
    assert (found.reason, found.shape, found.dtype) == (reason, np.shape(array), "as stored")


def test_only_quantised_weights_count_as_not_looked_at():
    assert not skip("x", np.full((2, 3), 7, np.int8)).read
    assert skip("x", np.arange(6).reshape(2, 3)).read
    assert skip("x", np.ones(3)).read


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(4, 5), (4, 3, 2, 2)])
def test_a_matrix_with_non_finite_values_is_skipped_and_they_are_counted(bad, shape):
    w = numbered(*shape)
    w.flat[3] = bad
    w.flat[7] = np.nan
    found = skip("fc.weight", w)
    assert (found.reason, found.non_finite, found.read) == ("non-finite", 2, True)


def test_a_value_whose_square_is_infinite_is_non_finite():
    w = np.array([[1e200, 1.0], [1.0, -1e200]])
    assert skip("fc.weight", w).non_finite == 2
    assert layer("fc1.weight", np.array([[1e140, 1.0]])).kind == "dense"


def test_vectors_are_checked_for_non_finite_and_all_zero_values():
    broken = skip("norm.bias", np.array([1.0, np.nan, np.inf], np.float32))
    assert (broken.reason, broken.non_finite, broken.all_zero) == ("vector", 2, False)
    assert skip("norm.weight", np.zeros(4, np.float32)).all_zero
    assert not skip("norm.weight", np.array([0.0, 1e-30])).all_zero


@pytest.mark.parametrize("name", ["conv.weight", "experts.weight"])
def test_a_shape_made_to_need_a_million_decompositions_is_one_matrix(name):
    w = np.ones((5000, 2, 2) if "experts" in name else (2, 2, 5000), np.float32)
    assert len(layer(name, w).slices) == 1


@pytest.mark.parametrize("shape", [(0, 3, 0), (3, 0, 2, 2), (1, 0), (0,)])
def test_empty_tensors_of_any_shape_are_skipped(shape):
    assert skip("conv.weight", np.ones(shape, np.float32)).reason == "empty"


@pytest.mark.parametrize("shape", [(8, 3, 5), (8, 3, 2, 2), (8, 3, 1, 2, 2)])
@pytest.mark.parametrize("groups", [2, 4])
def test_a_grouped_convolution_is_a_matrix_for_each_group_and_position(shape, groups):
    w = numbered(*shape)
    found = cut("conv.weight", w, "float32", Module("conv2d", shape, groups=groups))
    assert isinstance(found, Layer)
    wanted = [
        group[(slice(None), slice(None), *position)]
        for group in np.split(w, groups)
        for position in np.ndindex(*shape[2:])
    ]
    assert len(found.slices) == len(wanted)
    for matrix, expected in zip(found.slices, wanted, strict=True):
        assert np.shares_memory(matrix, w)
        np.testing.assert_array_equal(matrix, expected)


def test_groups_that_do_not_divide_the_rows_are_not_believed():
    w = numbered(8, 3, 2, 2)
    found = cut("conv.weight", w, "float32", Module("conv2d", (8, 3, 2, 2), groups=3))
    assert isinstance(found, Layer)
    assert [m.shape for m in found.slices] == [(8, 3)] * 4


def test_a_parameter_of_no_convolution_is_a_stack_of_matrices():
    w = numbered(1, 3, 4, 5)
    found = cut("bias_table", w, "float32", Module("other", (1, 3, 4, 5)))
    assert isinstance(found, Layer)
    np.testing.assert_array_equal(np.stack(found.slices), w[0])
    scale = cut("weight_g", numbered(1, 1, 8), "float32", Module("other", (1, 1, 8)))
    assert isinstance(scale, Skip)
    assert scale.reason == "vector"


def test_one_bias_for_each_expert_is_no_matrix():
    found = skip("mlp.experts.gate_up_proj_bias", numbered(4, 6))
    assert (found.reason, found.read) == ("vector", True)


def test_without_pooling_every_slice_is_a_layer():
    found = layer("conv.weight", numbered(4, 3, 2, 2))
    parts = divide(found, Settings(pool=False))
    assert [part.name for part in parts] == [f"conv.weight[{i}]" for i in range(4)]
    for part, matrix in zip(parts, found.slices, strict=True):
        assert (part.kind, part.shape) == ("conv2d", (4, 3, 2, 2))
        np.testing.assert_array_equal(part.slices[0], matrix)


@pytest.mark.parametrize("settings", [Settings(), Settings(pool=False), Settings(split_qkv=True)])
def test_a_tensor_of_one_matrix_keeps_its_name(settings):
    found = layer("fc1.weight", numbered(4, 3))
    assert divide(found, settings) == (found,)


def test_query_key_and_value_are_layers_on_request():
    found = layer("h.0.attn.c_attn.weight", numbered(3, 9))
    fused = Split(1, 1, (3, 3, 3))
    assert divide(found, Settings(), fused) == (found,)
    parts = divide(found, Settings(split_qkv=True), fused)
    assert [part.name[-3:] for part in parts] == ["[q]", "[k]", "[v]"]
    assert {(part.kind, part.shape) for part in parts} == {("dense", (3, 3))}
    np.testing.assert_array_equal(np.hstack([p.slices[0] for p in parts]), found.slices[0])


# --- names --------------------------------------------------------------------------------


def test_layers_stand_in_the_order_of_the_model():
    wanted = [
        "model.embed_tokens.weight",
        "model.layers.0.mlp.weight",
        "model.layers.2.mlp.weight",
        "model.layers.10.mlp.weight",
        "model.norm.weight",
        "lm_head.weight",
    ]
    assert order(random.Random(0).sample(wanted, len(wanted))) == wanted  # noqa: S311


def test_a_shorter_name_comes_before_what_lies_below_it():
    assert order(["a1.b", "a", "a.b", "a1"]) == ["a", "a.b", "a1", "a1.b"]


@oracles.steady
@given(st.lists(st.text(alphabet="ab019.-_²٣é", max_size=8)))
def test_order_is_one_order_of_the_same_names(names):
    ordered = order(names)
    assert sorted(ordered) == sorted(names)
    assert order(reversed(names)) == ordered


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("layer1.0.conv2.weight", 1),
        ("model.layers.12.mlp.up_proj.weight", 12),
        ("fc.weight", None),
        ("h.007.weight", 7),
        ("h.²٣.weight", None),
        ("9" * LONG, None),
        ("", None),
    ],
)
def test_block_is_the_first_number_in_the_name(name, number):
    assert block(name) == number


@pytest.mark.parametrize(
    "piece", ["9", ".", "a", "0a", "model.", "1.", "expert", "\u0130", "embed"]
)
def test_very_long_names_are_read_in_one_pass(piece):
    name = (piece * LONG)[:LONG]
    assert order([name, name + "1"]) == [name, name + "1"] or "embed" in name
    assert layer(name, numbered(3, 2)).slices
    block(name)


def test_a_complex_matrix_counts_as_not_looked_at():
    skip = cut("fc.weight", np.ones((4, 4), complex), "complex128")
    assert isinstance(skip, Skip)
    assert not skip.read
    bias = cut("fc.bias", np.ones(4, complex), "complex128")
    assert isinstance(bias, Skip)
    assert bias.read
