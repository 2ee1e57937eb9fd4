"""A model against its GGUF child: other names, other rows, the same weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import MODEL_ARCH, GGMLQuantizationType, GGUFWriter, get_tensor_name_map
from gguf.quants import quantize
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file

import auditor
from auditor.measuring.layouts import halved, nearest, paired
from auditor.weights.gguf_names import ggml_name
from tests.measuring import packers

WIDTH, HEADS, KEY_HEADS, HEAD = 64, 4, 2, 16
F16, Q8, Q4 = GGMLQuantizationType.F16, GGMLQuantizationType.Q8_0, GGMLQuantizationType.Q4_0
State = dict[str, NDArray[Any]]
ROTATED = {"attn_q": HEADS, "attn_k": KEY_HEADS}
LLAMA = {
    "model.layers.{}.self_attn.q_proj.weight": ("blk.{}.attn_q.weight", (WIDTH, WIDTH)),
    "model.layers.{}.self_attn.k_proj.weight": ("blk.{}.attn_k.weight", (KEY_HEADS * HEAD, WIDTH)),
    "model.layers.{}.self_attn.v_proj.weight": ("blk.{}.attn_v.weight", (KEY_HEADS * HEAD, WIDTH)),
    "model.layers.{}.self_attn.o_proj.weight": ("blk.{}.attn_output.weight", (WIDTH, WIDTH)),
    "model.layers.{}.mlp.gate_proj.weight": ("blk.{}.ffn_gate.weight", (96, WIDTH)),
    "model.layers.{}.mlp.down_proj.weight": ("blk.{}.ffn_down.weight", (WIDTH, 96)),
}
AROUND = {
    "model.embed_tokens.weight": ("token_embd.weight", (100, WIDTH)),
    "lm_head.weight": ("output.weight", (100, WIDTH)),
}
NAMES = AROUND | {
    name.format(i): (ggml.format(i), shape)
    for i in range(2)
    for name, (ggml, shape) in LLAMA.items()
}


def llama(seed: int = 0) -> State:
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(0, 0.02, shape).astype(np.float16) for name, (_, shape) in NAMES.items()
    }


def rotated(weight: NDArray[Any], heads: int) -> NDArray[Any]:
    """Rows as llama.cpp's converter puts them, one at a time: the halves of a head in turns."""
    size = len(weight) // heads
    rows = [
        weight[head * size + half * (size // 2) + i]
        for head in range(heads)
        for i in range(size // 2)
        for half in (0, 1)
    ]
    return np.stack(rows)


def as_gguf(path: Path, state: State, kind: GGMLQuantizationType, *, arch: str = "llama") -> Path:
    """The same model as llama.cpp would have it."""
    writer = GGUFWriter(path, arch)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    for name, values in state.items():
        ggml = NAMES[name][0]
        heads = ROTATED.get(ggml.split(".")[-2], 0) if arch == "llama" else 0
        stored = rotated(values, heads) if heads else values
        if kind is F16:
            writer.add_tensor(ggml, stored)
        else:
            writer.add_tensor(ggml, quantize(stored.astype(np.float32), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("arch", ["llama", "qwen2"])
@pytest.mark.parametrize(
    ("kind", "least", "most"), [(F16, 0.0, 0.0), (Q8, 0.003, 0.008), (Q4, 0.05, 0.12)]
)
def test_every_layer_finds_its_own_whatever_it_is_called(tmp_path, kind, least, most, arch):
    """Also where the rows of queries and keys lie in another order, and where they do not."""
    state = llama()
    child = as_gguf(tmp_path / "child.gguf", state, kind, arch=arch)
    found = auditor.compare(state, child)
    rows = {row["before"]: row for row in found.rows()}
    assert {before: row["name"] for before, row in rows.items()} == {
        name: ggml for name, (ggml, _) in NAMES.items()
    }
    assert all(least <= row["relative"] <= most for row in rows.values())
    assert (found.added, found.removed, found.uncompared) == ((), (), ())


def test_the_child_first_and_the_parent_second_are_as_far_apart(tmp_path):
    state = llama()
    parent = tmp_path / "model.safetensors"
    save_file(state, parent)
    child = as_gguf(tmp_path / "child.gguf", state, Q8)
    there = {row["before"]: row["delta_W"] for row in auditor.compare(parent, child).rows()}
    back = {row["name"]: row["delta_W"] for row in auditor.compare(child, parent).rows()}
    assert there == pytest.approx(back)
    assert len(there) == len(NAMES)


def test_patterns_are_of_the_names_of_the_second(tmp_path):
    state = llama()
    child = as_gguf(tmp_path / "child.gguf", state, Q8)
    there = auditor.compare(state, child, layers=["blk.0.attn_*"])
    back = auditor.compare(child, state, layers=["model.layers.0.self_attn.*"])
    for found in (there, back):
        assert len(found.rows()) == 4
        assert max(row["relative"] for row in found.rows()) < 0.01
        assert (found.added, found.removed, found.uncompared) == ((), (), ())


@pytest.mark.parametrize("key", ["llama.attention.head_count", "x.attention.head_count_kv"])
@pytest.mark.parametrize("heads", [0, 1, 3, 7, 2**32 - 1])
def test_heads_that_no_row_count_fits_put_nothing_in_order(tmp_path, key, heads, rng):
    """The header may say anything."""
    weight = rng.normal(size=(WIDTH, WIDTH)).astype(np.float32)
    writer = GGUFWriter(tmp_path / "lie.gguf", "llama")
    writer.add_uint32(key, heads)
    writer.add_tensor("blk.0.attn_q.weight", weight)
    writer.add_tensor("output.weight", weight[:20])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    names = ("model.layers.0.self_attn.q_proj.weight", "lm_head.weight")
    found = auditor.compare(
        tmp_path / "lie.gguf", dict(zip(names, (weight, weight[:20]), strict=True))
    )
    assert {row["relative"] for row in found.rows()} == {0.0}


def test_another_model_is_far_away_in_every_order_of_its_rows(tmp_path):
    child = as_gguf(tmp_path / "child.gguf", llama(), Q8)
    assert min(auditor.compare(llama(seed=1), child).details["relative"]) > 1.2


def test_a_layer_of_its_own_name_is_never_put_in_another_order(rng):
    """A permutation of rows within one tool's names is a change."""
    name = "model.layers.0.self_attn.q_proj.weight"
    weight = rng.normal(size=(WIDTH, WIDTH))
    [row] = auditor.compare({name: weight}, {name: rotated(weight, HEADS)}).rows()
    assert row["relative"] > 1.0


def test_queries_of_unknown_heads_are_not_compared_across_tools(rng):
    weight = rng.normal(size=(WIDTH, WIDTH))
    one = {"model.layers.0.self_attn.q_proj.weight": weight, "lm_head.weight": weight[:9]}
    two = {"blk.0.attn_q.weight": rotated(weight, HEADS), "output.weight": weight[:9] * 1.5}
    found = auditor.compare(one, two)
    assert [row["name"] for row in found.rows()] == ["output.weight"]
    assert found.added == ("blk.0.attn_q.weight",)


def test_the_transposed_weights_of_gpt2_are_turned(rng):
    """Also square ones, of which no shape tells that they were."""
    one = {
        "transformer.h.0.attn.c_attn.weight": rng.normal(size=(32, 96)),
        "transformer.h.0.attn.c_proj.weight": rng.normal(size=(32, 32)),
    }
    two = dict(
        zip(("blk.0.attn_qkv.weight", "blk.0.attn_output.weight"), one.values(), strict=True)
    )
    found = auditor.compare(one, {name: 1.1 * value.T for name, value in two.items()})
    assert [row["relative"] for row in found.rows()] == pytest.approx([0.1, 0.1])


def test_what_gptq_packed_is_the_weight_it_was_made_from(tmp_path, rng):
    state, meant = packers.gptq(rng, 4)
    name = "model.layers.0.mlp.up_proj"
    save_file(
        {key.replace("fc1", name): value for key, value in state.items()},
        tmp_path / "model.safetensors",
    )
    settings = '{"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 32}}'
    (tmp_path / "config.json").write_text(settings)
    [row] = auditor.compare({f"{name}.weight": meant}, tmp_path).rows()
    assert (row["name"], row["relative"]) == (f"{name}.weight", pytest.approx(0.0, abs=1e-6))


@given(heads=st.integers(1, 5), half=st.integers(1, 4), seed=st.integers(0, 99))
def test_one_order_undoes_the_other(heads, half, seed):
    matrix = np.random.default_rng(seed).normal(size=(2 * heads * half, 3))
    np.testing.assert_array_equal(paired(matrix, heads), rotated(matrix, heads))
    np.testing.assert_array_equal(halved(paired(matrix, heads), heads), matrix)
    [found] = nearest([paired(matrix, heads)], [matrix], heads)
    np.testing.assert_array_equal(found, matrix)


@pytest.mark.parametrize(
    "name", ["layers.0.attention.wq.weight", "conv1.weight", "", "blk.0.x", "ü"]
)
def test_a_name_that_no_table_has_is_known_to_no_tool(name):
    assert ggml_name(name) == ""


@pytest.mark.parametrize(("name", "ggml"), [(name, ggml) for name, (ggml, _) in NAMES.items()])
def test_the_gguf_package_gives_a_tensor_the_same_name(name, ggml):
    known = get_tensor_name_map(MODEL_ARCH.LLAMA, 2).get_name(name, try_suffixes=(".weight",))
    assert known == ggml == ggml_name(name)
