"""Fused projections: the planted query, key and value come back, in every layout."""

import numpy as np
import pytest

from auditor.spectral.fused import Heads, Split, find_split, split

HIDDEN = 12
QKV = {  # layout -> heads of keys, and how rows are laid out
    "apart": lambda q, k, v: np.concatenate([q, k, v]),
    "turns": lambda q, k, v: np.concatenate(
        [np.concatenate(group) for group in zip(*map(_by_group, (q, k, v)), strict=True)]
    ),
}
GROUPS, SIZE = 2, 3


def _by_group(rows):
    return np.split(rows, GROUPS)


def planted(rng, queries):
    sizes = (queries * SIZE, GROUPS * SIZE, GROUPS * SIZE)
    return [rng.normal(size=(size, HIDDEN)) for size in sizes]


@pytest.mark.parametrize("layout", QKV)
@pytest.mark.parametrize("queries", [2, 4, 6])
def test_query_key_and_value_come_back(rng, layout, queries):
    parts = planted(rng, queries)
    fused = QKV[layout](*parts)
    heads = Heads(queries, GROUPS, SIZE, layout)
    found = find_split("h.0.attn.query_key_value.weight", fused.shape, [heads])
    assert found is not None
    for part, wanted in zip(split(fused, found), parts, strict=True):
        np.testing.assert_array_equal(part, wanted)


def test_columns_are_split_where_they_are_the_long_side(rng):
    parts = planted(rng, 4)
    found = find_split("h.0.attn.c_attn.weight", (HIDDEN, 24), [Heads(4, 2, 3)])
    assert found == Split(1, 1, (12, 6, 6))
    for part, wanted in zip(split(np.concatenate(parts).T, found), parts, strict=True):
        np.testing.assert_array_equal(part, wanted.T)


def test_parts_that_follow_one_another_are_views(rng):
    fused = rng.normal(size=(36, HIDDEN))
    found = find_split("qkv_proj.weight", fused.shape, [])
    assert found is not None
    assert all(np.shares_memory(part, fused) for part in split(fused, found))


@pytest.mark.parametrize(
    ("name", "shape", "heads"),
    [
        ("attn.query_key_value.weight", (36, 12), []),  # their order needs a model's name
        ("attn.query_key_value.weight", (36, 12), [Heads(4, 4, 3)]),
        ("attn.qkv_proj.weight", (36, 12), [Heads(4, 4, 3, "unknown")]),
        ("attn.qkv_proj.weight", (36, 12), [Heads(8, 8, 3, "turns")]),  # of another attention
        ("attn.qkv_proj.weight", (24, 12), []),  # fewer keys than queries, or none of this
        ("attn.q_proj.weight", (36, 12), []),
        ("attn.qkv.weight", (36, 12, 1), []),
        ("crossattention.c_attn.weight", (12, 24), []),
    ],
)
def test_what_is_not_known_is_not_split(name, shape, heads):
    assert find_split(name, shape, heads) is None


def test_the_attention_that_fits_the_shape_counts():
    text, vision = Heads(4, 2, 3), Heads(2, 2, 3)
    found = find_split("vision.qkv.weight", (18, 12), [text, vision])
    assert found == Split(0, 1, (6, 6, 6))


def test_a_name_of_columns_prefers_them():
    """Square in both readings: GPT-2 stores (in, out), all others (out, in)."""
    heads = [Heads(2, 1, 3)]
    assert find_split("h.c_attn.weight", (12, 12), heads) == Split(1, 1, (6, 3, 3))
    assert find_split("h.qkv_proj.weight", (12, 12), heads) == Split(0, 1, (6, 3, 3))
